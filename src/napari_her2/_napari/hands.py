"""What the mouse does on a canvas while a tool is held: measure, or set and move pairs of places. No Qt.

A hand hears of places in world µm. What it does not take (:meth:`Hand.press` returns False) moves the slide,
as without a tool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._napari.landmarking import LandmarkControl
    from napari_her2._napari.session import SlideRole
    from napari_her2.geometry import Affine

__all__ = ["Hand", "Mark", "PairHand", "Ruler", "length_words"]

Place = tuple[float, float]
MarkKind = Literal["set", "chosen", "against", "begun", "guess"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One end of a pair on a canvas: world µm, its number, and what it is."""

    place: Place
    words: str
    kind: MarkKind = "set"


class Hand(Protocol):
    """A tool that is held."""

    def press(self, place: Place, reach_um: float) -> bool:
        """Return whether a drag that begins here belongs to the tool."""

    def drag(self, place: Place) -> None:
        """Follow a drag that belongs to the tool."""

    def release(self) -> None:
        """End it."""

    def click(self, place: Place) -> None:
        """Take a click that nothing was dragged by."""


def length_words(um: float, unit: str = "µm") -> str:
    """Return a length in words: µm below a millimetre; in pixels where no pixel size is known."""
    if unit != "µm":
        return f"{um:.0f} {unit}"
    if um >= 1000:
        return f"{um / 1000:.2f} mm"
    return f"{um:.0f} µm" if um >= 100 else f"{um:.1f} µm"


class Ruler:
    """A line from where the mouse was pressed to where it is.

    Parameters
    ----------
    place : callable
        Returns the µm → world of the slide that lies at a place: lengths are those on that slide.
    changed : callable
        Called with (start, end, words), or with None when the line goes away.
    unit : callable
        Returns ``"µm"``, or ``"px"`` where the slide states no pixel size.
    """

    def __init__(
        self,
        place: Callable[[Place], Affine],
        changed: Callable[[tuple[Place, Place, str] | None], None],
        unit: Callable[[], str] = lambda: "µm",
    ) -> None:
        self._place, self._changed, self._unit = place, changed, unit
        self._start: Place | None = None

    def press(self, place: Place, reach_um: float) -> bool:
        """Begin a line."""
        self._start = place
        self._changed(None)
        return True

    def drag(self, place: Place) -> None:
        """Draw it to here."""
        if self._start is not None:
            ends = self._place(self._start).inverse([self._start, place])
            length = float(np.linalg.norm(ends[1] - ends[0]))
            self._changed((self._start, place, length_words(length, self._unit())))

    def release(self) -> None:
        """Leave it where it is."""

    def click(self, place: Place) -> None:
        """Take it away."""


class PairHand:
    """Sets and moves the ends of pairs on one slide.

    Parameters
    ----------
    control : LandmarkControl
    side : {"he", "ihc"}
    place : callable
        Returns the slide's level-0 pixels → world as it is now.
    """

    def __init__(self, control: LandmarkControl, side: SlideRole, place: Callable[[], Affine]) -> None:
        self._control, self._side, self._place = control, side, place
        self._held: int | None = None

    def press(self, place: Place, reach_um: float) -> bool:
        """Take hold of the end that lies here."""
        to_world = self._place()
        reach_px = reach_um / to_world.stretch
        self._held = self._control.near(self._side, to_world.inverse([place])[0], reach_px)
        if self._held is not None:
            self._control.choose(self._held)
        return self._held is not None

    def drag(self, place: Place) -> None:
        """Move it; the alignment follows."""
        if self._held is not None:
            self._control.move(self._held, self._side, self._place().inverse([place])[0])

    def release(self) -> None:
        """Put it down."""
        self._held = None
        self._control.release()

    def click(self, place: Place) -> None:
        """Set an end of a new pair."""
        self._control.point(self._side, self._place().inverse([place])[0])
