"""A segmentation stitched row by row: bands of blended patches, given out as soon as they are whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.patches import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.models import ModelSpec
    from napari_her2.patches import PatchGrid

__all__ = ["Band", "Bands"]

RASTER_UM_PER_PX: Final = 0.5

Band = tuple[int, int, "NDArray[np.uint8]"]
"""(row, col) of its corner in raster pixels, and labels (rows, cols)."""


class Bands:
    """Patches of a segmentation blended row by row; a band is given out once no later patch reaches it.

    Only one row of patches is held at a time, however long the slide.

    Parameters
    ----------
    grid : PatchGrid
        Patches come row by row, as plans have them.
    spec : ModelSpec
        Its classes are the background and the scores.

    Attributes
    ----------
    shape : tuple of int
        (rows, cols) of the raster.
    um_per_px : float
        Of the raster.
    row : int
        Row of patches whose pixels are given out next; all before it are out.
    reach : int
        Rows of patches before it that still have a share in its pixels.
    """

    def __init__(self, grid: PatchGrid, spec: ModelSpec) -> None:
        self.grid, self._factor = grid, _pooling(grid)
        self._size, self._stride = grid.size_px // self._factor, grid.stride_px // self._factor
        self.um_per_px = grid.um_per_px * self._factor
        rows, cols = (math.ceil(n * grid.slide_um_per_px / self.um_per_px - 1e-6) for n in grid.slide_shape)
        self.shape = (max(rows, 1), max(cols, 1))
        width = (grid.shape[1] - 1) * self._stride + self._size
        self._sums = np.zeros((len(spec.classes), self._size, width), np.float32)
        self._weights = np.zeros((self._size, width), np.float32)
        self._window = window_of(self._size).astype(np.float32)
        self.row = 0
        self.reach = math.ceil(self._size / self._stride) - 1

    def begin(self, row: int) -> None:
        """Go on at a row of patches; what earlier ones gave is forgotten."""
        self._sums[...] = 0
        self._weights[...] = 0
        self.row = row

    def pooled(self, patch: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Probabilities (classes, size_px, size_px) as the raster has them: pooled, 0 to 255."""
        classes, rows, cols = patch.shape
        f = self._factor
        blocks = patch.reshape(classes, rows // f, f, cols // f, f)
        return np.rint(blocks.mean(axis=(2, 4)) * np.float32(255)).astype(np.uint8)

    def add(self, row: int, col: int, pooled: NDArray[np.uint8]) -> Iterator[Band]:
        """Blend in a pooled patch at (row, col) of the grid; rows that are whole come out first."""
        while self.row < row:
            yield from self._advance(self._stride)
        place = slice(col * self._stride, col * self._stride + self._size)
        self._sums[:, :, place] += pooled * self._window
        self._weights[:, place] += self._window

    def top(self, row: int) -> int:
        """Uppermost raster row of a row of patches."""
        return row * self._stride

    def rest(self) -> Iterator[Band]:
        """Give out what is left."""
        yield from self._advance(self._size)

    def _advance(self, rows: int) -> Iterator[Band]:
        """Give out the uppermost rows and move on by one row of patches."""
        top = self.row * self._stride
        used = np.flatnonzero(self._weights[:rows].any(axis=0))
        height = min(rows, self.shape[0] - top)
        if len(used) and height > 0:
            left, right = int(used[0]), min(int(used[-1]) + 1, self.shape[1])
            part = (slice(0, height), slice(left, right))
            labels = self._sums[(slice(None), *part)].argmax(axis=0).astype(np.uint8)
            yield top, left, np.where(self._weights[part] > 0, labels, np.uint8(0))
        for held in (self._sums, self._weights):
            held[..., : self._size - rows, :] = held[..., rows:, :]
            held[..., self._size - rows :, :] = 0
        self.row += 1


def _pooling(grid: PatchGrid) -> int:
    """Return how many model pixels one raster pixel has along its side: a divisor of size and stride."""
    wanted = max(int(RASTER_UM_PER_PX / grid.um_per_px + 1e-6), 1)
    common = math.gcd(grid.size_px, grid.stride_px)
    return max(f for f in range(1, wanted + 1) if common % f == 0)
