"""Classifiers and encoders on timm's models. Imports torch and timm: load it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_her2.errors import ModelError
from napari_her2.models._heads import OrdinalHead, OrdinalLogits, probabilities_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.models.adapters import Pooling, TimmAdapter

__all__ = ["PatchClassifier", "PooledBackbone"]


def _option(name: str, value: Any) -> Any:
    """Layers go by name in files, but timm wants the classes of some."""
    if name != "mlp_layer":
        return value
    from timm import layers

    kinds = {"mlp": layers.Mlp, "swiglu": layers.SwiGLU, "swiglu_packed": layers.SwiGLUPacked}
    if value not in kinds:
        raise ModelError(f"mlp_layer {value!r} is unknown: use one of {', '.join(kinds)}")
    return kinds[value]


def make_backbone(model: str, options: Mapping[str, Any]) -> nn.Module:
    """Return a timm model without head and without weights.

    Raises
    ------
    ModelError
        If timm has no such model or it does not take the options.
    """
    import timm

    try:
        given = {name: _option(name, value) for name, value in options.items()}
        return timm.create_model(model, pretrained=False, num_classes=0, **given)
    except (RuntimeError, TypeError, ValueError, AssertionError, ZeroDivisionError) as error:
        raise ModelError(
            f"timm {timm.__version__} cannot make {model} as the spec says ({str(error)[:160]}): correct the "
            "spec or update timm"
        ) from error


class PooledBackbone(nn.Module):
    """A timm model whose output is one feature vector per patch."""

    def __init__(self, model: str, options: Mapping[str, Any], pooling: Pooling) -> None:
        super().__init__()
        self.backbone = make_backbone(model, options)
        self.pooling = pooling
        self.prefix = int(getattr(self.backbone, "num_prefix_tokens", -1))
        if pooling != "default" and self.prefix < (0 if pooling == "avg" else 1):
            raise ModelError(f"{model} has no tokens for pooling {pooling!r}: set pooling to default")
        self.width = int(self.backbone.num_features) * (2 if pooling == "token+avg" else 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features (n, width) of normalised pixels (n, 3, h, w)."""
        if self.pooling == "default":
            return self.backbone(pixels)
        return self.pooled(self.backbone.forward_features(pixels))

    def pooled(self, tokens: Tensor) -> Tensor:
        """Features (n, width) of the backbone's tokens (n, t, d)."""
        if self.pooling == "default":
            return self.backbone.forward_head(tokens)
        parts = []
        if "token" in self.pooling:
            parts.append(tokens[:, 0])
        if "avg" in self.pooling:
            parts.append(tokens[:, self.prefix :].mean(1))
        return torch.cat(parts, 1)


class PatchClassifier(nn.Module):
    """Backbone, pooling and a linear or ordinal head: models C and L."""

    def __init__(self, adapter: TimmAdapter, classes: int) -> None:
        super().__init__()
        self.body = PooledBackbone(adapter.model, adapter.options, adapter.pooling)
        ordinal = adapter.head == "ordinal"
        self.head = OrdinalHead(self.body.width, classes) if ordinal else nn.Linear(self.body.width, classes)

    def features(self, pixels: Tensor) -> Tensor:
        """Feature vectors (n, d)."""
        return self.body(pixels)

    def forward(self, pixels: Tensor) -> Tensor | OrdinalLogits:
        """Logits, as the head makes them."""
        return self.head(self.features(pixels))

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Probabilities (n, c), float32."""
        return self.answers(pixels)[0]

    def answers(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (n, c), float32, and the features (n, d) that they come from."""
        features = self.features(pixels)
        return probabilities_of(self.head(features)), features
