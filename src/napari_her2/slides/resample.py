"""Area resampling with edges between pixels: alignment exact to a fraction of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["resample"]

BAND_PX = 4 * 2**20  # source pixels held at once
SAME_EDGE = 1e-3  # of a source pixel: edges nearer to whole pixels count as whole


def resample(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Resample a source to ``shape``: output pixel (i, j) is the mean over its own footprint.

    Footprints are ``[start + i·step, start + (i + 1)·step)`` per axis, in source pixels, corner-based;
    edges may fall between pixels. Where the output is finer than the source it is interpolated linearly.

    Parameters
    ----------
    read : callable
        Gives any box of the source as (h, w, 3) uint8.
    start, step : tuple of float
        Upper left corner and footprint of a pixel, (rows, cols), in source pixels.
    shape : tuple of int
        (rows, cols) of the result.
    """
    out = np.empty((*shape, 3), np.uint8)
    width_px = max(step[1] * shape[1], 1.0)
    rows_at_once = max(int(BAND_PX / (width_px * max(step[0], 1.0))), 1)
    for row in range(0, shape[0], rows_at_once):
        rows = min(rows_at_once, shape[0] - row)
        corner = (start[0] + row * step[0], start[1])
        out[row : row + rows] = _band(read, corner, step, (rows, shape[1]))
    return out


def _band(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    whole = _whole_box(start, step, shape)
    if whole is not None and min(step) >= 1 - SAME_EDGE:
        return _shrink(read(whole), shape)
    if min(step) < 1 - SAME_EDGE:
        return _enlarge(read, start, step, shape)
    return _exact(read, start, step, shape)


def _whole_box(start: tuple[float, float], step: tuple[float, float], shape: tuple[int, int]) -> Box | None:
    """Return the source box where all its edges lie on pixel edges."""
    stop = (start[0] + step[0] * shape[0], start[1] + step[1] * shape[1])
    edges = (*start, *stop)
    if any(abs(edge - round(edge)) > SAME_EDGE for edge in edges):
        return None
    row, col, row_stop, col_stop = (round(edge) for edge in edges)
    return Box(row, col, row_stop - row, col_stop - col)


def _shrink(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    if pixels.shape[:2] == shape:
        return pixels
    import cv2

    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA))


def _enlarge(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Interpolate linearly between pixel centres."""
    import cv2

    box = _cover(start, step, shape, margin=1)
    # Centre of output pixel j in the box, in cv2's coordinates (pixel centres are whole numbers).
    rows, cols = (
        (start[axis] + (np.arange(shape[axis]) + 0.5) * step[axis] - origin - 0.5).astype(np.float32)
        for axis, origin in enumerate((box.row, box.col))
    )
    grid_col, grid_row = np.meshgrid(cols, rows)
    pixels = read(box)
    return np.asarray(
        cv2.remap(pixels, grid_col, grid_row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _cover(start: tuple[float, float], step: tuple[float, float], shape: tuple[int, int], margin: int) -> Box:
    """Smallest whole box over the footprints, grown by ``margin``."""
    row, col = (math.floor(value + SAME_EDGE) for value in start)
    row_stop, col_stop = (math.ceil(start[a] + step[a] * shape[a] - SAME_EDGE) for a in (0, 1))
    return Box(row, col, max(row_stop - row, 1), max(col_stop - col, 1)).padded(margin)


def _exact(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Mean over fractional footprints, one axis after the other."""
    box = _cover(start, step, shape, margin=0)
    pixels = read(box)
    tall = _means(pixels, start[0] - box.row, step[0], shape[0])
    wide = _means(np.swapaxes(tall, 0, 1), start[1] - box.col, step[1], shape[1])
    return np.rint(np.swapaxes(wide, 0, 1)).astype(np.uint8)


def _means(values: NDArray[np.uint8 | np.float32], start: float, step: float, n: int) -> NDArray[np.float32]:
    """Mean of ``values`` along axis 0 over n footprints; fractional ends count by their share."""
    edges = np.clip(start + step * np.arange(n + 1), 0, values.shape[0])
    whole = np.minimum(np.floor(edges + 1e-9).astype(np.intp), values.shape[0] - 1)
    part = (edges - whole).astype(np.float32)[:, None, None]
    at_edge = values[whole].astype(np.float32) * part  # share of the pixel that an edge cuts
    sums = np.add.reduceat(values, whole[:-1], axis=0, dtype=np.float32)
    same = whole[:-1] == whole[1:]  # reduceat gives the pixel itself for an empty span
    sums[same] = 0
    last = whole[-1]  # reduceat runs the last span to the end of the array
    sums[-1] = values[whole[-2] : last].sum(axis=0, dtype=np.float32)
    return np.asarray((sums + at_edge[1:] - at_edge[:-1]) / np.float32(step), np.float32)
