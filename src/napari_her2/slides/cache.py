"""Decoded tiles of all open slides, in one store bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TILES", "TileCache", "TileCacheInfo", "set_tile_cache_bytes", "tile_cache_info"]

DEFAULT_BYTES = 256 * 2**20
TileKey = tuple[int, int, int, int]  # slide token, level, tile row, tile col


@dataclass(frozen=True, slots=True)
class TileCacheInfo:
    """State of the cache: bytes held, bytes allowed, tiles held, hits and misses since the start."""

    held_bytes: int
    limit_bytes: int
    tiles: int
    hits: int
    misses: int


class TileCache:
    """Least recently used tiles go first; decoding happens outside the lock.

    Two threads that miss the same tile at once both decode it: rarer and cheaper than waiting.
    """

    def __init__(self, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._lock = Lock()
        self._tiles: OrderedDict[TileKey, NDArray[np.uint8]] = OrderedDict()
        self._limit = limit_bytes
        self._held = self._hits = self._misses = 0

    def get(self, key: TileKey, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the tile, decoding it where it is not held; the array is read-only."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                self._hits += 1
                return tile
            self._misses += 1
        tile = decode()
        tile.flags.writeable = False
        self._put(key, tile)
        return tile

    def _put(self, key: TileKey, tile: NDArray[np.uint8]) -> None:
        with self._lock:
            if tile.nbytes > self._limit or key in self._tiles:
                return
            self._tiles[key] = tile
            self._held += tile.nbytes
            self._shrink()

    def _shrink(self) -> None:
        while self._held > self._limit:
            _, old = self._tiles.popitem(last=False)
            self._held -= old.nbytes

    def forget(self, token: int) -> None:
        """Drop all tiles of one slide."""
        with self._lock:
            for key in [key for key in self._tiles if key[0] == token]:
                self._held -= self._tiles.pop(key).nbytes

    def resize(self, limit_bytes: int) -> None:
        """Set the bound, dropping tiles as needed."""
        with self._lock:
            self._limit = max(int(limit_bytes), 0)
            self._shrink()

    def info(self) -> TileCacheInfo:
        """Return sizes and counts."""
        with self._lock:
            return TileCacheInfo(self._held, self._limit, len(self._tiles), self._hits, self._misses)


TILES = TileCache()


def set_tile_cache_bytes(limit_bytes: int) -> None:
    """Bound the decoded tiles that this process keeps, over all slides.

    Parameters
    ----------
    limit_bytes : int
        Default 256 MiB; 0 keeps nothing.
    """
    TILES.resize(limit_bytes)


def tile_cache_info() -> TileCacheInfo:
    """Return the state of the process-wide tile cache."""
    return TILES.info()
