"""The glass over the main canvas, kept in step with camera and overlays, and the keys that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_her2._napari import layers as data
from napari_her2._napari.density import NEAR, cells_of
from napari_her2._napari.hands import Ruler
from napari_her2._napari.hud import counted_words, legend_for, magnification_words
from napari_her2._napari.probe import error_words
from napari_her2._napari.shortcuts import keys_in
from napari_her2._napari.stains import StainView
from napari_her2._napari.viewing import MAGNIFICATIONS, visible_um, zoom_of
from napari_her2._napari.widgets.glass import Glass, Ring, canvas_of
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.cell_index import CellIndex
    from napari_her2._napari.session import Session
    from napari_her2.geometry import Affine

    Place = tuple[float, float]

__all__ = ["Hud"]

REST_MS = 140
"""The view is at rest after this long without a move."""
STILL_PX = 2.0
"""A place that is no farther from the mouse than this still lies under it: zooming rounds."""
USUAL_UM = 500.0
"""Diameter of the circle that is counted first: about a field of 40 times."""


class Hud:
    """Magnification, legend and field counter of one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    canvas : CaseCanvas
    cell_limit : int
        So many cells are drawn at most.
    """

    def __init__(self, viewer: Any, session: Session, canvas: CaseCanvas, cell_limit: int = 60000) -> None:
        self.viewer, self.session, self.canvas = viewer, session, canvas
        self._limit = cell_limit
        self.glass = Glass(viewer, canvas_of(viewer))
        self._layers: list[Any] = []
        self._counts: Any = None
        self.stain = StainView(session, canvas)
        for signal in self._of_view():
            signal.connect(self.show_view)
        for signal in (viewer.layers.events.inserted, viewer.layers.events.removed):
            signal.connect(self.show_legend)
        session.events.result.connect(self.show_view)
        session.events.circle_um.connect(self._circle_chosen)
        session.events.tool.connect(self._take_up)
        viewer.mouse_move_callbacks.append(self._moved)
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._rested)
        self.glass.destroyed.connect(self._rest.stop)  # a window that closes takes it away before us
        self._cursor: Place | None = None
        self._pointer: Any = None
        self.glass.left = self.forget_pointer
        self._diameter = USUAL_UM
        self.show_view()

    def _of_view(self) -> tuple[Any, ...]:
        """Return what tells that something else is in view."""
        camera = self.viewer.scene.camera.events
        return camera.zoom, camera.center, self.viewer.canvas.events.size

    def keys(self) -> dict[str, Callable[[Any], Any]]:
        """Return the keys: magnifications, and Q held to see the slide alone."""
        keys = keys_in("window")
        found: dict[str, Callable[[Any], Any]] = {keys["peek"]: self._peek}
        for number, wanted in enumerate(MAGNIFICATIONS, start=1):
            # No partial: napari asks every bound function for its name, and fails at any key without one.
            found[keys[f"magnify_{number}"]] = self._magnifying(wanted)
        found[keys["one_stain"]] = self.stain.cycle
        found[keys["ruler"]] = self.switch_ruler
        found[keys["circle"]] = self.switch_circle
        return found

    def _magnifying(self, wanted: float) -> Callable[[Any], None]:
        def magnify(viewer: Any) -> None:
            self._magnified(wanted, viewer)

        return magnify

    def magnify(self, wanted: float) -> None:
        """Look at the middle of the view at a magnification."""
        self.viewer.scene.camera.zoom = zoom_of(wanted)

    def _magnified(self, wanted: float, _: Any) -> None:
        self.magnify(wanted)

    def _peek(self, _: Any) -> Iterator[None]:
        """Hide all overlays while the key is held."""
        hidden = self.canvas.hide_overlays()
        yield
        for layer in hidden:
            layer.visible = True

    def switch_ruler(self, *_: Any) -> None:
        """Take up the ruler, or put it down."""
        self.session.tool = "" if self.session.tool == "ruler" else "ruler"

    def switch_circle(self, *_: Any) -> None:
        """Count the cells in a circle under the cursor, or in the view."""
        self.session.circle_um = 0.0 if self.session.circle_um else self._diameter

    def _circle_chosen(self, *_: Any) -> None:
        self._diameter = self.session.circle_um or self._diameter
        self.show_view()

    def _take_up(self, *_: Any) -> None:
        """Give the mouse to the ruler while it is held."""
        self.glass.show_measured(None)
        if self.session.tool == "ruler":
            self.glass.hold(Ruler(self._slide_at, self.glass.show_measured, self._unit), self.hover)
        else:
            self.glass.hold(None)

    def _slide_at(self, place: Place) -> Affine:
        """Return the µm → world of the slide that lies at a place."""
        return self.canvas.place_of("he" if self.canvas.slide_at(place) == "he" else "ihc")

    def _unit(self) -> str:
        slide = self.session.ihc or self.session.he
        return "µm" if slide is None or slide.um_per_px is not None else "px"

    def _moved(self, viewer: Any, event: Any) -> None:
        row, col = event.position[-2:]
        self.hover((float(row), float(col)))

    def hover(self, place: Place) -> None:
        """Tell what lies under the cursor (world µm), and count around it where a circle is wanted."""
        self._cursor, self._pointer = place, self.glass.on_screen(place)
        self.glass.show_told(*self.told(place))
        if self.session.circle_um > 0:
            self.show_view()

    def forget_pointer(self) -> None:
        """Tell nothing more: the mouse has left the canvas. A circle stays where it was."""
        self._pointer = None
        self.glass.show_told()

    def _rested(self) -> None:
        """Tell what lies under a mouse that kept still while a key or a button moved the view."""
        if self._cursor is not None and self._pointer is not None:
            away = self.glass.on_screen(self._cursor) - self._pointer
            if away.manhattanLength() > STILL_PX:
                self.hover(self.glass.in_world(self._pointer))
        drawn = self.canvas.drawing()
        lines = [*self.canvas.overlay_layers(), *([] if drawn is None else [drawn])]
        data.fit_lines(lines, float(self.viewer.scene.camera.zoom))
        self.draw_near()

    def told(self, place: Place) -> tuple[str, ...]:
        """Return what is known of a place of the main canvas."""
        result, mapping, side = self.session.result, self.session.mapping, self.canvas.slide_at(place)
        if side is None:
            return ()
        row, col = self.canvas.place_of(side).inverse([place])[0]
        here = float(row), float(col)
        lines: tuple[str, ...] = ()
        if result is not None and result.probe is not None:
            lines = result.probe.at_ihc(here) if side == "ihc" else result.probe.at_he(here)
        if mapping is None:
            return lines
        if side == "he":
            row, col = mapping.he_to_ihc_um(np.array([here]))[0]
        return (*lines, error_words(mapping, (float(row), float(col))))

    def draw_near(self) -> None:
        """Draw all cells around the view, where those of the whole case are too many to be drawn."""
        result, index = self.session.result, self._index()
        if index is None or result is None or result.cells.total <= self._limit or not self._is_near():
            return
        corners = self.canvas.place_of("ihc").inverse(visible_um(self.viewer))
        low, high = corners.min(axis=0), corners.max(axis=0)
        pad = (high - low) / 2
        self.canvas.draw_cells(cells_of(index, low - pad, high + pad, self._limit))

    def _is_near(self) -> bool:
        return float(self.viewer.scene.camera.zoom) >= NEAR

    def _index(self) -> CellIndex | None:
        probe = None if self.session.result is None else self.session.result.probe
        return None if probe is None else probe.cells

    def show_view(self, *_: Any) -> None:
        """Show magnification and counts for what is in view, or under the circle."""
        lines = []
        if self.session.ihc is not None and self.session.ihc.um_per_px is not None:
            lines.append(magnification_words(self.viewer.scene.camera.zoom))
        self.canvas.show_near(self._is_near())
        self._counts = self._counted()
        circle_um = self.session.circle_um
        if self._counts is not None:
            lines.append(counted_words(int(self._counts.sum()), circle_um))
        ring = None if not circle_um or self._cursor is None else Ring(self._cursor, circle_um / 2)
        self.glass.show_circle(ring)
        self.glass.show_lines(*lines)
        self._write_legend()
        self._rest.start()

    def _counted(self) -> Any:
        """Return the cells by class that are in the view or under the circle; None where there are none."""
        index = self._index()
        if index is None or self.canvas.layer("ihc") is None:
            return None
        back = self.canvas.place_of("ihc").inverse
        if self.session.circle_um > 0:
            if self._cursor is None:
                return np.zeros(len(CELL_CLASSES), np.int64)
            row, col = back([self._cursor])[0]
            return index.by_class(index.in_circle((float(row), float(col)), self.session.circle_um))
        corners = back(visible_um(self.viewer))
        return index.by_class(index.within(corners.min(axis=0), corners.max(axis=0)))

    def show_legend(self, *_: Any) -> None:
        """Show what the colours on the canvas mean."""
        self._rest.start()
        self._follow()
        self._write_legend()

    def _write_legend(self) -> None:
        self.glass.show_legend(legend_for(self.canvas.visible_keys(), self._counts))

    def _follow(self) -> None:
        """Hear when one of our layers is shown or hidden."""
        for layer in self._layers:
            layer.events.visible.disconnect(self.show_legend)
        self._layers = self.canvas.overlay_layers()
        for layer in self._layers:
            layer.events.visible.connect(self.show_legend)

    def close(self) -> None:
        """Take the glass away."""
        self._rest.stop()
        self.viewer.mouse_move_callbacks.remove(self._moved)
        for signal in self._of_view():
            signal.disconnect(self.show_view)
        for signal in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            signal.disconnect(self.show_legend)
        for layer in self._layers:
            layer.events.visible.disconnect(self.show_legend)
        self._layers = []
        self.stain.forget()
        self.glass.leave()
