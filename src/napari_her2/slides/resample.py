"""Area resampling with edges between pixels: alignment exact to a fraction of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["resample"]

BLOCK_PX = 2048  # side of the source held at once
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
    rows, cols = (max(int(BLOCK_PX / max(size, 1.0)), 1) for size in step)
    for row in range(0, shape[0], rows):
        for col in range(0, shape[1], cols):
            corner = (start[0] + row * step[0], start[1] + col * step[1])
            part = (min(rows, shape[0] - row), min(cols, shape[1] - col))
            out[row : row + part[0], col : col + part[1]] = _block(read, corner, step, part)
    return out


def _block(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    whole = _whole_box(start, step, shape)
    if whole is not None and min(step) >= 1 - SAME_EDGE:
        return _shrink(read(whole), shape)
    if min(step) < 1 + SAME_EDGE:
        return _interpolated(read, start, step, shape)
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


def _interpolated(
    read: Callable[[Box], NDArray[np.uint8]],
    start: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Interpolate linearly between pixel centres; for footprints of one pixel that is their area mean."""
    import cv2

    box = _cover(start, step, shape, margin=1)
    # cv2 counts from the centre of the first pixel, in (x, y).
    shift = [start[axis] + 0.5 * step[axis] - origin - 0.5 for axis, origin in enumerate((box.row, box.col))]
    matrix = np.array([[step[1], 0, shift[1]], [0, step[0], shift[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(read(box), matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved)


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
    import cv2

    box = _cover(start, step, shape, margin=0)
    tall = _means(read(box), start[0] - box.row, step[0], shape[0])
    wide = _means(np.asarray(cv2.transpose(tall)), start[1] - box.col, step[1], shape[1])
    return np.rint(np.asarray(cv2.transpose(wide))).astype(np.uint8)


def _means(values: NDArray[Any], start: float, step: float, n: int) -> NDArray[np.float32]:
    """Mean of ``values`` (rows, cols, 3) along the rows over n footprints, each pixel by its share."""
    low = start + step * np.arange(n)
    first = np.floor(low).astype(np.intp)
    flat = values.reshape(len(values), -1)
    sums = np.zeros((n, flat.shape[1]), np.float32)
    for cell in first + np.arange(math.ceil(step) + 1)[:, None]:
        share = np.clip(np.minimum(low + step, cell + 1) - np.maximum(low, cell), 0, None) / step
        sums += flat[np.clip(cell, 0, len(flat) - 1)] * share.astype(np.float32)[:, None]
    return sums.reshape(n, *values.shape[1:])
