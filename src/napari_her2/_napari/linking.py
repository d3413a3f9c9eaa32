"""Two canvases that show the same place: arithmetic of the link, and the link itself. No Qt.

Both worlds are the IHC's µm, each turned by quarter turns about the middle of the IHC. The IHC lies in its
canvas as it is; the H&E lies in the other by the affine that the mapping has at the middle of the view. So
equal cameras show equal places, and nothing has to be turned but layers. The affine is set when the view is
at rest, never in the middle of a drag.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.mapping import SlideMapping

__all__ = ["Cursor", "Link", "LinkedCameras", "local_affine"]

Side = Literal["ihc", "he"]
STEP_UM = 20.0
"""The derivative is taken over this distance: about two cells."""


def local_affine(mapping: SlideMapping, at_ihc_um: tuple[float, float]) -> Affine:
    """Return the affine H&E µm → IHC µm that agrees with the mapping around a place of the IHC.

    Central differences of the mapping's own H&E → IHC direction, ``A = [m(p + h e_k) - m(p - h e_k)] / 2h``.
    """
    place = mapping.ihc_to_he_um(np.array([at_ihc_um], np.float64))[0]
    steps = np.vstack([np.eye(2), -np.eye(2)]) * STEP_UM
    there = mapping.he_to_ihc_um(np.vstack([place[None], place + steps]))
    linear = ((there[1:3] - there[3:5]) / (2 * STEP_UM)).T
    return Affine.of(linear, there[0] - linear @ place)


@dataclass(frozen=True, slots=True, eq=False)
class Cursor:
    """Where a place of one canvas lies on the other (world µm), its local error, and whether it is shared."""

    place: tuple[float, float]
    error_um: float
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """How the two canvases belong together.

    Attributes
    ----------
    he_um, ihc_um : tuple of float
        Height and width of the slides, µm.
    mapping : SlideMapping or None
        None: the middles lie on each other, until the slides are aligned.
    he_turns, ihc_turns : int
        Quarter turns, counter-clockwise on the screen.
    """

    he_um: tuple[float, float]
    ihc_um: tuple[float, float]
    mapping: SlideMapping | None = None
    he_turns: int = 0
    ihc_turns: int = 0

    def turned(self, side: Side | None, by: int = 1) -> Link:
        """Return the link with a slide turned by quarter turns; None turns both."""
        he = self.he_turns + (by if side != "ihc" else 0)
        ihc = self.ihc_turns + (by if side != "he" else 0)
        return replace(self, he_turns=he % 4, ihc_turns=ihc % 4)

    def rotation(self, side: Side) -> Affine:
        """IHC µm → world of the canvas of that side."""
        turns = self.ihc_turns if side == "ihc" else self.he_turns
        middle = self.ihc_um[0] / 2, self.ihc_um[1] / 2
        return Affine.rotation(90.0 * turns, centre=middle)

    def he_to_ihc(self, at_ihc_um: tuple[float, float]) -> Affine:
        """Return the local affine H&E µm → IHC µm."""
        if self.mapping is not None:
            return local_affine(self.mapping, at_ihc_um)
        shift = (np.asarray(self.ihc_um) - np.asarray(self.he_um)) / 2
        return Affine.translation(float(shift[0]), float(shift[1]))

    def he_place(self, centre: tuple[float, float]) -> Affine:
        """Return where the H&E lies in its canvas, when the IHC's canvas looks at ``centre``."""
        at = self.rotation("ihc").inverse([centre])[0]
        return self.rotation("he") @ self.he_to_ihc((float(at[0]), float(at[1])))

    def across(self, point: tuple[float, float], side: Side) -> tuple[float, float]:
        """Return the camera's place in the other canvas for its place in the canvas of ``side``."""
        here, there = self.rotation(side), self.rotation("he" if side == "ihc" else "ihc")
        row, col = there(here.inverse([point]))[0]
        return float(row), float(col)

    def cursor(self, point: tuple[float, float], side: Side, he_place: Affine) -> Cursor | None:
        """Return where a point of one canvas lies on the other, by the whole mapping.

        Parameters
        ----------
        point : (row, col)
            World µm of the canvas of ``side``.
        side : {"ihc", "he"}
        he_place : Affine
            H&E µm → world, as the H&E lies now.

        Returns
        -------
        Cursor or None
            None while the slides are not aligned.
        """
        if self.mapping is None:
            return None
        if side == "ihc":
            ihc_um = self.rotation("ihc").inverse([point])
            place = he_place(self.mapping.ihc_to_he_um(ihc_um))[0]
        else:
            ihc_um = self.mapping.he_to_ihc_um(he_place.inverse([point]))
            place = self.rotation("ihc")(ihc_um)[0]
        return self._judged(place, self.mapping.ihc.to_px(ihc_um), self.mapping)

    def _judged(self, place: NDArray[np.float64], ihc_px: NDArray[np.float64], m: SlideMapping) -> Cursor:
        inside = bool(m.inside(ihc_px, "ihc")[0])
        return Cursor((float(place[0]), float(place[1])), float(m.local_error_um(ihc_px, "ihc")[0]), inside)


class LinkedCameras:
    """Keeps two cameras at the same place, in both directions, without ever answering itself.

    Parameters
    ----------
    link : Link
    ihc, he : napari.components.ViewerModel
    at_rest : callable
        Called (with the centre of the IHC's view) by :meth:`rest`.
    moved : callable
        Called after each step of a camera; arms the timer that calls :meth:`rest`.
    """

    def __init__(
        self,
        link: Link,
        ihc: Any,
        he: Any,
        *,
        at_rest: Callable[[tuple[float, float]], None],
        moved: Callable[[], None],
    ) -> None:
        self.link, self.ihc, self.he = link, ihc, he
        self.on = True
        self._at_rest, self._moved = at_rest, moved
        self._following = False
        for viewer, slot in ((ihc, self._ihc_moved), (he, self._he_moved)):
            viewer.scene.camera.events.center.connect(slot)
            viewer.scene.camera.events.zoom.connect(slot)

    def close(self) -> None:
        """Let the cameras go their own ways."""
        for viewer, slot in ((self.ihc, self._ihc_moved), (self.he, self._he_moved)):
            viewer.scene.camera.events.center.disconnect(slot)
            viewer.scene.camera.events.zoom.disconnect(slot)

    def rest(self) -> None:
        """Set the H&E right for where the view has come to rest."""
        self._at_rest(centre_of(self.ihc))

    def sync(self) -> None:
        """Let the H&E's camera follow the IHC's now."""
        self._follow(self.ihc, self.he, "ihc")

    def _ihc_moved(self, *_: Any) -> None:
        self._follow(self.ihc, self.he, "ihc")

    def _he_moved(self, *_: Any) -> None:
        self._follow(self.he, self.ihc, "he")

    def _follow(self, leader: Any, follower: Any, side: Side) -> None:
        if self._following or not self.on:
            return
        self._following = True
        try:
            follower.scene.camera.zoom = leader.scene.camera.zoom
            follower.scene.camera.center = (0.0, *self.link.across(centre_of(leader), side))
        finally:
            self._following = False
        self._moved()


def centre_of(viewer: Any) -> tuple[float, float]:
    """Return the middle of a view, world µm (row, col)."""
    row, col = viewer.scene.camera.center[-2:]
    return float(row), float(col)
