"""Levels as dask arrays that read through the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from napari_her2.geometry import Box

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_her2.slides.levels import Level
    from napari_her2.slides.slide import Slide
    from napari_her2.slides.source import Grid

__all__ = ["chunk_px", "lazy_level"]

MIN_CHUNK_PX, MAX_CHUNK_PX = 512, 1024


class _LevelArray:
    """What dask needs of an array: shape, dtype and slicing."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: Slide, level: Level) -> None:
        self._slide, self._index = slide, level.index
        self.shape = (*level.shape, 3)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        (top, bottom, _), (left, right, _) = (
            part.indices(size) for part, size in zip(key[:2], self.shape[:2], strict=True)
        )
        if bottom <= top or right <= left:
            return np.empty((max(bottom - top, 0), max(right - left, 0), 3), np.uint8)[..., key[2]]
        return self._slide.read_level(Box(top, left, bottom - top, right - left), self._index)[..., key[2]]


def chunk_px(tile: int) -> int:
    """Side of a chunk: whole tiles, at least 512 px, at most 1024 px unless one tile is larger.

    Parameters
    ----------
    tile : int
        Side of a stored tile.
    """
    if tile >= MAX_CHUNK_PX:
        return tile if tile <= 2 * MAX_CHUNK_PX else MAX_CHUNK_PX
    return tile * max(1, -(-MIN_CHUNK_PX // tile))


def lazy_level(slide: Slide, level: Level, grid: Grid) -> da.Array:
    """Return a level as a (rows, cols, 3) uint8 dask array, in chunks of whole tiles.

    Its name is new each time, so that no cache of dask's can mix up two slides.
    """
    import dask.array as da

    chunks = (chunk_px(grid.tile[0]), chunk_px(grid.tile[1]), 3)
    name = f"slide-level-{level.index}-{uuid4().hex}"
    return da.from_array(_LevelArray(slide, level), chunks=chunks, name=name, asarray=False)
