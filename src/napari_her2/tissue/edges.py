"""Coverslip edges, scan borders and grey shadows: what is dark or grey but was never stained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.tissue.evidence import box_mean, grown, keep_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.tissue.evidence import Evidence

    Mask = NDArray[np.bool_]

__all__ = ["find_edges", "glass_colour", "unlit", "unscanned"]

_LENGTH_UM: Final = 1500.0
"""An edge runs straight for at least this long (or across most of a small picture)."""
_AROUND_UM: Final = 800.0
"""A line is darker than its neighbourhood of this size."""
_SIDE_UM: Final = 100.0
_SMALL_UM: Final = 4000.0
"""Smaller pictures show no border of the glass."""
_BEYOND_UM: Final = 3000.0
"""The edge of the glass is nearer than this to the side of the picture."""
_MOST_OF_SIDE: Final = 0.7
_DIRECTIONS: Final = 24
_LONGEST_KERNEL_PX: Final = 41


def unlit(rgb: NDArray[np.uint8], *, brightest: int = 10) -> Mask:
    """Where the scanner recorded nothing: black and without any structure.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    brightest : int
        Highest value of black.

    Returns
    -------
    bool ndarray of shape (rows, cols)
    """
    import cv2

    top = rgb.max(axis=2)
    flat = cv2.morphologyEx(top, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) <= 4
    dark = top <= brightest
    return grown(keep_large(dark & flat, 64), dark)


def unscanned(rgb: NDArray[np.uint8]) -> Mask:
    """Where the file was padded: pure white without any noise, over larger areas."""
    pure = rgb.min(axis=2) == 255
    if np.count_nonzero(pure) < 64:
        return np.zeros_like(pure)
    import cv2

    flat = cv2.erode(pure.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return grown(keep_large(flat, 64), pure)


def glass_colour(
    rgb: NDArray[np.uint8], blank: Mask, white: tuple[float, float, float]
) -> tuple[float, float, float]:
    """White of the glass where padding was mistaken for it: the commonest bright grey of what was scanned."""
    if min(white) < 254 or not blank.any():
        return white
    bright = (~blank) & (rgb.min(axis=2) >= 215) & (np.ptp(rgb, axis=2) <= 12)
    if np.count_nonzero(bright) < 0.005 * blank.size:
        return white
    peaks = [int(np.bincount(rgb[..., i][bright], minlength=256).argmax()) for i in range(3)]
    return float(peaks[0]), float(peaks[1]), float(peaks[2])


def find_edges(seen: Evidence) -> Mask:
    """Find long thin grey lines (coverslip, cracks) and grey bands along the picture's border.

    Parameters
    ----------
    seen : Evidence

    Returns
    -------
    bool ndarray of shape (rows, cols)
    """
    grey = (seen.dense > 0.09) & (seen.chroma < 0.09 * seen.total + 0.01)
    window = min(seen.pixels(_AROUND_UM, 9), min(grey.shape) // 2) | 1
    contrast = grey & (seen.dense > 2.0 * box_mean(seen.dense, window) + 0.05)
    lines = _widened(_lines(contrast, seen), grey, seen)
    return lines | _beyond(lines, seen) | _bands(grey, seen)


def _beyond(lines: Mask, seen: Evidence) -> Mask:
    """Find what lies between a side of the picture and a line along most of it, the edge of the glass."""
    found = np.zeros_like(lines)
    if min(lines.shape) < seen.pixels(_SMALL_UM):
        return found
    for k in range(4):
        side = np.rot90(lines, k)[: seen.pixels(_BEYOND_UM)]
        there = side.any(axis=0)
        if there.mean() > _MOST_OF_SIDE:
            deepest = len(side) - 1 - side[::-1].argmax(axis=0)
            usual = float(np.median(deepest[there]))
            depth = np.where(there, np.minimum(deepest, usual + seen.pixels(_SIDE_UM)), usual)
            outside = np.zeros_like(lines if k % 2 == 0 else lines.T)
            outside[: len(side)] = np.arange(len(side))[:, None] <= depth
            found |= np.rot90(outside, -k)
    return found


def _widened(lines: Mask, grey: Mask, seen: Evidence) -> Mask:
    """Add the grey on both sides of the lines."""
    if not lines.any():
        return lines
    return lines | (grey & (_distance(~lines) <= seen.pixels(_SIDE_UM)))


def _distance(mask: Mask) -> NDArray[np.float32]:
    import cv2

    far: NDArray[np.float32] = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return far


def _lines(thin: Mask, seen: Evidence) -> Mask:
    """Thin grey that runs straight for long; looked for on a coarser raster."""
    import cv2

    length = min(seen.pixels(_LENGTH_UM, 12), int(0.7 * min(thin.shape)))
    factor = max(-(-length // _LONGEST_KERNEL_PX), 1)
    small = _pooled(thin, factor)
    found = np.zeros_like(small)
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        found |= cv2.morphologyEx(small, cv2.MORPH_OPEN, _line_kernel(max(length // factor, 5), angle))
    near = cv2.dilate(found, np.ones((3, 3), np.uint8))
    wide = np.repeat(np.repeat(near, factor, axis=0), factor, axis=1)[: thin.shape[0], : thin.shape[1]]
    return thin & (wide > 0)


def _pooled(mask: Mask, factor: int) -> NDArray[np.uint8]:
    """Largest value in each block of ``factor`` pixels."""
    rows, cols = (-(-n // factor) * factor for n in mask.shape)
    full = np.zeros((rows, cols), np.uint8)
    full[: mask.shape[0], : mask.shape[1]] = mask
    pooled: NDArray[np.uint8] = full.reshape(rows // factor, factor, cols // factor, factor).max(axis=(1, 3))
    return pooled


def _line_kernel(length: int, angle: float) -> NDArray[np.uint8]:
    import cv2

    size = length | 1
    half = size // 2
    end = (round(half * float(np.cos(angle))), round(half * float(np.sin(angle))))
    kernel = np.zeros((size, size), np.uint8)
    cv2.line(kernel, (half - end[0], half - end[1]), (half + end[0], half + end[1]), 1)
    return kernel


def _bands(grey: Mask, seen: Evidence) -> Mask:
    """Smooth grey that lies along more than half of one side of the picture, no deeper than 3 mm."""
    smooth = grey & (seen.texture < 0.15 * seen.dense + 0.01)
    depth = seen.pixels(3000.0, 4)
    found = np.zeros_like(grey)
    if min(grey.shape) < seen.pixels(_SMALL_UM):
        return found
    for k in range(4):
        side = np.rot90(smooth, k)
        if side[: min(4, len(side))].any(axis=0).mean() > 0.5 and depth < len(side) // 2:
            near = np.zeros_like(side)
            near[:depth] = side[:depth]
            first = np.zeros_like(side)
            first[:4] = near[:4]
            found |= np.rot90(grown(first, near), -k)
    return found
