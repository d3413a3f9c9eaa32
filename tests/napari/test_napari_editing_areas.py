"""Areas and cells without a window: drawn, chosen, combined, judged; ten thousand of them."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade
from tests.napari.editing import UM, Bench

from napari_her2._napari.editing_areas import AreaEditor
from napari_her2._napari.editing_case import EditCase
from napari_her2._napari.editing_cells import CellEditor
from napari_her2._napari.editing_overlay import Sheet, draw_areas
from napari_her2._napari.editing_reviewed import ReviewedProgress
from napari_her2.annotation import View, new_area, polygon_of
from napari_her2.case import read_case
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path


def square(row_um: float, col_um: float, size_um: float) -> Any:
    return polygon_of(np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * size_um / UM + (row_um / UM, col_um / UM))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def areas(bench: Bench) -> AreaEditor:
    editor = AreaEditor(bench.viewer, bench.state, lambda act: act())
    editor.open(EditCase(bench.target, None, bench.log), bench.viewer.layers[0])
    bench.viewer.scene.camera.zoom = 2.0
    editor.show(View(900, 900, 1300, 1500), 900)
    return editor


def test_areas_are_drawn_kept_and_logged(bench: Bench, areas: AreaEditor) -> None:
    areas.areas.name = "In situ"
    areas.take("polygon")
    pen = bench.viewer.layers.selection.active
    assert pen.mode == "add_polygon"
    pen.add(np.array([(1000.0, 1000), (1000, 1100), (1100, 1100), (1100, 1000)]), shape_type="polygon")
    assert len(areas.book or ()) == 1
    assert not len(pen.data), "ready for the next"
    area = next(iter(areas.book or ()))
    assert (area.name, area.mm2(UM), area.who) == ("In situ", pytest.approx(0.01), "A. Reader")
    areas.take("choose")
    assert pen not in bench.viewer.layers
    entry = bench.log.entries[-1]
    assert (entry["act"], entry["tool"], entry["after"][0]["mm2"]) == ("areas", "draw", 0.01)
    picture = areas.picture.layer
    assert picture.data[..., 3].any(), "it is shown"
    areas.undo()
    assert not len(areas.book or ())
    areas.redo()
    assert [e["act"] for e in bench.log.entries[-2:]] == ["undo", "redo"]


def test_clicks_choose_and_areas_are_combined(bench: Bench, areas: AreaEditor) -> None:
    for shape in (square(1000, 1000, 100), square(1050, 1050, 100)):
        areas._change("draw", [new_area(shape, "Tumor")])
    one, two = (area.key for area in areas.book or ())
    areas.choose_at((1010, 1010))
    assert areas.areas.chosen == (one,)
    areas.choose_at((1140, 1140), add=True)
    assert areas.areas.chosen == (one, two)
    areas.combine("subtract")
    (left,) = areas.book or ()
    assert (left.key, left.mm2(UM)) == (one, pytest.approx(0.0075))
    assert left.corners == 6
    areas.set_class("Necrosis")
    assert [area.name for area in areas.book or ()] == ["Necrosis"]
    areas.combine("union")
    assert bench.state.message is not None
    assert "at least two" in bench.state.message.text
    areas.choose_at((5000, 5000))
    assert areas.areas.chosen == ()


def test_corners_move_and_simplification_is_seen_before_it_is_kept(areas: AreaEditor) -> None:
    angle = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    ring = np.column_stack([np.sin(angle), np.cos(angle)]) * 50 + 1100
    areas._change("draw", [new_area(polygon_of(ring / UM), "Tumor")])
    (key,) = (area.key for area in areas.book or ())
    areas.choose(key)
    areas.areas.tolerance_um = 2.0
    areas.redraw()
    assert areas._previewed(areas._chosen()[0]).corners < 30
    assert areas._chosen()[0].corners == 300, "nothing is kept yet"
    areas.simplify()
    assert areas._chosen()[0].corners < 30
    areas.undo()
    assert areas._chosen()[0].corners == 300
    areas.take("corners")
    moved = [np.add(one, (10.0, 0)) for one in areas._drawing.data]
    areas._drawing.data = moved
    areas.take("choose")
    assert areas._chosen()[0].shape.centroid.x * UM == pytest.approx(1110, abs=0.5)
    assert areas._chosen()[0].key == key


def test_ten_thousand_areas_cost_what_is_in_view(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.sin(angle), np.cos(angle)]) * 60
    areas = [
        new_area(polygon_of(circle + place), ("Tumor", "In situ", "HER2 2+")[n % 3])
        for n, place in enumerate(rng.uniform(200, 99_800, (10_000, 2)))
    ]
    whole = Sheet.over(View(0, 0, 25_000, 25_000), 900)
    began = time.process_time()
    draw_areas(whole, areas, UM)
    assert time.process_time() - began < 1.0, "all of them at once"
    assert whole.rgba[..., 3].astype(bool).mean() > 0.02


def test_reviewed_areas_leave_what_is_left(bench: Bench, areas: AreaEditor) -> None:
    class Outlined(EditCase):
        def outlines_um(self) -> list[Any]:
            return [np.array([(0.0, 0), (0, 1000), (1000, 1000), (1000, 0)])]

    bench.slide.source.slide.thumbnail = lambda px: np.full((px, px, 3), 200, np.uint8)
    seen: list[Any] = []
    progress = ReviewedProgress(bench.lanes, seen.append, bench.editor._failed)
    case = Outlined(bench.target, None, bench.log)
    progress.update(case, areas.book)  # type: ignore[arg-type]
    assert seen[-1].coverage.percent_done == 0
    areas._change("draw", [new_area(square(-10, -10, 510), "Reviewed")])
    progress.update(case, areas.book)  # type: ignore[arg-type]
    assert seen[-1].coverage.percent_done == pytest.approx(25, abs=1.5)
    assert "of the tumour area (1.00 mm²)" in seen[-1].words
    done = (seen[-1].picture[:15, :15].astype(int) - (110, 192, 198)).__abs__().max()
    assert done < 4, "tinted in the colour of reviewed"


# ------------------------------------------------------------------ cells


@pytest.fixture
def cells(bench: Bench, case: Path) -> CellEditor:
    bundle = read_case(case)
    editor = CellEditor(bench.viewer, bench.state, bench.lanes)
    target = SimpleNamespace(role="ihc", um_per_px=handmade.UM, folder=case)
    editor.open(
        EditCase(target, bundle, ReviewLog(case / "review.jsonl", "A. Reader")), bench.viewer.layers[0]
    )  # type: ignore[arg-type]
    bench.viewer.scene.camera.zoom = 2.0
    editor.show(View(0, 0, 800, 1100), 900)
    return editor


def test_cells_are_judged_and_the_call_follows(cells: CellEditor, case: Path) -> None:
    assert cells.cells.result is not None
    before = cells.cells.result
    assert before.changed == 0
    assert before.summary.counts.total == 1000
    strong = np.flatnonzero(cells.table.evaluable & (cells.table.class_code == 3))  # type: ignore[union-attr]
    cells.cells.verdict = "exclude"
    point = cells.table.points_px[strong[0]] * handmade.UM  # type: ignore[union-attr]
    cells.judge_at(point + 1.0)
    assert cells.cells.result.changed == 1
    assert cells.cells.result.summary.counts.total == 999
    cells.cells.verdict = "0"
    cells.judge(strong, "lasso")
    assert cells.cells.result.call.score != before.call.score
    entry = json.loads((case / "review.jsonl").read_text().splitlines()[-1])
    assert (entry["act"], entry["after"], entry["cells"]) == ("cells", "0", len(strong))
    assert sum(entry["before"].values()) == len(strong)
    cells.undo()
    assert cells.cells.result.changed == 1
    cells.undo()
    assert cells.cells.result.changed == 0
    assert cells.cells.result.call.score == before.call.score
    cells.undo()
    assert cells.cells.verdicts == 0


def test_lasso_takes_the_cells_inside_that_count(cells: CellEditor) -> None:
    table = cells.table
    assert table is not None
    points = table.points_px * handmade.UM
    inside = (points[:, 0] > 100) & (points[:, 0] < 400) & (points[:, 1] > 200) & (points[:, 1] < 700)
    cells.cells.verdict = "1+"
    cells.judge_ring(np.array([(100.0, 200.0), (100, 700), (400, 700), (400, 200)]))
    assert cells.judged is not None
    changed = cells.judged.class_code != table.class_code
    assert changed.sum() == (inside & table.evaluable & (table.class_code != 1)).sum() > 0
    cells.cells.verdict = "include"
    outside = np.flatnonzero(~table.evaluable)[:5]
    cells.judge(outside, "click")
    assert cells.judged.evaluable[outside].all()
    cells.cells.verdict = "model"
    cells.judge(outside, "click")
    assert not cells.judged.evaluable[outside].any()


def test_verdicts_are_there_again_after_the_window_was_closed(cells: CellEditor, case: Path) -> None:
    cells.cells.verdict = "exclude"
    cells.judge(np.arange(50), "lasso")
    changed = cells.cells.result.changed  # type: ignore[union-attr]
    edit_case, slide = cells.case, cells._slide
    cells.close()
    assert edit_case is not None
    cells.open(EditCase(edit_case.target, edit_case.bundle, ReviewLog(case / "review.jsonl")), slide)
    assert cells.cells.result is not None
    assert cells.cells.result.changed == changed > 0
