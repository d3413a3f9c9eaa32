"""Polygons painted into rasters: even-odd, so that holes stay free; pixel centres decide, exactly.

OpenCV's filling also takes the pixels that an outline touches, which makes every area too large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2.geometry import Box

__all__ = ["paint"]


def paint(rings: Sequence[NDArray[np.float64]], box: Box, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a raster over ``box`` lie inside the rings of one polygon.

    Parameters
    ----------
    rings : sequence of float64 ndarrays (n, 2)
        Outlines and holes, (row, col), in the units of ``box``.
    box : Box
    shape : tuple of int
        (rows, cols) of the raster.
    """
    rows, cols = shape
    if not len(rings):
        return np.zeros(shape, bool)
    scale = np.array([rows / box.height, cols / box.width])
    crossings = [_crossings((ring - (box.row, box.col)) * scale, rows) for ring in rings]
    row = np.concatenate([r for r, _ in crossings])
    at = np.concatenate([c for _, c in crossings])
    # From the first centre right of a crossing on, inside and outside change places.
    col = np.clip(np.ceil(at - 0.5), 0, cols).astype(np.intp)
    flips = np.zeros((rows, cols + 1), np.int32)
    np.add.at(flips, (row, col), 1)
    return np.asarray(np.cumsum(flips, axis=1)[:, :cols] % 2 == 1)


def _crossings(ring: NDArray[np.float64], rows: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the edges of a ring cross the lines of pixel centres: row index and place along the row."""
    begin, end = ring, np.roll(ring, -1, axis=0)
    upper, lower = np.minimum(begin[:, 0], end[:, 0]), np.maximum(begin[:, 0], end[:, 0])
    first = np.clip(np.ceil(upper - 0.5), 0, rows).astype(np.intp)
    last = np.clip(np.ceil(lower - 0.5), 0, rows).astype(np.intp)  # one past the end: each corner counts once
    n = last - first
    edge = np.repeat(np.arange(len(ring)), n)
    row = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + first[edge]
    share = (row + 0.5 - begin[edge, 0]) / (end[edge, 0] - begin[edge, 0])
    return row, begin[edge, 1] + share * (end[edge, 1] - begin[edge, 1])
