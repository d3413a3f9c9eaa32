"""What can be seen of patches at low power, for little reading and no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.stain import H_E, optical_density, unmix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.patches import PatchGrid
    from napari_her2.slides import Slide

__all__ = ["cheap_features", "raster_features"]

FINE_UM: Final = 4.0
BLOCK: Final = 4
"""Pixels of 4 µm along a block of 16 µm, over which stains are averaged."""
STRIP_BLOCKS: Final = 64
SCALE: Final = 0.25
"""Stain amounts are scaled so that means stay below 1, to which the grid bounds them."""


def cheap_features(slide: Slide, grid: PatchGrid, cells: NDArray[np.int64]) -> NDArray[np.float32]:
    """Means and spreads of the two stains of an H&E, over patches and their surroundings.

    The slide is read once at 4 µm/px, strip by strip. Channels are haematoxylin, eosin, the spread of
    haematoxylin within blocks of 16 µm (nuclei make it rough) and its excess over eosin.

    Parameters
    ----------
    slide : Slide
    grid : PatchGrid
    cells : ndarray of shape (n, 2), int64

    Returns
    -------
    float32 ndarray of shape (n, 12)

    Raises
    ------
    SlideError
        If a tile cannot be read.
    """
    from scipy import ndimage

    blocks = _blocks(slide)
    level0_px = FINE_UM * BLOCK / slide.um_per_px
    at = cells[:, 0] * grid.shape[1] + cells[:, 1]
    around = max(round(grid.size_um / (FINE_UM * BLOCK)), 1)
    columns = []
    for channel in blocks:
        mean = grid.mean_of(channel, level0_px)[at]
        square = grid.mean_of(channel**2, level0_px)[at]
        wide = ndimage.uniform_filter(channel, 2 * around + 1, mode="nearest")
        columns += [mean, np.sqrt(np.maximum(square - mean**2, 0)), grid.mean_of(wide, level0_px)[at]]
    return np.column_stack(columns).astype(np.float32)


def raster_features(
    grid: PatchGrid, cells: NDArray[np.int64], raster: NDArray[np.float32], level0_px: float
) -> NDArray[np.float32]:
    """Mean and spread of another estimate over patches, and its mean over their surroundings.

    Parameters
    ----------
    grid : PatchGrid
    cells : ndarray of shape (n, 2), int64
    raster : ndarray of shape (rows, cols), float32
        0 to 1.
    level0_px : float
        Level-0 pixels along the side of a raster pixel.

    Returns
    -------
    float32 ndarray of shape (n, 3)
    """
    from scipy import ndimage

    at = cells[:, 0] * grid.shape[1] + cells[:, 1]
    around = 2 * max(round(grid.side_px / level0_px), 1) + 1
    mean, square = grid.mean_of(raster, level0_px)[at], grid.mean_of(raster**2, level0_px)[at]
    wide = grid.mean_of(ndimage.uniform_filter(raster, around, mode="nearest"), level0_px)[at]
    return np.column_stack([mean, np.sqrt(np.maximum(square - mean**2, 0)), wide]).astype(np.float32)


def _blocks(slide: Slide) -> NDArray[np.float32]:
    """Stains by block of 16 µm: (4, rows, cols)."""
    side = FINE_UM * BLOCK / slide.um_per_px
    rows, cols = (max(int(n // side), 1) for n in slide.shape)
    out = np.zeros((4, rows, cols), np.float32)
    for top in range(0, rows, STRIP_BLOCKS):
        n = min(STRIP_BLOCKS, rows - top)
        start, stop = round(top * side), round((top + n) * side)
        pixels = slide.read_at(Box(start, 0, stop - start, round(cols * side)), FINE_UM)
        out[:, top : top + n] = _of_strip(pixels, slide.white, (n, cols))
    return out


def _of_strip(
    pixels: NDArray[np.uint8], white: tuple[float, float, float], shape: tuple[int, int]
) -> NDArray[np.float32]:
    import cv2

    rows, cols = shape[0] * BLOCK, shape[1] * BLOCK
    if pixels.shape[:2] != (rows, cols):  # sizes in pixels are rounded
        pixels = np.asarray(cv2.resize(pixels, (cols, rows), interpolation=cv2.INTER_AREA))
    amounts = np.maximum(unmix(optical_density(pixels, white), H_E), 0)[..., :2] * np.float32(SCALE)
    parts = amounts.reshape(shape[0], BLOCK, shape[1], BLOCK, 2)
    mean, spread = parts.mean(axis=(1, 3)), parts[..., 0].std(axis=(1, 3))
    excess = np.maximum(mean[..., 0] - mean[..., 1], 0)
    return np.stack([mean[..., 0], mean[..., 1], spread, excess]).astype(np.float32)
