"""Checkpoints in the names of Hugging Face's ViT and DINOv2, renamed to timm's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["to_timm"]

PLAIN: Final = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
}
IN_LAYER: Final = {
    "attention.output.dense": "attn.proj",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.(.+)")
PART: Final = re.compile(r"attention\.attention\.(query|key|value)\.(weight|bias)")
UNUSED: Final = ("pooler.", "embeddings.mask_token", "classifier.")


def to_timm(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename tensors; query, key and value of a layer become one. Unknown names stay, to be noticed."""
    import torch

    out: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for full, tensor in state.items():
        name = re.sub(r"^(vit|dinov2|backbone)\.", "", full)
        if name.startswith(UNUSED):
            continue
        layer = LAYER.fullmatch(name)
        part = PART.fullmatch(layer[2]) if layer else None
        if layer and part:
            parts.setdefault(f"blocks.{layer[1]}.attn.qkv.{part[2]}", {})[part[1]] = tensor
        elif layer:
            out[f"blocks.{layer[1]}.{_ending(layer[2], IN_LAYER)}"] = tensor
        else:
            out[_ending(name, PLAIN)] = tensor
    for name, held in parts.items():
        if len(held) == 3:
            out[name] = torch.cat([held["query"], held["key"], held["value"]])
    return out


def _ending(name: str, names: Mapping[str, str]) -> str:
    stem, _, end = name.rpartition(".")
    if name in names:
        return names[name]
    return f"{names[stem]}.{end}" if stem in names else name
