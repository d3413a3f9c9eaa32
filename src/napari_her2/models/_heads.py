"""Heads and what becomes of their outputs. Imports torch: only for modules that have it already."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["OrdinalHead", "OrdinalLogits", "probabilities_of"]


class OrdinalLogits(NamedTuple):
    """Outputs of an :class:`OrdinalHead` for n patches and k classes.

    Attributes
    ----------
    cumulative : Tensor of shape (n, k - 1)
        Logits of "the class is above j"; falling along j.
    classes : Tensor of shape (n, k)
        Logits of the classes themselves.
    """

    cumulative: Tensor
    classes: Tensor


class OrdinalHead(nn.Module):
    """A cumulative link beside a plain classifier.

    The link says P(y > j) = sigmoid(w·x + b_j) with one w for all thresholds (CORAL, Cao et al. 2020) and
    b_0 > b_1 > ... by construction, so that no class gets a negative probability.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.first = nn.Parameter(torch.tensor([classes / 2 - 1.0]))
        self.gaps = nn.Parameter(torch.full((classes - 2,), 0.5413))  # softplus of it is 1
        self.classes = nn.Linear(width, classes)

    @property
    def thresholds(self) -> Tensor:
        """Falling biases (k - 1,)."""
        steps = torch.cumsum(nn.functional.softplus(self.gaps), 0)
        return torch.cat([self.first, self.first - steps])

    def forward(self, features: Tensor) -> OrdinalLogits:
        """Map features (n, d) to both sets of logits."""
        return OrdinalLogits(self.score(features) + self.thresholds, self.classes(features))

    @staticmethod
    def loss(logits: OrdinalLogits, target: Tensor, link_weight: float = 1.0) -> Tensor:
        """Cross-entropy of the classifier plus that of the thresholds; target (n,) integer."""
        above = target[:, None] > torch.arange(logits.cumulative.shape[1], device=target.device)
        link = nn.functional.binary_cross_entropy_with_logits(logits.cumulative, above.float())
        return nn.functional.cross_entropy(logits.classes, target) + link_weight * link


def probabilities_of(logits: Tensor | OrdinalLogits) -> Tensor:
    """Float32 probabilities (n, c, ...) from logits; the mean of both parts of an ordinal head.

    One single logit is the probability of that one class (sigmoid).
    """
    if isinstance(logits, OrdinalLogits):
        return (_of_link(logits.cumulative) + logits.classes.float().softmax(1)) / 2
    logits = logits.float()
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def _of_link(cumulative: Tensor) -> Tensor:
    """P(y = j) = P(y > j - 1) - P(y > j)."""
    above = cumulative.float().sigmoid()
    ones, zeros = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    steps = torch.cat([ones, above], 1) - torch.cat([above, zeros], 1)
    return steps.clamp(min=0)
