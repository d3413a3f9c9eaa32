"""What happens when a person judges cells: exclude, include, another class; the call follows. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_her2._napari.editing_overlay import Dots, Sheet, ViewPicture, draw_dots
from napari_her2._napari.session import Message
from napari_her2.errors import Her2Error
from napari_her2.geometry import Affine
from napari_her2.pipeline import judged_cells, recount
from napari_her2.review import cell_entry, read_cell_verdicts
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_her2._napari.editing_case import EditCase
    from napari_her2._napari.editing_lanes import Lanes
    from napari_her2._napari.editing_state import EditState
    from napari_her2.annotation import View
    from napari_her2.cells import CellTable
    from napari_her2.pipeline import Recount
    from napari_her2.review import CellVerdicts

__all__ = ["CellEditor", "CellState"]

REACH_UM = 8.0
"""A click belongs to the nearest cell within this distance."""

CELLS = "cells to judge"
CLICK_PX = 4


@dataclass
class CellState:
    """What is being said about cells; every change of a field emits ``events.<field>``."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    verdict: str = "exclude"
    result: Recount | None = None
    counting: bool = False
    verdicts: int = 0


class CellEditor:
    """Shows the cells of a case in view and takes verdicts on them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    state : EditState
        Takes the messages.
    lanes : Lanes
    """

    def __init__(self, viewer: Any, state: EditState, lanes: Lanes) -> None:
        self.viewer, self.state, self.lanes = viewer, state, lanes
        self.cells = CellState()
        self.case: EditCase | None = None
        self.table: CellTable | None = None
        self.judged: CellTable | None = None
        self.picture = ViewPicture(viewer, CELLS)
        self._slide: Any = None
        self._tree: Any = None
        self._view: View | None = None
        self._turn = 0
        self._lasso: list[list[float]] = []

    def open(self, case: EditCase, slide: Any) -> None:
        """Read the cells of a finished case."""
        self.close()
        if case.target.role != "ihc" or case.bundle is None:
            return
        self.case, self._slide, bundle = case, slide, case.bundle
        turn = self._turn

        def work() -> tuple[CellTable, Any]:
            from scipy.spatial import cKDTree

            table = bundle.unjudged_cells()
            return table, cKDTree(table.points_px)

        def done(found: tuple[CellTable, Any]) -> None:
            if turn == self._turn:
                self.table, self._tree = found
                self._judge()

        self.lanes.submit("look", work, done, self._failed)

    def close(self) -> None:
        """Take the layer away; every verdict is in the log already."""
        self._turn += 1
        self.picture.clear()
        self.case = self.table = self.judged = self._slide = self._tree = self._view = None
        self.cells.result, self.cells.verdicts = None, 0

    # ------------------------------------------------------------------ showing

    def show(self, view: View | None, rows_px: int) -> None:
        """Draw the cells in view."""
        self._view = view or self._view
        if self._view is None or self.judged is None or self.table is None or self.case is None:
            return
        sheet = Sheet.over(self._view, rows_px)
        um = self.case.target.um_per_px
        chosen = self._inside(sheet.bounds_um, um)
        draw_dots(sheet, self._dots(chosen, um))
        fresh = self.picture.layer is None
        self.picture.show(sheet, self._slide)
        if fresh:
            self.picture.layer.mouse_drag_callbacks.append(self._drag)
            self.viewer.layers.selection.active = self.picture.layer

    def hide(self) -> None:
        """Take the dots away until they are shown again."""
        self.picture.clear()

    def _inside(self, bounds_um: tuple[float, float, float, float], um: float) -> NDArray[np.intp]:
        """Return the cells in view; rows are sorted, so that only those between two rows are looked at."""
        judged = self.judged
        if judged is None:
            return np.empty(0, np.intp)
        top, left, bottom, right = (value / um for value in bounds_um)
        first, last = np.searchsorted(judged.row_px, (top, bottom))
        col = judged.col_px[first:last]
        return np.flatnonzero((col >= left) & (col < right)) + first

    def _dots(self, chosen: NDArray[np.intp], um: float) -> Dots:
        judged, table = self.judged, self.table
        if judged is None or table is None:
            return Dots(np.empty((0, 2)), np.empty((0, 4), np.uint8), np.empty(0, bool), np.empty(0, bool))
        code = judged.class_code[chosen]
        counts = judged.evaluable[chosen]
        said = (code != table.class_code[chosen]) | (counts != table.evaluable[chosen])
        colours = np.where(counts[:, None], _PALETTE[code], _GREY).astype(np.uint8)
        return Dots(judged.points_px[chosen] * um, colours, ~counts, said)

    # ------------------------------------------------------------------ judging

    def judge_at(self, position: Any) -> None:
        """Give the verdict in hand to the cell under a place of the world."""
        if self._tree is None or self.case is None:
            return
        um = self.case.target.um_per_px
        distance, index = self._tree.query(self._to_px(position), distance_upper_bound=REACH_UM / um)
        if np.isfinite(distance):
            self.judge(np.array([index]), "click")

    def judge_ring(self, ring_um: NDArray[np.float64]) -> None:
        """Give the verdict in hand to every cell inside a ring (µm of the slide)."""
        from shapely import Polygon, contains_xy, prepare

        if self.judged is None or self.case is None or len(ring_um) < 3:
            return
        um = self.case.target.um_per_px
        low, high = ring_um.min(axis=0), ring_um.max(axis=0)
        near = self._inside((low[0], low[1], high[0], high[1]), um)
        shape = Polygon(ring_um / um).buffer(0)
        prepare(shape)
        points = self.judged.points_px[near]
        inside = near[contains_xy(shape, points[:, 0], points[:, 1])]
        if self.cells.verdict in CELL_CLASSES:  # among many, a class is meant for the cells that count
            inside = inside[self.judged.evaluable[inside]]
        self.judge(inside, "lasso")

    def judge(self, chosen: NDArray[np.intp], tool: str) -> None:
        """Give the verdict in hand to cells; what does not change is left alone."""
        judged, case = self.judged, self.case
        if judged is None or case is None:
            return
        verdict = self.cells.verdict
        chosen = chosen[_would_change(judged, chosen, verdict)]
        if not len(chosen):
            self.state.message = Message("These cells are so already.") if tool == "lasso" else None
            return
        entry = cell_entry(judged.points_px[chosen], verdict, _words(judged, chosen), tool)
        self._log(entry)

    def undo(self) -> None:
        """Take the last verdict back."""
        if self.case is not None and self.cells.verdicts:
            self._log({"act": "undo-cells"})

    def _log(self, entry: dict[str, Any]) -> None:
        if self.case is None:
            return
        try:
            self.case.log.append(entry)
        except Her2Error as error:
            self._failed(error)
            return
        self.state.message = None
        self._judge()

    def _judge(self) -> None:
        """Put all verdicts of the log on the table, and count anew."""
        if self.table is None or self.case is None:
            return
        entries = self.case.log.of("cells", "undo-cells")
        verdicts = read_cell_verdicts(entries)
        self.judged, lost = judged_cells(self.table, verdicts, self.case.target.um_per_px)
        self.cells.verdicts = _standing(entries)
        if lost:
            self.state.message = Message(
                f"{lost} verdicts belong to cells that this run did not find: they are kept in the log."
            )
        self.show(None, self.viewer.canvas.size[0])
        self._count(verdicts)

    def _count(self, verdicts: CellVerdicts) -> None:
        case, table = self.case, self.table
        if case is None or table is None or case.bundle is None:
            return
        self._turn += 1
        turn, bundle = self._turn, case.bundle
        self.cells.counting = True

        def done(result: Recount) -> None:
            if turn == self._turn:
                self.cells.counting = False
                self.cells.result = result

        self.lanes.submit("look", lambda: recount(bundle, table, verdicts), done, self._failed)

    # ------------------------------------------------------------------ the mouse

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Click for one cell; with Shift draw around many."""
        if event.button != 1:
            return
        start, around = np.asarray(event.pos), "Shift" in event.modifiers
        layer.mouse_pan = not around
        ring = [self._to_px(event.position)]
        yield
        while event.type == "mouse_move":
            ring.append(self._to_px(event.position))
            yield
        layer.mouse_pan = True
        um = self.case.target.um_per_px if self.case is not None else 1.0
        if around:
            self.judge_ring(np.array(ring) * um)
        elif np.abs(np.asarray(event.pos) - start).max() < CLICK_PX:
            self.judge_at(event.position)

    def _to_px(self, position: Any) -> NDArray[np.float64]:
        um = self.case.target.um_per_px if self.case is not None else 1.0
        place = Affine.from_matrix(np.asarray(self._slide.affine)).inverse([np.asarray(position)[-2:]])
        found: NDArray[np.float64] = place[0] / um
        return found

    def _failed(self, error: BaseException) -> None:
        self.cells.counting = False
        known = isinstance(error, Her2Error)
        text = f"{error}." if known else f"Something went wrong inside ({type(error).__name__}: {error})."
        self.state.message = Message(text[:500], "error")


_GREY = np.array((120, 120, 120, 255), np.uint8)
_PALETTE = np.array(
    [[*(int(COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)), 255] for name in CELL_CLASSES], np.uint8
)


def _would_change(cells: CellTable, chosen: NDArray[np.intp], verdict: str) -> NDArray[np.bool_]:
    counts = cells.evaluable[chosen]
    if verdict == "exclude":
        return counts
    if verdict == "include":
        return ~counts
    if verdict == "model":
        return np.ones(len(chosen), bool)
    return np.asarray(cells.class_code[chosen] != CELL_CLASSES.index(verdict))


def _words(cells: CellTable, chosen: NDArray[np.intp]) -> list[str]:
    """Return what holds of each cell: its class, and why it does not count."""
    names = [CELL_CLASSES[code] for code in cells.class_code[chosen]]
    reasons = [EXCLUDED_REASONS[code] for code in cells.excluded[chosen]]
    inside = cells.in_tumour[chosen]
    return [
        name if counts and not reason else f"{name} ({reason or 'not in the tumour'})"
        for name, reason, counts in zip(names, reasons, inside, strict=True)
    ]


def _standing(entries: Sequence[dict[str, Any]]) -> int:
    """How many verdicts were given and not taken back."""
    n = 0
    for entry in entries:
        n = max(0, n + (1 if entry["act"] == "cells" else -1))
    return n
