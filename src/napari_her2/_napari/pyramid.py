"""A pyramid that never makes the window wait.

napari slices its layers on the window's thread. The levels given to it here answer at once: tiles
that are decoded are shown, tiles that are not are drawn from a coarser level (or in the slide's
white) and put on the list of the :class:`~napari_her2._napari.tiles.TileLoader`. When they arrive
the layer is refreshed. Anybody else who indexes a level (another plugin, the console, a test) gets
the true pixels and waits for them.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.tiles import TileKey
from napari_her2.errors import SlideError
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from numpy.typing import NDArray

    from napari_her2._napari.sources import PixelSource
    from napari_her2._napari.tiles import TileLoader

__all__ = ["LazyLevel", "TilePyramid", "ViewLevel", "view_levels"]

TILE_PX = 512
OVERVIEW_PX = 1024
"""Levels are added until the coarsest one is at most this long."""

GAP = 2.8
"""Neighbouring levels further apart than this get a level between them: napari uploads up to the
square of the gap more pixels than the screen has."""


@dataclass(frozen=True, slots=True)
class ViewLevel:
    """A level on the screen; ``native`` is the file's level, None where it is halved from the finer one."""

    shape: tuple[int, int]
    native: int | None


def _halved(shape: tuple[int, int]) -> tuple[int, int]:
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def view_levels(shapes: tuple[tuple[int, int], ...]) -> tuple[ViewLevel, ...]:
    """Levels to show of a file's levels (finest first): gaps filled, levels that do not shrink left out."""
    levels = [ViewLevel(shapes[0], 0)]
    for index, shape in enumerate(shapes[1:], start=1):
        if max(shape) / max(levels[-1].shape) > 0.75 or min(shape) < 1:
            continue
        while max(levels[-1].shape) / max(shape) > GAP:
            levels.append(ViewLevel(_halved(levels[-1].shape), None))
        levels.append(ViewLevel(shape, index))
    while max(levels[-1].shape) > OVERVIEW_PX:
        levels.append(ViewLevel(_halved(levels[-1].shape), None))
    return tuple(levels)


class TilePyramid:
    """Levels of a source in tiles, decoded in the background.

    Parameters
    ----------
    source : PixelSource
        Owned by the pyramid, closed with it.
    loader : TileLoader
    live : bool
        True while a window shows it: napari then gets what is there. False (scripts, tests without
        a window): everybody gets true pixels.
    """

    def __init__(self, source: PixelSource, loader: TileLoader, *, live: bool = False) -> None:
        self.source = source
        self.loader = loader
        self.live = live
        self.levels = view_levels(source.level_shapes)
        self.last_level = len(self.levels) - 1
        self._overview = self._blank(Box.of_shape(self.levels[-1].shape))
        self._overview_there: set[TileKey] = set()
        self._users = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def data(self) -> list[LazyLevel]:
        """Levels for ``napari.layers.Image(..., multiscale=True)``, finest first."""
        return [LazyLevel(self, index) for index in range(len(self.levels))]

    @property
    def closed(self) -> bool:
        """Whether the source was released."""
        return self._closed

    def tile_box(self, key: TileKey) -> Box:
        """Pixels of a tile, in its level."""
        rows, cols = self.levels[key.level].shape
        row, col = key.row * TILE_PX, key.col * TILE_PX
        return Box(row, col, min(TILE_PX, rows - row), min(TILE_PX, cols - col))

    def keys(self, level: int, box: Box) -> Iterator[TileKey]:
        """Tiles that a box (in pixels of ``level``) touches."""
        for row in range(box.row // TILE_PX, (box.row_stop - 1) // TILE_PX + 1):
            for col in range(box.col // TILE_PX, (box.col_stop - 1) // TILE_PX + 1):
                yield TileKey(level, row, col)

    def fetch(self, key: TileKey) -> NDArray[Any]:
        """Return a tile, decoding it where it is not held. Slow: never on the window's thread."""
        held = self._held(key)
        if held is not None:
            return held
        with self._lock:
            if self._closed:
                raise SlideError("the slide behind this layer was closed: open it again")
            self._users += 1
        try:
            tile = self._decode(key)
        finally:
            self._leave()
        self._keep(key, tile)
        return tile

    def read(self, level: int, box: Box) -> NDArray[Any]:
        """Return true pixels of a box in the pixels of ``level``; waits for them."""
        out = self._empty(box)
        for key in self.keys(level, box):
            self._paste(out, box, self.tile_box(key), self.fetch(key))
        return out

    def display(self, level: int, box: Box) -> NDArray[Any]:
        """Return what is there of a box, at once; ask the loader for the rest."""
        missing = [key for key in self.keys(level, box) if self._held(key) is None]
        row, col = (centre / TILE_PX - 0.5 for centre in box.centre)
        missing.sort(key=lambda key: (key.row - row) ** 2 + (key.col - col) ** 2)
        self.loader.want(self, missing, overview=level == self.last_level)
        if level == self.last_level:
            return self._overview[box.slices]
        self._want_overview()
        return self.compose(level, box)

    def overview(self) -> NDArray[Any]:
        """Return the coarsest level at once: one array for good, which fills itself as tiles arrive.

        napari keeps the array of the coarsest level for ever, so a copy would stay as empty as it was.
        """
        self._want_overview()
        return self._overview

    def compose(self, level: int, box: Box) -> NDArray[Any]:
        """Held tiles of a box, holes filled from coarser levels or with the background."""
        out = self._empty(box)
        for key in self.keys(level, box):
            tile_box = self.tile_box(key)
            tile = self._held(key)
            if tile is not None:
                self._paste(out, box, tile_box, tile)
            elif (part := tile_box.intersect(box)) is not None:
                self._paste(out, box, part, self._from_coarser(level, part))
        return out

    def close(self) -> None:
        """Stop reading, forget the tiles and release the source (after a read that is under way)."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            release = self._users == 0
        self.loader.forget(self)
        self.loader.cache.drop(id(self))
        if release:
            self.source.close()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            release = self._closed and self._users == 0
        if release:
            self.source.close()

    def _held(self, key: TileKey) -> NDArray[Any] | None:
        if key.level < self.last_level:
            return self.loader.cache.get(id(self), key)
        return self._overview[self.tile_box(key).slices] if key in self._overview_there else None

    def _keep(self, key: TileKey, tile: NDArray[Any]) -> None:
        if key.level < self.last_level:
            self.loader.cache.put(id(self), key, tile)
        else:
            self._overview[self.tile_box(key).slices] = tile
            self._overview_there.add(key)

    def _want_overview(self) -> None:
        whole = Box.of_shape(self.levels[-1].shape)
        missing = [key for key in self.keys(self.last_level, whole) if self._held(key) is None]
        self.loader.want(self, missing, overview=True)

    def _decode(self, key: TileKey) -> NDArray[Any]:
        box, native = self.tile_box(key), self.levels[key.level].native
        if native is not None:
            return np.ascontiguousarray(self.source.read(box, native))
        finer = Box.of_shape(self.levels[key.level - 1].shape)
        doubled = Box(box.row * 2, box.col * 2, box.height * 2, box.width * 2).intersect(finer)
        if doubled is None:
            return self._blank(box)
        pixels = self.read(key.level - 1, doubled)
        odd = [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)][: pixels.ndim]
        return np.ascontiguousarray(self.source.reduce(np.pad(pixels, odd, mode="edge")))

    def _from_coarser(self, level: int, box: Box) -> NDArray[Any]:
        """Return the box upsampled (nearest) from the next coarser level, as far as that is there."""
        if level == self.last_level:
            return self._blank(box)
        fine, coarse = self.levels[level].shape, self.levels[level + 1].shape
        rows = _source_index(box.row, box.row_stop, coarse[0] / fine[0], coarse[0])
        cols = _source_index(box.col, box.col_stop, coarse[1] / fine[1], coarse[1])
        start, stop = (int(rows[0]), int(cols[0])), (int(rows[-1]) + 1, int(cols[-1]) + 1)
        part = self.compose(level + 1, Box(*start, stop[0] - start[0], stop[1] - start[1]))
        return part[rows - start[0]][:, cols - start[1]]

    def _empty(self, box: Box) -> NDArray[Any]:
        shape: tuple[int, ...] = (box.height, box.width)
        if self.source.channels is not None:
            shape = (*shape, self.source.channels)
        return np.empty(shape, self.source.dtype)

    def _blank(self, box: Box) -> NDArray[Any]:
        blank = self._empty(box)
        blank[...] = self.source.fill()
        return blank

    @staticmethod
    def _paste(out: NDArray[Any], out_box: Box, box: Box, pixels: NDArray[Any]) -> None:
        """Copy the part of ``pixels`` (which cover ``box``) that lies in ``out_box``."""
        part = box.intersect(out_box)
        if part is not None:
            source = part.shifted(-box.row, -box.col).slices
            out[part.shifted(-out_box.row, -out_box.col).slices] = pixels[source]


def _source_index(start: int, stop: int, factor: float, size: int) -> NDArray[np.intp]:
    """Nearest coarse pixel of each fine one; both share the corner, not the centre."""
    index = ((np.arange(start, stop) + 0.5) * factor).astype(np.intp)
    return np.minimum(index, size - 1)


class LazyLevel:
    """One level of a pyramid as an array-like (rows, cols[, channels]).

    ``level[...]`` answers napari's slicing at once and everybody else with true pixels;
    ``np.asarray(level)`` always waits for true pixels.
    """

    def __init__(self, pyramid: TilePyramid, index: int) -> None:
        self.pyramid = pyramid
        self.index = index
        rows, cols = pyramid.levels[index].shape
        channels = pyramid.source.channels
        self.dtype = pyramid.source.dtype
        self.shape: tuple[int, ...] = (rows, cols) if channels is None else (rows, cols, channels)
        self.chunks = (TILE_PX, TILE_PX, *self.shape[2:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that the whole level would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        keys = _full(key, self.ndim)
        axes = [_span(k, size) for k, size in zip(keys, self.shape[:2], strict=False)]
        if any(span is None for span in axes):
            return self.__array__()[key]
        (row, stop, rows), (col, right, cols) = (span for span in axes if span is not None)
        if stop <= row or right <= col:
            return np.broadcast_to(np.zeros((), self.dtype), self.shape)[key]
        at_once = self.pyramid.live and _is_slicing(sys._getframe(1))
        get = self.pyramid.display if at_once else self.pyramid.read
        return get(self.index, Box(row, col, stop - row, right - col))[(rows, cols, *keys[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self.index == self.pyramid.last_level and self.pyramid.live and _is_slicing(sys._getframe(1)):
            whole = self.pyramid.overview()
        else:
            whole = self.pyramid.read(self.index, Box.of_shape(self.shape))
        return whole if dtype is None else whole.astype(dtype)

    def __repr__(self) -> str:
        return f"<LazyLevel {self.index}: {self.shape} {self.dtype}>"


def _is_slicing(caller: FrameType) -> bool:
    """Whether napari's layers ask, for the screen; other plugins and the console want true pixels."""
    return str(caller.f_globals.get("__name__", "")).startswith("napari.layers.")


def _full(key: Any, ndim: int) -> tuple[Any, ...]:
    """Return an index with one entry per axis."""
    keys = key if isinstance(key, tuple) else (key,)
    for at, entry in enumerate(keys):
        if entry is Ellipsis:
            return (*keys[:at], *[slice(None)] * (ndim - len(keys) + 1), *keys[at + 1 :])
    return (*keys, *[slice(None)] * (ndim - len(keys)))


def _span(key: Any, size: int) -> tuple[int, int, int | slice] | None:
    """Start, stop and the index inside of them; None for what is no integer and no forward slice."""
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        return (start, stop, slice(None, None, step)) if step > 0 else None
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        index = range(size)[int(key)]
        return index, index + 1, 0
    return None
