"""Whether two pieces of tissue are sections of the same block, judged by their outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["alike", "overlap_when_aligned"]

_SIDE: Final = 96
_STEP_DEG: Final = 6
_AREA_RATIO: Final = 0.8
_LEAST_OVERLAP: Final = 0.8
_ROUGH_OVERLAP: Final = 0.85
_TELLING: Final = 0.06
"""An outline that is nearly an oval tells nothing."""
_LESS_THAN_OVAL: Final = 0.6
"""Their mismatch must be well below that with an oval: round cores of different patients are no copies."""


def alike(first: Mask, second: Mask, *, strict: bool = True) -> bool:
    """Whether two outlines match, turned and shifted.

    Parameters
    ----------
    first, second : bool ndarray
        Cut-outs on the same raster (equal µm/px), of any shape.
    strict : bool
        Whether they must match each other far better than either matches an oval.

    Returns
    -------
    bool
    """
    areas = sorted((int(first.sum()), int(second.sum())))
    if areas[0] < 16 or areas[0] < _AREA_RATIO * areas[1]:
        return False
    scale = 0.45 * _SIDE / max(_reach(first), _reach(second))
    a, b = _placed(first, scale, 0.0), _placed(second, scale, 0.0)
    overlap = overlap_when_aligned(a, second, scale)
    if not strict:
        return overlap >= _ROUGH_OVERLAP
    plain = max(_iou(a, _oval(a)), _iou(b, _oval(b)))
    telling = 1 - plain >= _TELLING and 1 - overlap <= _LESS_THAN_OVAL * (1 - plain)
    return overlap >= _LEAST_OVERLAP and telling


def overlap_when_aligned(placed: Mask, other: Mask, scale: float) -> float:
    """Best intersection over union of a placed shape with another in any rotation (not mirrored)."""
    angles = np.arange(0, 360, _STEP_DEG)
    values = [_iou(placed, _placed(other, scale, float(angle))) for angle in angles]
    best = float(angles[int(np.argmax(values))])
    fine = [best + d for d in (-4.0, -2.0, 0.0, 2.0, 4.0)]
    return max(_iou(placed, _placed(other, scale, angle)) for angle in fine)


def _reach(mask: Mask) -> float:
    """Largest distance from the centroid."""
    places = np.argwhere(mask)
    return float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()) + 1.0


def _placed(mask: Mask, scale: float, degrees: float) -> Mask:
    """Shape scaled and turned about its centroid in a square canvas."""
    import cv2

    row, col = np.argwhere(mask).mean(axis=0)
    matrix = cv2.getRotationMatrix2D((float(col), float(row)), degrees, scale)
    matrix[:, 2] += _SIDE / 2 - np.array([col, row])
    soft = cv2.warpAffine(mask.astype(np.float32), matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
    placed: Mask = soft >= 0.5
    return placed


def _oval(mask: Mask) -> Mask:
    """Ellipse of the same second moments."""
    places = np.argwhere(mask).astype(np.float64)
    centre = places.mean(axis=0)
    spread = np.cov((places - centre).T) + np.eye(2) / 12
    grid = np.moveaxis(np.indices(mask.shape).astype(np.float64), 0, -1) - centre
    inside: Mask = np.einsum("...i,ij,...j->...", grid, np.linalg.inv(spread), grid) <= 4.0
    return inside


def _iou(a: Mask, b: Mask) -> float:
    union = int(np.count_nonzero(a | b))
    return float(np.count_nonzero(a & b)) / union if union else 0.0
