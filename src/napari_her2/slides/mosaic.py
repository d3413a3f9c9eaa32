"""Any box of any level from tiles: stored ones through the file, computed ones from the finer level."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_her2.geometry import Box
from napari_her2.slides.cache import TILES
from napari_her2.slides.levels import computed_grids, downsample_between, pyramid_indices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_her2.slides.source import Grid, Source

__all__ = ["Block", "Mosaic", "composite"]

_TOKENS = count()


class Block(NamedTuple):
    """Pixels of a box: ``rgb`` (h, w, 3) uint8; ``alpha`` (h, w) uint8, None where all is opaque."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None


class Mosaic:
    """The pyramid of one source, read by boxes through the shared cache.

    Attributes
    ----------
    grids : tuple of Grid
        One per level, strictly shrinking, the ``n_stored`` of the file first.
    downsamples : tuple of float
        Level-0 pixels per pixel of each level.
    """

    def __init__(self, source: Source) -> None:
        grids = source.facts.grids
        self._source = source
        self._indices = pyramid_indices([grid.shape for grid in grids])
        stored = tuple(grids[index] for index in self._indices)
        self.n_stored = len(stored)
        self.grids: tuple[Grid, ...] = stored + computed_grids(stored[-1].shape)
        self.downsamples = _downsamples(self.grids, self.n_stored)
        self._covered = tuple(_covered(self.grids, k, factor) for k, factor in enumerate(self.downsamples))
        self._token = next(_TOKENS)

    def block(self, box: Box, level: int) -> Block:
        """Pixels of a box of a level; what lies outside the slide is transparent.

        Where a level's size was rounded down, its last row or column is repeated once, so that no white
        line runs along the edge of the slide.

        Parameters
        ----------
        box : Box
            In the level's pixels; may reach beyond the level.
        level : int
            Index into ``grids``.
        """
        inside = box.intersect(Box.of_shape(self._covered[level]))
        if inside is None:
            shape = (box.height, box.width)
            return Block(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8))
        block = self._inside(inside, level)
        return block if inside == box else _surrounded(block, inside, box)

    def _inside(self, box: Box, level: int) -> Block:
        """Return a box that reaches at most one pixel beyond the stored size."""
        rows, cols = self.grids[level].shape
        row, col = min(box.row, rows - 1), min(box.col, cols - 1)
        stored = Box(row, col, max(min(box.row_stop, rows) - row, 1), max(min(box.col_stop, cols) - col, 1))
        block = self._stored(stored, level)
        if stored == box:
            return block
        missing = ((0, box.height - stored.height), (0, box.width - stored.width))
        alpha = None if block.alpha is None else np.pad(block.alpha, missing, mode="edge")
        return Block(np.pad(block.rgb, (*missing, (0, 0)), mode="edge"), alpha)

    def _stored(self, box: Box, level: int) -> Block:
        rgb = np.empty((box.height, box.width, 3), np.uint8)
        alpha: NDArray[np.uint8] | None = None
        for part, tile in self._tiles(box, level):
            where = part.shifted(-box.row, -box.col).slices
            rgb[where] = tile[..., :3]
            if tile.shape[2] == 4:
                alpha = np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else alpha
                alpha[where] = tile[..., 3]
        return Block(rgb, alpha)

    def _tiles(self, inside: Box, level: int) -> Iterator[tuple[Box, NDArray[np.uint8]]]:
        """Parts of a box that lies inside the level, each with its pixels."""
        height, width = self.grids[level].tile
        for row in range(inside.row // height, -(-inside.row_stop // height)):
            for col in range(inside.col // width, -(-inside.col_stop // width)):
                part = inside.intersect(Box(row * height, col * width, height, width))
                if part is not None:
                    tile = self._tile(level, row, col)
                    yield part, tile[part.shifted(-row * height, -col * width).slices]

    def _tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        return TILES.get((self._token, level, row, col), lambda: self._decode(level, row, col))

    def _decode(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        if level < self.n_stored:
            return _drop_opaque_alpha(self._source.tile(self._indices[level], row, col))
        return self._computed(level, row, col)

    def _computed(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Halve the matching box of the next finer level; an odd last row or column is repeated."""
        (height, width), (rows, cols) = self.grids[level].tile, self.grids[level - 1].shape
        wanted = Box(2 * row * height, 2 * col * width, 2 * height, 2 * width)
        inside = wanted.intersect(Box(0, 0, rows, cols))
        if inside is None:
            raise IndexError(f"level {level} has no tile ({row}, {col})")
        return _halved(self.block(inside, level - 1))

    def forget(self) -> None:
        """Drop this slide's tiles from the cache."""
        TILES.forget(self._token)


def _downsamples(grids: Sequence[Grid], n_stored: int) -> tuple[float, ...]:
    """Of the stored levels by their sizes, of the computed ones by halving."""
    factors = [downsample_between(grids[0].shape, grid.shape) for grid in grids[:n_stored]]
    return (*factors, *(factors[-1] * 2.0**k for k in range(1, len(grids) - n_stored + 1)))


def _covered(grids: Sequence[Grid], level: int, factor: float) -> tuple[int, int]:
    """Pixels of a level whose centre lies on the slide or its edge, at least those it stores."""
    (full_rows, full_cols), (rows, cols) = grids[0].shape, grids[level].shape
    return max(rows, math.floor(full_rows / factor + 0.5)), max(cols, math.floor(full_cols / factor + 0.5))


def _surrounded(block: Block, inside: Box, box: Box) -> Block:
    """Place a block within a larger, transparent one."""
    rgb, alpha = np.zeros((box.height, box.width, 3), np.uint8), np.zeros((box.height, box.width), np.uint8)
    where = inside.shifted(-box.row, -box.col).slices
    rgb[where] = block.rgb
    alpha[where] = 255 if block.alpha is None else block.alpha
    return Block(rgb, alpha)


def _drop_opaque_alpha(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep alpha only where it says something."""
    if tile.shape[2] == 4 and bool((tile[..., 3] == 255).all()):
        return np.ascontiguousarray(tile[..., :3])
    return tile


def _halved(block: Block) -> NDArray[np.uint8]:
    """Mean of 2 x 2 pixels, weighted by alpha."""
    if block.alpha is None:
        return _mean_2x2(block.rgb)
    weight = block.alpha[..., None].astype(np.float32) / 255
    mean_weight = _mean_2x2(weight)
    rgb = _mean_2x2(block.rgb * weight) / np.maximum(mean_weight, 1e-6)
    return np.concatenate([np.rint(rgb), np.rint(mean_weight * 255)], axis=2).astype(np.uint8)


def _mean_2x2(values: NDArray[Any]) -> NDArray[Any]:
    import cv2

    rows, cols = values.shape[:2]
    even = (
        np.pad(values, ((0, rows % 2), (0, cols % 2), (0, 0)), mode="edge") if (rows | cols) % 2 else values
    )
    small = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small).reshape(*small.shape[:2], values.shape[2])


def composite(block: Block, white: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a block over the slide's white.

    Parameters
    ----------
    block : Block
    white : ndarray of shape (3,), uint8

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
    """
    if block.alpha is None or block.alpha.min(initial=255) == 255:
        return block.rgb
    out = block.rgb.copy()
    out[block.alpha == 0] = white
    partial = (block.alpha > 0) & (block.alpha < 255)
    if partial.any():
        weight = block.alpha[partial, None].astype(np.float32) / 255
        out[partial] = np.rint(block.rgb[partial] * weight + white * (1 - weight))
    return out
