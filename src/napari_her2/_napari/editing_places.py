"""From one uncertain place to the next: what was reviewed or corrected already is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2._napari.session import Message
from napari_her2.annotation import uncertain_labels, uncertain_places
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from napari_her2._napari.editing import MaskEditor
    from napari_her2.annotation import Place
    from napari_her2.store import Multiscale

__all__ = ["UncertainPlaces"]

ACROSS_UM = 220.0
"""What is shown of a place: it and what is around it."""

PLACE_UM = 100.0


class UncertainPlaces:
    """Walks through the places at which the models were least sure.

    Parameters
    ----------
    editor : MaskEditor
    """

    def __init__(self, editor: MaskEditor) -> None:
        self.editor = editor
        self.raster: Multiscale | None = None
        self.reviewed: BaseGeometry | None = None
        self._places: list[Place] | None = None
        self._at = -1

    def use(self, raster: Multiscale | None) -> None:
        """Start again with the raster of another mask."""
        self.raster, self._places, self._at = raster, None, -1

    def next(self, step: int = 1) -> None:
        """Go to the next place (or back)."""
        raster, state = self.raster, self.editor.state
        if self.editor.mask is None:
            return
        if raster is None:
            state.message = Message("No model has looked at this slide yet: score the case first.")
        elif self._places is not None:
            self._go(step)
        else:
            probable = raster.levels[0].dtype.kind == "f" or bool(self.editor.model.value)
            find = uncertain_places if probable else uncertain_labels
            self.editor.lanes.submit(
                "look", lambda: find(raster), lambda found: self._found(raster, found), self.editor._failed
            )

    def _found(self, raster: Multiscale, places: list[Place]) -> None:
        if raster is self.raster:
            self._places = places
            self._go(1)

    def _go(self, step: int) -> None:
        places, state = self._places or [], self.editor.state
        at = self._at + step
        while 0 <= at < len(places) and self._is_done(places[at]):
            at += step
        if not 0 <= at < len(places):
            state.message = Message(
                "No uncertain place is left." if step > 0 else "This is the first uncertain place."
            )
            return
        self._at = at
        place = places[at]
        self.editor.canvas.go_to(place.row_um, place.col_um, ACROSS_UM)
        state.last = f"Uncertain place {at + 1} of {len(places)}"
        state.message = None

    def _is_done(self, place: Place) -> bool:
        mask = self.editor.mask
        if mask is None:
            return False
        um = mask.facts.um_per_px
        if self.reviewed is not None:
            from shapely import Point

            if self.reviewed.contains(Point(place.row_um / um, place.col_um / um)):
                return True
        level = min(len(mask.pyramid.shapes) - 1, 5)
        step = um * 2**level
        side = max(1, round(PLACE_UM / step))
        box = Box(
            int((place.row_um - PLACE_UM / 2) / step), int((place.col_um - PLACE_UM / 2) / step), side, side
        )
        return bool(mask.read(box, level).any())
