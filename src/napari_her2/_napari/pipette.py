"""The white of a slide, picked with a click on bare glass. No Qt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari.layers import ROLE_NAMES
from napari_her2._napari.session import Message
from napari_her2.errors import Her2Error
from napari_her2.geometry import Box
from napari_her2.slides import White, given_white

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import Session, SlideRole

__all__ = ["Pipette"]

SIDE_PX: Final = 31
"""Level-0 pixels along the side of the square whose median is taken."""
CLICK_PX: Final = 4
"""Farther than this on the screen is a drag."""


class Pipette:
    """Waits for one click on a slide and takes the colour there for its bare glass.

    Parameters
    ----------
    session : Session
    canvas : CaseCanvas
    """

    def __init__(self, session: Session, canvas: CaseCanvas) -> None:
        self.session, self.canvas = session, canvas

    def switch(self, role: SlideRole, *, on: bool) -> None:
        """Wait for a click on this slide; off takes back what was picked."""
        slide = getattr(self.session, role)
        self._wait(on=on and slide is not None)
        if slide is None:
            return
        if on:
            self.session.picking_white = role
            self.session.message = Message(f"Click bare glass on the {ROLE_NAMES[role]}.")
        else:
            self.session.picking_white = None
            if slide.white is not None:
                self._give(role, None)

    def pick(self, role: SlideRole, place_px: tuple[float, float]) -> None:
        """Take the median colour around a place (row, col; level-0 pixels)."""
        slide = getattr(self.session, role)
        self._wait(on=False)
        self.session.picking_white = None
        try:
            self._give(role, self._colour(slide.pyramid.source.slide, slide.shape, place_px))
        except Her2Error as error:
            self.session.message = Message(str(error), "error")

    def _colour(self, slide: Any, shape: tuple[int, int], place_px: tuple[float, float]) -> White | None:
        top, left = (
            int(np.clip(at - SIDE_PX / 2, 0, max(side - SIDE_PX, 0)))
            for at, side in zip(place_px, shape, strict=True)
        )
        pixels = slide.read(Box(top, left, min(SIDE_PX, shape[0]), min(SIDE_PX, shape[1])))
        return given_white(np.median(pixels.reshape(-1, 3), axis=0), "the place that was clicked,")

    def _give(self, role: SlideRole, white: White | None) -> None:
        slide = getattr(self.session, role)
        slide.pyramid.source.slide.give_white(white)
        setattr(self.session, role, replace(slide, white="slide" if white is None else white.rgb))
        said = (
            "is looked for on the slide"
            if white is None
            else "is " + ", ".join(f"{v:.0f}" for v in white.rgb)
        )
        self.session.message = Message(f"White of the {ROLE_NAMES[role]} {said}: score to use it.")

    def _wait(self, *, on: bool) -> None:
        callbacks = self.canvas.viewer.mouse_drag_callbacks
        if self._clicked in callbacks:
            callbacks.remove(self._clicked)
        if on:
            callbacks.insert(0, self._clicked)

    def _clicked(self, _viewer: Any, event: Any) -> Iterator[None]:
        """Take a click for the pipette; a drag still moves the canvas."""
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        role = self.session.picking_white
        layer = None if role is None else self.canvas.layer(role)
        if role is None or layer is None or np.abs(np.asarray(event.pos) - start).max() >= CLICK_PX:
            return
        place = np.asarray(layer.world_to_data(event.position))[-2:] + 0.5
        if ((place >= 0) & (place < getattr(self.session, role).shape)).all():
            self.pick(role, (float(place[0]), float(place[1])))
