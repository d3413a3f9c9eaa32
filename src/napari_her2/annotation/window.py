"""Where the edit window stands: a bounded piece of one level that covers what is on the screen.

napari cannot paint on pyramids, and shows a single-scale layer of slide size at reduced resolution. So
the person paints on an ordinary array that follows the view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EditWindow", "View", "place_window"]

MOST_PX: Final = 2048 * 2048
"""Pixels of a window at most, whatever the size of screen and slide."""

MARGIN: Final = 1.12
"""The window is this much longer and wider than the view, so that small pans do not move it."""

COARSEST: Final = 4
"""Beyond this level one pixel of the window would be too many of the slide to paint with care."""


@dataclass(frozen=True, slots=True)
class View:
    """What is on the screen, in µm of the slide (row, col).

    Attributes
    ----------
    top, left, bottom, right : float
    """

    top: float
    left: float
    bottom: float
    right: float

    @property
    def size_um(self) -> tuple[float, float]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True, slots=True)
class EditWindow:
    """A box of one level.

    Attributes
    ----------
    level : int
    box : Box
        In the pixels of ``level``.
    um_per_px : float
        Of level 0.
    """

    level: int
    box: Box
    um_per_px: float

    @property
    def scale_um(self) -> float:
        """Pixel size of the window."""
        return self.um_per_px * 2**self.level

    @property
    def translate_um(self) -> tuple[float, float]:
        """Where the middle of the first pixel lies, as napari wants it."""
        return (self.box.row + 0.5) * self.scale_um, (self.box.col + 0.5) * self.scale_um

    @property
    def view_um(self) -> View:
        """Return the edges of the window."""
        box, um = self.box, self.scale_um
        return View(box.row * um, box.col * um, box.row_stop * um, box.col_stop * um)

    def covers(self, view: View) -> bool:
        """Whether all of the view lies inside."""
        own = self.view_um
        return (
            own.top <= view.top
            and own.left <= view.left
            and view.bottom <= own.bottom
            and view.right <= own.right
        )


def place_window(
    view: View, shapes: Sequence[tuple[int, int]], um_per_px: float, before: EditWindow | None = None
) -> EditWindow | None:
    """Return the window for a view; the one before if it still serves, None if the view is off the slide.

    Parameters
    ----------
    view : View
    shapes : sequence of (rows, cols)
        Levels of the mask, finest first, each half as long as the one before.
    um_per_px : float
        Of level 0.
    before : EditWindow, optional
    """
    level = _level(view, len(shapes), um_per_px)
    um = um_per_px * 2**level
    whole = Box.of_shape(shapes[level])
    seen = _box(view, um).intersect(whole)
    if seen is None:
        return None
    if before is not None and before.level == level and before.box.contains(seen):
        return before
    fresh = EditWindow(level, _bounded(_widened(seen), whole), um_per_px)
    return before if fresh == before else fresh


def _level(view: View, levels: int, um_per_px: float) -> int:
    """Return the finest level of which a window can cover the view with its margin."""
    height, width = (max(size * MARGIN / um_per_px, 1.0) for size in view.size_um)
    least = math.ceil(math.log2(max(math.sqrt(height * width / MOST_PX), 1.0)) - 1e-9)
    return min(least, COARSEST, levels - 1)


def _box(view: View, um: float) -> Box:
    row, col = math.floor(view.top / um), math.floor(view.left / um)
    return Box(row, col, max(math.ceil(view.bottom / um) - row, 1), max(math.ceil(view.right / um) - col, 1))


def _widened(box: Box) -> Box:
    height, width = (math.ceil(size * MARGIN) for size in (box.height, box.width))
    return Box(box.row - (height - box.height) // 2, box.col - (width - box.width) // 2, height, width)


def _bounded(box: Box, whole: Box) -> Box:
    """Return what of the box is inside the image, with at most :data:`MOST_PX` pixels about its middle."""
    inside = box.intersect(whole) or whole
    factor = min(1.0, math.sqrt(MOST_PX / (inside.height * inside.width)))
    height, width = max(int(inside.height * factor), 1), max(int(inside.width * factor), 1)
    row, col = (int(at - size / 2) for at, size in zip(inside.centre, (height, width), strict=True))
    return Box(row, col, height, width)
