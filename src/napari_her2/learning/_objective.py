"""What is minimised: networks with their losses. Imports torch: load it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_her2.learning.patch import UNKNOWN
from napari_her2.models._heads import OrdinalLogits
from napari_her2.models._maskformer import Segmenter

if TYPE_CHECKING:
    from napari_her2.learning.recipe import Schedule
    from napari_her2.models._vit import PatchClassifier

__all__ = ["KeepTokens", "PatchObjective", "PixelObjective", "make_objective", "soft_loss"]

MASK_STRIDE = 4
"""Masks are compared at the resolution in which the network makes them."""


class KeepTokens(nn.Module):
    """In training, a random share of the patch tokens goes on: less work per patch.

    Stands where timm's models have their patch dropout; ``kept`` tells which tokens went on last.
    """

    def __init__(self, share: float, prefix: int) -> None:
        super().__init__()
        self.share, self.prefix = share, prefix
        self.kept: Tensor | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, prefix + t, d) → (n, prefix + round(share · t), d)."""
        self.kept = None
        if not self.training or self.share >= 1:
            return tokens
        count = tokens.shape[1] - self.prefix
        order = torch.randperm(count, device=tokens.device)[: max(1, round(self.share * count))]
        self.kept = order.sort().values
        return torch.cat([tokens[:, : self.prefix], tokens[:, self.prefix + self.kept]], 1)


def soft_loss(logits: Tensor | OrdinalLogits, target: Tensor) -> Tensor:
    """Cross-entropy with a distribution (n, c) as the truth; an ordinal head adds that of its link."""
    if not isinstance(logits, OrdinalLogits):
        return nn.functional.cross_entropy(logits.float(), target)
    above = 1 - torch.cumsum(target, 1)[:, :-1]
    link = nn.functional.binary_cross_entropy_with_logits(logits.cumulative.float(), above.clamp(0, 1))
    return nn.functional.cross_entropy(logits.classes.float(), target) + link


def _shares(labels: Tensor, codes: int, stride: tuple[int, int]) -> Tensor:
    """Share of each label in each cell of a grid, (n, codes, rows, cols); unknown pixels belong to none."""
    layers = torch.stack([(labels == code).float() for code in range(codes)], 1)
    return nn.functional.avg_pool2d(layers, stride)


class PatchObjective(nn.Module):
    """A classifier; where outlines are known each token of a ViT is also taught what lies in it.

    That makes one patch worth hundreds of examples (after token labelling, Jiang et al. 2021), which a
    ViT without pre-training needs. The head of the tokens is left out of the finished model.
    """

    def __init__(self, network: PatchClassifier, codes: int, schedule: Schedule) -> None:
        super().__init__()
        self.network, self.codes, self.weight = network, codes, schedule.dense
        backbone: Any = network.body.backbone
        grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
        self.grid: tuple[int, int] | None = None
        if grid is not None and hasattr(backbone, "patch_drop"):
            self.grid = grid
            backbone.patch_drop = KeepTokens(schedule.keep_tokens, network.body.prefix)
            self.dense = nn.Linear(int(backbone.num_features), codes)

    def forward(self, pixels: Tensor, target: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch: normalised pixels (n, 3, h, w), target (n, c), labels (n, h, w)."""
        if self.grid is None:
            return soft_loss(self.network(pixels), target)
        body: Any = self.network.body
        tokens = body.backbone.forward_features(pixels)
        loss = soft_loss(self.network.head(body.pooled(tokens)), target)
        return loss + self.weight * self._of_tokens(tokens[:, body.prefix :], labels) if self.weight else loss

    def _of_tokens(self, tokens: Tensor, labels: Tensor) -> Tensor:
        rows, cols = self.grid or (1, 1)
        truth = _shares(labels, self.codes, (labels.shape[1] // rows, labels.shape[2] // cols))
        truth = truth.flatten(2).transpose(1, 2)
        kept = self.network.body.backbone.patch_drop.kept
        truth = truth if kept is None else truth[:, kept]
        found = self.dense(tokens).float().log_softmax(-1)
        return -(truth * found).sum() / truth.sum().clamp(min=1)


class PixelObjective(nn.Module):
    """The segmenter: MaskFormer's loss, and a plain one on the pixel decoder's features.

    Queries and pixels learn from each other only when both are of some use; the plain loss lets the
    pixels begin. Its head is left out of the finished model.
    """

    def __init__(self, network: Segmenter, codes: int, schedule: Schedule) -> None:
        super().__init__()
        self.network, self.codes, self.weight = network, codes, schedule.dense
        self.dense = nn.Conv2d(network.core.config.mask_feature_size, codes, 1)

    def forward(self, pixels: Tensor, target: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch: normalised pixels (n, 3, h, w), labels (n, h, w); the target is not needed."""
        seen: list[Tensor] = []

        def keep(module: nn.Module, given: Any, out: Any) -> None:
            seen.append(out.decoder_last_hidden_state)

        hook = self.network.core.model.pixel_level_module.register_forward_hook(keep)
        try:
            loss = self.network.loss(pixels, *self._masks(labels))
        finally:
            hook.remove()
        return loss + self.weight * self._of_pixels(seen[0], labels)

    def _masks(self, labels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """One mask per class present; unknown pixels count as background."""
        layers = _shares(labels, self.codes, (MASK_STRIDE, MASK_STRIDE))
        layers = torch.cat([1 - layers[:, 1:].sum(1, keepdim=True), layers[:, 1:]], 1)
        present = [torch.nonzero(image.amax((1, 2)) >= 0.5)[:, 0] for image in layers]
        return [image[classes] for image, classes in zip(layers, present, strict=True)], present

    def _of_pixels(self, features: Tensor, labels: Tensor) -> Tensor:
        stride = labels.shape[1] // features.shape[2]
        truth = labels[:, stride // 2 :: stride, stride // 2 :: stride].long()
        found = self.dense(features.float())
        return nn.functional.cross_entropy(found, truth, ignore_index=UNKNOWN)


def make_objective(network: nn.Module, codes: int, schedule: Schedule) -> PatchObjective | PixelObjective:
    """Return a network with the loss that fits it."""
    if isinstance(network, Segmenter):
        return PixelObjective(network, codes, schedule)
    return PatchObjective(network, codes, schedule)
