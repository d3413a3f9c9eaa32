"""Pairs of places on both canvases of the linked view: the tool that sets them, their marks, their list."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_her2._napari.hands import Mark, PairHand
from napari_her2._napari.widgets.glass import Glass, Ring
from napari_her2._napari.widgets.pairs_pane import PairsPane
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._napari.landmarking import LandmarkControl
    from napari_her2._napari.session import SlideRole

__all__ = ["PairsView"]


class PairsView:
    """There while the linked view is open; shown while the tool ``pairs`` is held.

    Parameters
    ----------
    control : LandmarkControl
    glasses : dict of str to Glass
        Over the canvas of each slide.
    place : callable
        Returns a slide's µm → world of its canvas; None where it is not shown.
    """

    def __init__(
        self,
        control: LandmarkControl,
        glasses: dict[SlideRole, Glass],
        place: Callable[[SlideRole], Affine | None],
    ) -> None:
        self.control, self.session = control, control.session
        self._glasses, self._place = glasses, place
        self._guessed: Glass | None = None
        self.pane = PairsPane(control)
        self.pane.hide()
        events = control.state.events
        self._heard = [getattr(events, name) for name in ("pairs", "chosen", "begun")]
        self._heard += [self.session.events.refit]
        for signal in self._heard:
            signal.connect(self.show_marks)

    @property
    def on(self) -> bool:
        """Whether pairs are set and moved now."""
        return self.session.tool == "pairs"

    def take_up(self, hovered: Callable[[SlideRole, tuple[float, float]], None]) -> None:
        """Let the mouse set and move pairs, or let go of that, as the session's tool says."""
        self.pane.setVisible(self.on)
        if self.on:
            for side, glass in self._glasses.items():
                hand = PairHand(self.control, side, partial(self._px_place, side))
                glass.hold(hand, partial(hovered, side))
        self.show_marks()

    def px_place(self, side: SlideRole) -> Affine | None:
        """Return a slide's level-0 pixels → world of its canvas."""
        slide = self.session.he if side == "he" else self.session.ihc
        to_world = self._place(side)
        if slide is None or slide.um_per_px is None or to_world is None:
            return None
        return to_world @ Affine.scaling(slide.um_per_px)

    def _px_place(self, side: SlideRole) -> Affine:
        return self.px_place(side) or Affine.identity()

    def show_marks(self, *_: Any) -> None:
        """Show the pairs on both canvases, and where the alignment puts the partner of one that was begun."""
        for side, glass in self._glasses.items():
            to_world = self.px_place(side)
            glass.show_marks(self._marks(side, to_world) if self.on and to_world is not None else ())
        self._show_guess()

    def _marks(self, side: SlideRole, to_world: Affine) -> list[Mark]:
        state, refit = self.control.state, self.session.refit
        places = self.control.on(side)
        known = refit is not None and len(refit.landmarks) == len(places)
        against = refit.against if refit is not None and known else [False] * len(places)
        marks = []
        for at, (row, col) in enumerate(to_world(places) if len(places) else ()):
            kind: Any = "chosen" if at == state.chosen else "against" if against[at] else "set"
            marks.append(Mark((float(row), float(col)), str(at + 1), kind))
        if state.begun is not None:
            row, col = to_world([state.begun.on(side)])[0]
            kind = "begun" if side == state.begun.side else "guess"
            marks.append(Mark((float(row), float(col)), str(len(places) + 1), kind))
        return marks

    def _show_guess(self) -> None:
        """Show how far the partner of a pair that was begun may lie from where it is expected."""
        begun, mapping = self.control.state.begun, self.session.mapping
        if self._guessed is not None:
            self._guessed.show_ring(None)
            self._guessed = None
        if begun is None or mapping is None or not self.on:
            return
        other: SlideRole = "ihc" if begun.side == "he" else "he"
        to_world = self.px_place(other)
        if to_world is not None:
            row, col = to_world([begun.partner_px])[0]
            error = float(mapping.local_error_um([begun.place_px], begun.side)[0])
            inside = bool(mapping.inside([begun.place_px], begun.side)[0])
            self._guessed = self._glasses[other]
            self._guessed.show_ring(Ring((float(row), float(col)), error, inside))

    def leave(self) -> None:
        """Take the marks away and hear of nothing any more."""
        for signal in self._heard:
            signal.disconnect(self.show_marks)
        self.pane.leave()
        for glass in self._glasses.values():
            glass.show_marks(())
