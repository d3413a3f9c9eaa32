"""What a pyramid on the screen reads its pixels from: a slide, or the raster of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_her2.geometry import Box
    from napari_her2.slides import Slide

__all__ = ["ArraySource", "PixelSource", "SlideSource"]

WHITE = 255
"""Shown where nothing was read yet, until the slide's own white is known."""


class PixelSource(Protocol):
    """Levels of pixels, finest first; ``read`` may be slow and is called on background threads."""

    @property
    def level_shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, cols) of each level."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample."""

    @property
    def channels(self) -> int | None:
        """Samples per pixel; None for a plain (rows, cols) raster."""

    def read(self, box: Box, level: int) -> NDArray[Any]:
        """Pixels of ``box``, which is in the pixels of that level and lies inside it."""

    def reduce(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Halve both sides (even lengths) for a level that the file does not have."""

    def fill(self) -> NDArray[Any] | int:
        """Colour shown where nothing was read yet; never reads."""

    def close(self) -> None:
        """Release the file."""


class SlideSource:
    """The pixels of a slide (rows, cols, 3), uint8.

    Parameters
    ----------
    slide : Slide
        Stays open until :meth:`close`; this source owns it.
    """

    dtype = np.dtype(np.uint8)
    channels = 3

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        self.level_shapes = tuple(level.shape for level in slide.levels)
        self._white: NDArray[np.uint8] | None = None

    def read(self, box: Box, level: int) -> NDArray[np.uint8]:
        """Pixels of ``box``; the slide's white is learned on the way, off the window's thread."""
        pixels = self.slide.read_level(box, level)
        if self._white is None:
            self._white = np.asarray(self.slide.white).round().astype(np.uint8)
        return pixels

    def reduce(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mean of 2 x 2 pixels."""
        wide = pixels.astype(np.uint16)
        total = wide[0::2, 0::2] + wide[1::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 1::2]
        return ((total + 2) >> 2).astype(np.uint8)

    def fill(self) -> NDArray[np.uint8] | int:
        """Return the slide's white once known, plain white before."""
        return WHITE if self._white is None else self._white

    def close(self) -> None:
        """Close the slide."""
        self.slide.close()


class ArraySource:
    """A raster of a case: levels are array-likes (rows, cols) such as raw zarr arrays.

    Parameters
    ----------
    levels : sequence of array-like
        Finest first.
    close : callable, optional
        Called once when the raster leaves the screen.
    """

    channels = None

    def __init__(self, levels: Sequence[Any], close: Callable[[], None] | None = None) -> None:
        self._levels = tuple(levels)
        self._close = close
        self.level_shapes = tuple((int(a.shape[0]), int(a.shape[1])) for a in self._levels)
        self.dtype = np.dtype(self._levels[0].dtype)

    def read(self, box: Box, level: int) -> NDArray[Any]:
        """Values of ``box`` at ``level``."""
        return np.asarray(self._levels[level][box.slices])

    def reduce(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Every second value: labels cannot be averaged."""
        return pixels[::2, ::2]

    def fill(self) -> int:
        """Nothing there."""
        return 0

    def close(self) -> None:
        """Release what the raster holds."""
        if self._close is not None:
            self._close()
