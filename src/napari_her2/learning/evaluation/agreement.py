"""Figures of a confusion matrix C[i, j] (truth i, prediction j); all take a stack (..., K, K) of them.

Undefined is NaN, never 0: a class without a sample has no sensitivity.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "confusion",
    "dice",
    "f1",
    "iou",
    "negative_value",
    "positive_value",
    "sensitivity",
    "share",
    "specificity",
    "weighted_kappa",
    "within_one",
]

Counts = NDArray[Any]
Stack = NDArray[np.float64]


def confusion(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Count pairs of codes 0..classes-1: (classes, classes), rows are the truth."""
    flat = np.asarray(truth, np.int64).ravel() * classes + np.asarray(predicted, np.int64).ravel()
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def share(part: Counts, whole: Counts) -> Stack:
    """Part of the whole; NaN where there is none."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)


def _hits(c: Counts) -> Counts:
    return np.diagonal(c, axis1=-2, axis2=-1)


def accuracy(c: Counts) -> Stack:
    """Share of samples that are right."""
    return share(_hits(c).sum(-1), c.sum((-2, -1)))


def sensitivity(c: Counts) -> Stack:
    """TP / (TP + FN) of each class: (..., K)."""
    return share(_hits(c), c.sum(-1))


def specificity(c: Counts) -> Stack:
    """TN / (TN + FP) of each class against the rest: (..., K)."""
    total = c.sum((-2, -1))[..., None]
    others = total - c.sum(-1)
    return share(others - (c.sum(-2) - _hits(c)), others)


def positive_value(c: Counts) -> Stack:
    """TP / (TP + FP) of each class (precision): (..., K)."""
    return share(_hits(c), c.sum(-2))


def negative_value(c: Counts) -> Stack:
    """TN / (TN + FN) of each class: (..., K)."""
    total, called = c.sum((-2, -1))[..., None], c.sum(-2)
    missed = c.sum(-1) - _hits(c)
    return share(total - called - missed, total - called)


def f1(c: Counts) -> Stack:
    """2 TP / (2 TP + FP + FN) of each class, for samples; the same as :func:`dice` for pixels."""
    return share(2 * _hits(c), c.sum(-1) + c.sum(-2))


dice = f1


def iou(c: Counts) -> Stack:
    """TP / (TP + FP + FN) of each class: (..., K); NaN where it is in neither truth nor prediction."""
    return share(_hits(c), c.sum(-1) + c.sum(-2) - _hits(c))


def balanced_accuracy(c: Counts) -> Stack:
    """Mean sensitivity over the classes that occur."""
    found = sensitivity(c)
    there = np.isfinite(found)
    return share(np.where(there, found, 0).sum(-1), there.sum(-1).astype(np.float64))


def within_one(c: Counts) -> Stack:
    """Share of samples at most one class away, for ordered classes."""
    k = np.arange(c.shape[-1])
    near = np.abs(k[:, None] - k) <= 1
    return share((c * near).sum((-2, -1)), c.sum((-2, -1)))


def weighted_kappa(c: Counts, weights: Literal["linear", "quadratic"] = "quadratic") -> Stack:
    """Cohen's kappa, 1 - Σ w C / Σ w E with E from the margins (Cohen 1968).

    w is |i - j| or (i - j)² over their largest value; NaN where all samples lie in one class.
    """
    k = np.arange(c.shape[-1], dtype=np.float64)
    away = np.abs(k[:, None] - k) / max(len(k) - 1, 1)
    w = away if weights == "linear" else away**2
    total = c.sum((-2, -1))
    by_chance = (c.sum(-1)[..., :, None] * c.sum(-2)[..., None, :] * w).sum((-2, -1))
    return 1 - share((c * w).sum((-2, -1)) * total, by_chance)
