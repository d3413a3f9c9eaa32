"""Pictures that can only be decoded as a whole: once, on first use, up to a stated size."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from napari_her2.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["HELD_TILE_PX", "MAX_HELD_PX", "Held", "check_size"]

MAX_HELD_PX = 200_000_000  # 0.6 GB, and 1.5 GB for a moment while Pillow decodes
HELD_TILE_PX = 512


def check_size(name: str, shape: tuple[int, int]) -> None:
    """Refuse a picture too large to be held in memory.

    Raises
    ------
    SlideError
        Above 200 million pixels.
    """
    if shape[0] * shape[1] > MAX_HELD_PX:
        raise SlideError(
            f"{name} has {shape[0]} x {shape[1]} px in one piece, more than {MAX_HELD_PX // 10**6} million: "
            "save it as a tiled TIFF, e.g. with QuPath or vips tiffsave --tile --pyramid"
        )


class Held:
    """An array that is made on first use, once, whatever the number of threads."""

    def __init__(self, decode: Callable[[], NDArray[np.uint8]]) -> None:
        self._decode, self._lock = decode, Lock()
        self._pixels: NDArray[np.uint8] | None = None

    def get(self) -> NDArray[np.uint8]:
        """Return the array."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
            return self._pixels

    def tile(self, row: int, col: int) -> NDArray[np.uint8]:
        """Return a view of one 512 px tile."""
        top, left = row * HELD_TILE_PX, col * HELD_TILE_PX
        return self.get()[top : top + HELD_TILE_PX, left : left + HELD_TILE_PX]
