"""The tumour area in a person's hand: proposed, confirmed, drawn, carried to the other slide. No Qt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_her2._napari.roi import AREA_CLASSES, Ring, carried, mm2_of, on_one_slide
from napari_her2._napari.session import Tumour

if TYPE_CHECKING:
    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import Session, SlideRole

__all__ = ["TumourControl"]


class TumourControl:
    """Keeps the session's :class:`Tumour` and the canvas in step with what the person does.

    Parameters
    ----------
    session : Session
    canvas : CaseCanvas
    """

    def __init__(self, session: Session, canvas: CaseCanvas) -> None:
        self.session, self.canvas = session, canvas
        self._confirmed = self._carrying = False

    def draw(self, name: str = AREA_CLASSES[0]) -> None:
        """Let the person draw an area of a class."""
        self._forget_area(False)
        self.session.tool = "draw"
        self.canvas.draw_tumour(name)
        self.drawn()

    def edit_proposal(self) -> None:
        """Copy the proposal into the layer ``tumour``, where its corners can be moved."""
        role = self._shown_role()
        if role is not None:
            self._confirmed = False
            self.canvas.fill_drawing([Ring(role, points) for points in self.session.outlines[role]])
        self.drawn()

    def confirm(self) -> None:
        """Take the proposal as it is; what was drawn needs no confirmation."""
        self._forget_area(False)
        self._confirmed = bool(self.session.outlines) and not self._drawn()
        self.drawn()

    def clear(self) -> None:
        """Take back what was drawn or confirmed, also in an earlier run; the next run proposes anew."""
        self._confirmed = False
        self._forget_area(True)
        self.canvas.clear_drawing()
        self.drawn()

    def _forget_area(self, forget: bool) -> None:
        if self.session.settings.forget_area != forget:
            self.session.settings = replace(self.session.settings, forget_area=forget)

    def forget(self) -> None:
        """Other slides: nothing is confirmed any more."""
        self._confirmed = False
        self._forget_area(False)

    def drawn(self) -> None:
        """Take note of what is drawn, and show it on the other slide as well."""
        rings = self.rings()
        counted = [ring for ring in rings if ring.counts]
        mapping = self.session.mapping
        before, self.session.tumour = (
            self.session.tumour,
            Tumour(
                rings=len(counted),
                left_out=len(rings) - len(counted),
                mm2=mm2_of(on_one_slide(rings, mapping)) if counted else 0.0,
            ),
        )
        self.canvas.dim_outlines(bool(counted))
        if mapping is not None and not self._carrying and (rings or before != Tumour()):
            self._carrying = True  # the layer that is added here tells of itself
            self.canvas.show_carried([carried(ring, mapping) for ring in self._drawn()])
            self._carrying = False

    def rings(self) -> tuple[Ring, ...]:
        """Return the area that counts, as rings on the slides; empty where the proposal stands unconfirmed.

        A proposal that was confirmed unchanged stays on the H&E, where it was made: what the mapping leaves
        open then stays open.
        """
        drawn = self._drawn()
        if drawn or not self._confirmed:
            return tuple(drawn)
        role: SlideRole = "he" if "he" in self.session.outlines else "ihc"
        return tuple(Ring(role, points) for points in self._outer(role))

    def _drawn(self) -> list[Ring]:
        return self.canvas.rings()

    def _shown_role(self) -> SlideRole | None:
        """Return the slide on which the proposal is edited: the IHC where it is shown."""
        found: list[SlideRole] = [role for role in ("ihc", "he") if self.session.outlines.get(role)]
        return next((role for role in found if self.canvas.layer(role) is not None), None)

    def _outer(self, role: SlideRole) -> tuple[Any, ...]:
        return tuple(self.session.outlines.get(role, ()))
