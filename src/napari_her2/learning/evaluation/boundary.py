"""How well outlines agree: boundary F1 at a tolerance, which areas hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "boundary_counts", "boundary_f1", "outline"]


UNKNOWN: Final = 255
"""Code of truth that nobody knows."""


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask beside a pixel outside it (4 neighbours); the picture's edge is no outline."""
    wide = np.pad(mask, 1, mode="edge")
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return mask & ~inner


def boundary_counts(
    truth: NDArray[Any], predicted: NDArray[Any], classes: int, tolerance_px: float
) -> NDArray[np.int64]:
    """Count outline pixels and those that the other outline comes near to.

    Parameters
    ----------
    truth, predicted : ndarray of shape (rows, cols)
        Codes 0..classes-1; 255 in the truth is unknown, and outlines near to it are left out.
    classes : int
    tolerance_px : float
        Between centres of pixels; it counts as near.

    Returns
    -------
    ndarray of shape (classes, 4), int64
        Predicted outline near the truth, predicted outline, true outline near the prediction, true outline.
    """
    counts, sure = np.zeros((classes, 4), np.int64), _far_from_unknown(truth, tolerance_px)
    for k in range(classes):
        found, true = outline(predicted == k) & sure, outline(truth == k) & sure
        counts[k] = (
            _near(found, true, tolerance_px),
            found.sum(),
            _near(true, found, tolerance_px),
            true.sum(),
        )
    return counts


def _far_from_unknown(truth: NDArray[Any], tolerance_px: float) -> NDArray[np.bool_]:
    from scipy import ndimage

    known = truth != UNKNOWN
    if known.all():
        return np.asarray(known)
    return np.asarray(ndimage.distance_transform_edt(known) > tolerance_px + 1)


def _near(line: NDArray[np.bool_], other: NDArray[np.bool_], tolerance_px: float) -> int:
    from scipy import ndimage

    if not line.any() or not other.any():
        return 0
    return int((ndimage.distance_transform_edt(~other)[line] <= tolerance_px).sum())


def boundary_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of outlines, from counts (..., 4): (...).

    NaN where neither has an outline, 0 where only one has.
    """
    near, found, met, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    precision, recall = near / np.maximum(found, 1), met / np.maximum(true, 1)
    both = precision + recall
    value = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return np.where(found + true > 0, value, np.nan)
