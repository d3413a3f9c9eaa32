"""Carcinoma in situ, as far as its outline tells: large, round nests with ground all about them.

An outline is weak evidence (a solid invasive nest can be round, and in situ carcinoma irregular), so the
result is a hint for the person who edits the tumour area and no exclusion by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["in_situ_probability"]

_SMALLEST_RADIUS_UM: Final = 35.0
_RAYS: Final = 48
_REACH: Final = 1.45
"""A round nest ends in nearly every direction within this many radii of its inscribed circle."""
_SURE: Final = 0.9
_HALF: Final = 0.8


def in_situ_probability(
    probability: NDArray[np.float32], um_per_px: float, *, threshold: float = 0.5
) -> NDArray[np.float32]:
    """Estimate which nests lie in ducts.

    Parameters
    ----------
    probability : float32 ndarray of shape (rows, cols)
        Of tumour.
    um_per_px : float
        Of a raster pixel.
    threshold : float
        Where tumour begins.

    Returns
    -------
    float32 ndarray of shape (rows, cols)
        0..1, 0 outside round nests.
    """
    import cv2

    region = probability >= threshold
    found = np.zeros(region.shape, np.float32)
    if not region.any():
        return found
    deep = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    for row, col in _centres(deep, _SMALLEST_RADIUS_UM / um_per_px):
        radius = float(deep[row, col])
        ends = _ray_lengths(region, (row, col), radius * _REACH)
        closed = float(np.mean(ends < radius * _REACH))
        value = float(np.clip(0.5 + 0.5 * (closed - _HALF) / (_SURE - _HALF), 0, 1))
        _fill(found, (row, col), ends, value)
    return np.where(region, found, np.float32(0))


def _centres(deep: NDArray[np.float32], smallest_px: float) -> list[tuple[int, int]]:
    """Deepest places, deepest first, none inside the circle of a deeper one."""
    import cv2

    peaks = (deep >= cv2.dilate(deep, np.ones((3, 3), np.uint8))) & (deep >= smallest_px)
    places = np.argwhere(peaks)
    order = np.argsort(-deep[peaks], kind="stable")
    kept: list[tuple[int, int]] = []
    for row, col in places[order].tolist():
        if all(np.hypot(row - r, col - c) > 0.8 * deep[r, c] for r, c in kept):
            kept.append((row, col))
    return kept


def _ray_lengths(region: NDArray[np.bool_], centre: tuple[int, int], reach_px: float) -> NDArray[np.float64]:
    """How far the region goes from its centre in each direction, ``reach_px`` at most."""
    angles = np.arange(_RAYS) * 2 * np.pi / _RAYS
    steps = np.arange(1, int(np.ceil(reach_px)) + 1)
    rows = np.rint(centre[0] + np.sin(angles)[:, None] * steps).astype(int)
    cols = np.rint(centre[1] + np.cos(angles)[:, None] * steps).astype(int)
    inside = (rows >= 0) & (cols >= 0) & (rows < region.shape[0]) & (cols < region.shape[1])
    held = np.zeros(rows.shape, np.bool_)
    held[inside] = region[rows[inside], cols[inside]]
    first_out = np.where(held.all(axis=1), len(steps), held.argmin(axis=1))
    return np.minimum(first_out.astype(np.float64), reach_px)


def _fill(
    canvas: NDArray[np.float32], centre: tuple[int, int], ends: NDArray[np.float64], value: float
) -> None:
    """Raise the star-shaped area of the rays to ``value``."""
    import cv2

    angles = np.arange(_RAYS) * 2 * np.pi / _RAYS
    corners = np.column_stack([centre[1] + np.cos(angles) * ends, centre[0] + np.sin(angles) * ends])
    star = np.zeros(canvas.shape, np.uint8)
    cv2.fillPoly(star, [np.rint(corners).astype(np.int32)], 1)
    np.maximum(canvas, value * star, out=canvas)
