"""What happens when a person draws areas: new ones, chosen ones, moved corners, boolean operations. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_her2._napari.editing_overlay import Sheet, ViewPicture, draw_areas
from napari_her2._napari.session import Message
from napari_her2.annotation import AreaBook, combined, new_area, polygon_of, rings_of, simplified
from napari_her2.errors import Her2Error
from napari_her2.geometry import Affine, Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_her2._napari.editing_case import EditCase
    from napari_her2._napari.editing_state import EditState
    from napari_her2.annotation import Area, Operation, View

__all__ = ["AreaEditor", "AreaState", "DrawTool"]

DrawTool = Literal["choose", "polygon", "rectangle", "lasso", "corners"]

MODES = {"polygon": "add_polygon", "rectangle": "add_rectangle", "lasso": "add_polygon_lasso"}
AREAS, NEW = "areas", "area being drawn"
CLICK_PX = 4


@dataclass
class AreaState:
    """What of the areas is chosen; every change of a field emits ``events.<field>``."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    name: str = "Tumor"
    tool: DrawTool = "choose"
    chosen: tuple[str, ...] = ()
    version: int = 0
    tolerance_um: float = 0.0


class AreaEditor:
    """Keeps the areas of a slide, shows those in view, lets a person change them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    state : EditState
        Takes the messages.
    later : callable
        Calls a function when napari has finished with an event.
    """

    def __init__(self, viewer: Any, state: EditState, later: Callable[[Callable[[], None]], None]) -> None:
        self.viewer, self.state, self.areas = viewer, state, AreaState()
        self.book: AreaBook | None = None
        self.case: EditCase | None = None
        self.picture = ViewPicture(viewer, AREAS)
        self._later = later
        self._slide: Any = None
        self._drawing: Any = None
        self._edited: str | None = None
        self.tint, self.front = True, False
        self._view: View | None = None

    # ------------------------------------------------------------------ opening

    def open(self, case: EditCase, slide: Any) -> None:
        """Open the areas of a slide whose layer is ``slide``."""
        self.close()
        try:
            self.book = AreaBook(case.areas_file)
        except Her2Error as error:
            self._say(error)
            return
        self.case, self._slide = case, slide
        if self.book.notes:
            self.state.message = Message(" ".join(self.book.notes)[:500], "warning")
        self.areas.version += 1

    def close(self) -> None:
        """Take the layers away; everything is on the disk already."""
        self._end_drawing()
        self.picture.clear()
        self.book = self.case = self._slide = self._view = None
        self.areas.chosen = ()

    # ------------------------------------------------------------------ showing

    def show(self, view: View | None, rows_px: int) -> None:
        """Draw what is in view."""
        self._view = view or self._view
        case, book = self.case, self.book
        if self._view is None or book is None or case is None:
            return
        if not len(book):
            self.picture.clear()
            return
        sheet = Sheet.over(self._view, rows_px)
        um = case.target.um_per_px
        shown = [
            self._previewed(area)
            for area in book.inside(_box(sheet.bounds_um, um))
            if area.key != self._edited
        ]
        draw_areas(sheet, shown, um, self.areas.chosen, tint=self.tint)
        fresh = self.picture.layer is None
        self.picture.show(sheet, self._slide)
        if fresh:
            self.picture.layer.mouse_drag_callbacks.append(self._click)
            if self.front and self._drawing is None:
                self.viewer.layers.selection.active = self.picture.layer

    def redraw(self) -> None:
        """Draw again what was in view."""
        self.show(None, self.viewer.canvas.size[0])

    def _previewed(self, area: Area) -> Area:
        """Return an area as it would be after the simplification that is being chosen."""
        if area.key in self.areas.chosen and self.areas.tolerance_um and self.case is not None:
            tolerance = self.areas.tolerance_um / self.case.target.um_per_px
            return replace(area, shape=simplified(area.shape, tolerance))
        return area

    # ------------------------------------------------------------------ choosing

    def choose(self, *keys: str, add: bool = False) -> None:
        """Choose areas by their keys; ``add`` to those that are chosen already, or takes them out."""
        before = self.areas.chosen if add else ()
        kept = tuple(key for key in before if key not in keys)
        self.areas.chosen = (*kept, *(key for key in keys if key not in before))
        self.redraw()

    def choose_at(self, position: Any, *, add: bool = False) -> None:
        """Choose the smallest area under a place of the world."""
        if self.book is None or self.case is None:
            return
        row, col = self._to_px(np.asarray(position)[-2:])
        reach = max(1, round(CLICK_PX / self.viewer.scene.camera.zoom / self.case.target.um_per_px))
        box = Box(int(row) - reach, int(col) - reach, 2 * reach + 1, 2 * reach + 1)
        found = self.book.inside(box)
        if found:
            self.choose(found[-1].key, add=add)
        elif not add:
            self.choose()

    def _click(self, layer: Any, event: Any) -> Iterator[None]:
        start = np.asarray(event.pos)
        add = "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos) - start).max() < CLICK_PX and event.button == 1:
            self.choose_at(event.position, add=add)

    def go_to(self, key: str) -> tuple[float, float, float] | None:
        """Return the middle (row, col in µm) of an area and what to show across; None if it is gone."""
        area = self.book.get(key) if self.book is not None else None
        if area is None or self.case is None:
            return None
        um = self.case.target.um_per_px
        top, left, bottom, right = (value * um for value in area.shape.bounds)
        return (top + bottom) / 2, (left + right) / 2, max(bottom - top, (right - left) * 0.7, 20.0) * 1.6

    # ------------------------------------------------------------------ drawing

    def take(self, tool: DrawTool) -> None:
        """Take a tool in hand."""
        self._end_drawing()
        self.areas.tool = tool
        if tool == "corners":
            self._edit_corners()
        elif tool != "choose" and self.book is not None:
            self._drawing = self._shapes([], "polygon")
            self._drawing.mode = MODES[tool]
            self._drawing.events.data.connect(self._on_drawn)
        elif self.picture.layer is not None:
            self.viewer.layers.selection.active = self.picture.layer

    def _shapes(self, rings_um: list[NDArray[np.float64]], kind: str) -> Any:
        from napari.layers import Shapes

        from napari_her2.annotation import AREA_COLOURS

        colour = AREA_COLOURS.get(self.areas.name, "#ffffff")
        zoom, affine = self.viewer.scene.camera.zoom or 1.0, np.asarray(self._slide.affine)
        layer = Shapes(
            rings_um or None, ndim=2, shape_type=kind, name=NEW, edge_color=colour, face_color=f"{colour}30",
            edge_width=3 / zoom, units=("um", "um"), axis_labels=("y", "x"), affine=affine,
        )  # fmt: skip
        self.viewer.layers.append(layer)
        self.viewer.layers.selection.active = layer
        return layer

    def _on_drawn(self, event: Any) -> None:
        if str(getattr(event, "action", "")).rpartition(".")[2].lower() == "added":
            self._later(self.drawn)

    def drawn(self) -> None:
        """Keep what was drawn, and let the person draw the next."""
        layer = self._drawing
        if layer is None or not len(layer.data) or self.case is None:
            return
        rings = [np.asarray(ring, np.float64) for ring in layer.data]
        with layer.events.data.blocker():
            layer.data = []
        um = self.case.target.um_per_px
        try:
            made = [new_area(polygon_of(ring / um), self.areas.name, self.case.log.who) for ring in rings]
            self._change("draw", put=made)
        except Her2Error as error:
            self._say(error)
        layer.mode = MODES.get(self.areas.tool, "pan_zoom")

    def _edit_corners(self) -> None:
        area = self._one_chosen()
        if area is None or self.case is None:
            self.areas.tool = "choose"
            return
        um = self.case.target.um_per_px
        self._edited = area.key
        rings = [ring * um for part in rings_of(area.shape) for ring in part]
        self.areas.name = area.name
        self._drawing = self._shapes(rings, "polygon")
        self._drawing.mode = "direct"
        self._drawing.selected_data = set(range(len(rings)))
        self.redraw()

    def _end_drawing(self) -> None:
        """Keep moved corners, take the layer of the pen away."""
        layer, key = self._drawing, self._edited
        self._drawing = self._edited = None
        if layer is None:
            return
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        if key is not None and self.book is not None and self.case is not None:
            self._keep_corners(key, [np.asarray(ring, np.float64) for ring in layer.data])
        self.areas.tool = "choose"

    def _keep_corners(self, key: str, rings_um: list[NDArray[np.float64]]) -> None:
        area, case = self.book.get(key) if self.book is not None else None, self.case
        if area is None or case is None:
            return
        um = case.target.um_per_px
        was = [ring for part in rings_of(area.shape) for ring in part]
        now = [ring / um for ring in rings_um]
        if len(was) == len(now) and all(
            a.shape == b.shape and np.allclose(a, b) for a, b in zip(was, now, strict=True)
        ):
            return
        try:
            self._change("corners", put=[self._new_shape(area, _even_odd(now))])
        except Her2Error as error:
            self._say(error)

    # ------------------------------------------------------------------ changing

    def set_class(self, name: str) -> None:
        """Give the chosen areas a class; the next ones get it, too."""
        self.areas.name = name
        chosen = [area for area in self._chosen() if area.name != name]
        if chosen and self.case is not None:
            who = self.case.log.who
            self._try("class", lambda: ([replace(area, name=name, who=who) for area in chosen], []))

    def combine(self, how: Operation) -> None:
        """Put the chosen areas together; the first that was chosen keeps its class and place in the list."""
        chosen = self._chosen()

        def act() -> tuple[list[Area], list[str]]:
            shape = combined([area.shape for area in chosen], how)
            return [self._new_shape(chosen[0], shape)], [area.key for area in chosen[1:]]

        self._try(how, act)

    def simplify(self) -> None:
        """Keep the simplification that is shown."""
        case, tolerance = self.case, self.areas.tolerance_um
        if case is None or not tolerance:
            return
        px = tolerance / case.target.um_per_px
        self.areas.tolerance_um = 0.0
        self._try(
            "simplify", lambda: ([self._new_shape(a, simplified(a.shape, px)) for a in self._chosen()], [])
        )

    def remove(self) -> None:
        """Take the chosen areas away."""
        keys = list(self.areas.chosen)
        self.areas.chosen = ()
        self._try("remove", lambda: ([], keys))

    def undo(self) -> None:
        """Take the last act back."""
        self._turn("undo")

    def redo(self) -> None:
        """Do it again."""
        self._turn("redo")

    def _turn(self, act: str) -> None:
        if self.book is None or self.case is None:
            return
        try:
            if getattr(self.book, act)():
                self.case.log.append({"act": act, "areas": self.case.target.role})
        except Her2Error as error:
            self._say(error)
        self._changed()

    def _try(self, word: str, act: Callable[[], tuple[list[Area], list[str]]]) -> None:
        try:
            put, drop = act()
            self._change(word, put, drop)
        except Her2Error as error:
            self._say(error)

    def _change(self, word: str, put: list[Area], drop: list[str] | None = None) -> None:
        """Keep a change in the book and in the log."""
        book, case = self.book, self.case
        if book is None or case is None:
            return
        keys = [*(area.key for area in put), *(drop or [])]
        before = [area for key in keys if (area := book.get(key)) is not None]
        book.change(put, drop or [])
        um = case.target.um_per_px
        entry = {"act": "areas", "tool": word, "areas": case.target.role}
        case.log.append({**entry, "before": _facts(before, um), "after": _facts(put, um)})
        self._changed()

    def _changed(self) -> None:
        if self.book is not None:
            self.areas.chosen = tuple(key for key in self.areas.chosen if self.book.get(key) is not None)
        self.areas.version += 1
        self.redraw()

    def _new_shape(self, area: Area, shape: Any) -> Area:
        who = self.case.log.who if self.case is not None else ""
        return replace(new_area(shape, area.name, who), key=area.key)

    def _chosen(self) -> list[Area]:
        book = self.book
        found = (book.get(key) for key in self.areas.chosen) if book is not None else ()
        return [area for area in found if area is not None]

    def _one_chosen(self) -> Area | None:
        chosen = self._chosen()
        if len(chosen) != 1:
            self.state.message = Message("Click the one area whose corners you want to move.")
            return None
        return chosen[0]

    def _to_px(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        um = self.case.target.um_per_px if self.case is not None else 1.0
        found: NDArray[np.float64] = (
            Affine.from_matrix(np.asarray(self._slide.affine)).inverse([world])[0] / um
        )
        return found

    def _say(self, error: BaseException) -> None:
        self.state.message = Message(f"{error}."[:500], "error")


def _box(bounds_um: tuple[float, float, float, float], um_per_px: float) -> Box:
    top, left, bottom, right = (value / um_per_px for value in bounds_um)
    return Box(int(top), int(left), max(int(bottom - top) + 1, 1), max(int(right - left) + 1, 1))


def _even_odd(rings: list[NDArray[np.float64]]) -> Any:
    """Return what lies inside an odd number of rings: moved outlines and holes as one shape."""
    shape = polygon_of(rings[0])
    for ring in rings[1:]:
        shape = shape.symmetric_difference(polygon_of(ring))
    return combined([shape, shape], "union")


def _facts(areas: list[Area], um_per_px: float) -> list[dict[str, Any]]:
    """Return what the log says about areas; of very many only how many and how large."""
    if len(areas) > 50:
        return [{"areas": len(areas), "mm2": round(sum(a.mm2(um_per_px) for a in areas), 6)}]
    return [
        {"key": a.key, "class": a.name, "mm2": round(a.mm2(um_per_px), 6), "corners": a.corners}
        for a in areas
    ]
