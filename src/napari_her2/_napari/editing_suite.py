"""All that the dock "Correct masks" does, tied together: mask, areas, cells, what is left. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from napari_her2._napari.blind import HIDDEN
from napari_her2._napari.editing import MaskEditor
from napari_her2._napari.editing_areas import AreaEditor
from napari_her2._napari.editing_canvas import EditCanvas
from napari_her2._napari.editing_case import edit_case
from napari_her2._napari.editing_cells import CellEditor
from napari_her2._napari.editing_places import UncertainPlaces
from napari_her2._napari.editing_reviewed import ReviewedProgress
from napari_her2._napari.editing_state import EditState
from napari_her2._napari.editing_steps import pyramid_behind
from napari_her2._napari.editing_tools import EditTools
from napari_her2._napari.layers import CELLS
from napari_her2._napari.session import Message
from napari_her2.annotation import REVIEWED, reviewed_shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2._napari.editing_case import EditCase
    from napari_her2._napari.editing_lanes import Lanes
    from napari_her2._napari.editing_reviewed import Overview
    from napari_her2._napari.session import Session, SlideRole
    from napari_her2._napari.tiles import TileLoader

__all__ = ["EditSuite", "Page"]

Page = Literal["paint", "areas", "cells"]


class EditSuite:
    """Corrections of one slide at a time.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    session : Session
        The open slides.
    lanes : Lanes
    loader : TileLoader
    later : callable
        Calls a function when napari has finished with an event.
    """

    def __init__(
        self,
        viewer: Any,
        session: Session,
        lanes: Lanes,
        loader: TileLoader,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.viewer, self.session, self.lanes = viewer, session, lanes
        self.state = EditState()
        self.canvas = EditCanvas(viewer)
        self.editor = MaskEditor(self.state, self.canvas, lanes, loader)
        self.tools, self.places = EditTools(self.editor), UncertainPlaces(self.editor)
        self.areas = AreaEditor(viewer, self.state, later)
        self.cells = CellEditor(viewer, self.state, lanes)
        self.shown: Callable[[Overview], None] = lambda overview: None
        self.reviewed = ReviewedProgress(lanes, lambda overview: self.shown(overview), self.editor._failed)
        self.case: EditCase | None = None
        self.folder: Path | None = None
        self.page: Page = "paint"
        self._hidden = False
        self.areas.areas.events.version.connect(self._areas_changed)

    def start(self, role: SlideRole, kind: str, reader: str) -> None:
        """Open a mask of a slide with its areas and cells."""
        self.stop()
        case = edit_case(self.session, role, reader, self.folder)
        if self.session.blind:
            self.state.message = Message(HIDDEN, "warning")
            return
        if case is None:
            self.state.message = Message("Open the slide first, and give its pixel size.", "warning")
            return
        self.case, self.state.message = case, None
        probability = case.raster("tumour")
        self.tools.probability = probability
        self.places.use(probability if kind == "exclusions" else case.raster(kind))
        self.editor.open(case.target, kind, case.log, case.raster)
        layers = self.viewer.layers
        slide = next((one for one in layers if pyramid_behind(one) is case.target.pyramid), None)
        if slide is not None:
            self.areas.open(case, slide)
            self.cells.open(case, slide)

    def stop(self) -> None:
        """Save and take the layers away."""
        self._show_case_cells(shown=True)
        self.canvas.hide(hidden=False)
        self.areas.close()
        self.cells.close()
        self.tools.lines.clear()
        self.editor.close_mask()
        self.case = None

    def close(self) -> None:
        """End; returns when everything is on the disk."""
        self.areas.areas.events.disconnect()
        self.stop()
        self.editor.close()

    def halt(self) -> None:
        """End after the viewer is gone; returns when everything is on the disk."""
        self.areas.areas.events.disconnect()
        self.state.events.disconnect()
        self.editor.halt()

    def turn_to(self, page: Page) -> None:
        """Show another page of the dock: what it needs comes to the front."""
        self.page = page
        if page != "areas":
            self.areas.take("choose")
        self.canvas.hide(hidden=page == "cells")
        self.tools.hide_lines(hidden=page != "paint")
        self._show_case_cells(shown=page != "cells")
        self.areas.front = page == "areas"
        self.areas.tint = page != "cells"  # nothing colours the membranes that are judged
        self.areas.redraw()
        if page == "cells":
            self.cells.show(self.canvas.view(), self.viewer.canvas.size[0])
        else:
            self.cells.hide()
        front = {
            "paint": self.canvas.layer,
            "areas": self.areas.picture.layer,
            "cells": self.cells.picture.layer,
        }
        layer = front[page]
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.selection.active = layer

    def _show_case_cells(self, *, shown: bool) -> None:
        """Hide the program's dots while a person judges the same cells."""
        layer = next((one for one in self.viewer.layers if one.name == CELLS), None)
        if layer is not None and not shown and layer.visible:
            layer.visible, self._hidden = False, True
        elif layer is not None and shown and self._hidden:
            layer.visible, self._hidden = True, False

    def look(self) -> None:
        """Follow the view."""
        self.editor.look()
        self.tools.prepare()
        view, rows = self.canvas.view(), self.viewer.canvas.size[0]
        self.areas.show(view, rows)
        if self.page == "cells":
            self.cells.show(view, rows)

    def change(self, settings: dict[str, Any]) -> None:
        """Change tool, class or sizes of the brush."""
        self.editor.change(**settings)
        self.tools.prepare()

    def mark_reviewed(self, tool: Any) -> None:
        """Let the person draw a reviewed area."""
        self.areas.areas.name = REVIEWED
        self.areas.take(tool)

    def go_to_left(self) -> None:
        """Go to where most is left to be reviewed."""
        latest = self.reviewed.latest
        place = latest.coverage.next_left() if latest is not None else None
        if place is None:
            self.state.message = Message("All of it is reviewed.")
        else:
            self.canvas.go_to(*place, 400.0)

    def go_to_area(self, key: str) -> None:
        """Go to an area of the list."""
        self.areas.choose(key)
        place = self.areas.go_to(key)
        if place is not None:
            self.canvas.go_to(*place)

    def fill_mask(self) -> None:
        """Give the chosen areas the class of the brush in the mask."""
        for area in self.areas._chosen():
            self.editor.fill_area(area.shape, area.mm2(self.case.target.um_per_px if self.case else 1.0))

    def _areas_changed(self, *_: Any) -> None:
        book, case = self.areas.book, self.case
        if book is not None and case is not None:
            self.places.reviewed = reviewed_shape(book)
            self.reviewed.update(case, book)
