"""Facts of small models, shared by tests of models and of inference."""

from __future__ import annotations

from typing import Any

VIT = {
    "kind": "timm",
    "model": "vit_tiny_patch16_224",
    "options": {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
}
MASKFORMER = {
    "kind": "maskformer", "embed_dim": 16, "depths": [1, 1, 1, 1], "heads": [1, 2, 4, 8], "window": 4,
    "fpn": 32, "mask_features": 32, "decoder_layers": 1, "decoder_dim": 32, "decoder_heads": 4, "queries": 6,
}  # fmt: skip
SCORES = ["0", "1+", "2+", "3+"]


def facts(**changes: Any) -> dict[str, Any]:
    """Return a complete spec of a small tumour classifier, as JSON has it."""
    return {
        "schema": "napari-her2/model/1",
        "name": "small-tumour",
        "task": "classify",
        "stain": "he",
        "um_per_px": 0.5,
        "size_px": 32,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "classes": ["other", "tumour"],
        "adapter": VIT,
        "weights": "small.safetensors",
        "sha256": "0" * 64,
        "licence": "BSD-3-Clause",
        "trained_on": "nothing: random weights",
        **changes,
    }


KINDS: dict[str, dict[str, Any]] = {
    "classify": {},
    "ordinal": {
        "name": "small-stain", "task": "ordinal", "stain": "ihc", "um_per_px": 0.25, "classes": SCORES,
        "adapter": {**VIT, "head": "ordinal"},
    },
    "segment": {
        "name": "small-segment", "task": "segment", "stain": "ihc", "um_per_px": 0.25, "size_px": 64,
        "classes": ["background", *SCORES], "adapter": MASKFORMER,
    },
}  # fmt: skip
