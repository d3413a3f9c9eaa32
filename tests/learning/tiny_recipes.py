"""Recipes that train in seconds; networks of a few thousand numbers."""

from __future__ import annotations

from typing import Any

from napari_her2.learning import Recipe

VIT = {"options": {"img_size": 224, "embed_dim": 24, "depth": 2, "num_heads": 2, "patch_size": 32}}
MASKFORMER = {
    "embed_dim": 8, "depths": (1, 1, 1, 1), "heads": (1, 1, 1, 1), "window": 4, "fpn": 32,
    "mask_features": 32, "decoder_layers": 1, "decoder_dim": 16, "decoder_heads": 2, "queries": 6,
}  # fmt: skip
PLAIN = {"in_situ": 0, "artefacts": 0, "control": 0}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "tumour": ("tumour-tiny", VIT),
    "stain": ("stain-tiny-224", VIT),
    "segment": ("segment-mini", MASKFORMER),
    "tissue": ("tissue-mini", MASKFORMER),
}


def content(task: str = "tumour", **schedule: Any) -> dict[str, Any]:
    """Content of a recipe file with phantoms; further arguments go into its schedule."""
    model, options = MODELS[task]
    stage = {"batch": 4, "size_px": 128} if model.endswith("mini") else {"batch": 4}
    return {
        "task": task,
        "model": model,
        "options": options,
        "name": f"{task}-toy",
        "seed": 3,
        "data": {"phantoms": {**PLAIN, "size_um": [400, 420], "pool": 2, "validation": 4}},
        "schedule": {
            "epochs": 2, "patches_per_epoch": 8, "stages": [stage], "precision": "float32", "ema": 0.5,
            **schedule,
        },
    }  # fmt: skip


def recipe(task: str = "tumour", **schedule: Any) -> Recipe:
    """Return that recipe, checked."""
    return Recipe.model_validate(content(task, **schedule))
