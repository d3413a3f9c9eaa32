"""Vectors: pixels inside, boolean operations, the file they are kept in, what is reviewed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shapely import box as rectangle
from shapely import contains_xy
from tests.annotation.strokes import opened, stroke

from napari_her2.annotation.areas import REVIEWED, AreaBook, new_area
from napari_her2.annotation.model_labels import ModelLabels
from napari_her2.annotation.polygons import combined, mm2, polygon_of, rasterised, rings_of, simplified
from napari_her2.annotation.reviewed import coverage, outline_raster, reviewed_shape, trusted_labels
from napari_her2.errors import OutputError, UsageError
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from pathlib import Path


def square(row: float, col: float, size: float) -> list[tuple[float, float]]:
    return [(row, col), (row, col + size), (row + size, col + size), (row + size, col)]


CORNERS = st.lists(
    st.tuples(st.floats(-20, 60, width=32), st.floats(-20, 60, width=32)), min_size=3, max_size=9
)


@example([(1, 1), (0, 7), (3, 0), (1, 1), (0, 2.0392901311206625e-35), (0, 1), (0, 0)], 1.0)
@example([(1, 1), (0, 1), (0, 2), (1, 1), (0, 2.0392901311206625e-35), (1, 0), (0, 0)], 1.0)
@given(CORNERS, st.sampled_from([1.0, 2.0]))
def test_pixels_are_inside_as_shapely_says(corners: list[tuple[float, float]], downsample: float) -> None:
    try:
        shape = polygon_of(corners)
    except UsageError:
        return
    area = Box(-3, 5, 30, 40)
    rows, cols = np.mgrid[area.row : area.row_stop, area.col : area.col_stop] + 0.5
    expected = contains_xy(shape, rows * downsample, cols * downsample)
    near = contains_xy(shape.boundary.buffer(1e-3), rows * downsample, cols * downsample)
    assert ((rasterised(shape, area, downsample) == expected) | near).all()


def test_holes_stay_empty() -> None:
    ring = polygon_of(square(0, 0, 100), [square(20, 30, 40)])
    inside = rasterised(ring, Box(0, 0, 100, 100))
    assert inside.sum() == 100 * 100 - 40 * 40
    assert not inside[20:60, 30:70].any()
    assert mm2(ring, 0.5) == pytest.approx((10_000 - 1600) * 0.25 / 1e6)
    assert [len(part) for part in rings_of(ring)] == [2]


@pytest.mark.parametrize(
    ("how", "area"), [("union", 7_500), ("subtract", 2_500), ("intersect", 2_500), ("exclude", 5_000)]
)
def test_boolean_operations(how: str, area: float) -> None:
    one, two = rectangle(0, 0, 50, 100), rectangle(0, 50, 50, 150)
    assert combined([one, two], how).area == area  # type: ignore[arg-type]


def test_nothing_left_is_said() -> None:
    with pytest.raises(UsageError, match="nothing is left"):
        combined([rectangle(0, 0, 5, 5), rectangle(0, 0, 9, 9)], "subtract")
    with pytest.raises(UsageError, match="at least two"):
        combined([rectangle(0, 0, 5, 5)], "union")
    with pytest.raises(UsageError, match="three corners"):
        polygon_of([(0, 0), (1, 1)])
    bow = polygon_of([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert bow.is_valid
    assert bow.area == 50


def test_simplification_stays_within_its_tolerance() -> None:
    angle = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    circle = polygon_of(np.column_stack([np.sin(angle), np.cos(angle)]) * 100)
    small = simplified(circle, 2.0)
    assert len(rings_of(small)[0][0]) < 40
    assert circle.hausdorff_distance(small) <= 2.0 + 1e-9


# ------------------------------------------------------------------ the file


def test_acts_are_kept_undone_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "areas.jsonl"
    book = AreaBook(path)
    one, two = (
        new_area(polygon_of(square(0, 0, 100)), "Tumor", "A"),
        new_area(polygon_of(square(50, 50, 9)), "In situ"),
    )
    book.change([one])
    book.change([two])
    book.change(drop=[one.key])
    assert [area.name for area in book] == ["In situ"]
    assert book.undo()
    assert {area.name for area in book} == {"In situ", "Tumor"}
    again = AreaBook(path)
    assert {area.key for area in again} == {one.key, two.key}
    found = again.get(one.key)
    assert found is not None
    assert (found.who, found.colour, found.corners) == ("A", "#1B7837", 4)
    assert again.redo()
    assert [area.key for area in again] == [two.key]
    assert again.undo()
    assert again.undo()
    assert again.undo()
    assert len(again) == 0
    assert not again.undo()
    assert again.redo()
    again.change([two])
    assert not again.can_redo
    assert len(AreaBook(path)) == 2


def test_a_torn_line_costs_that_act_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "areas.jsonl"
    book = AreaBook(path)
    for n in range(3):
        book.change([new_area(polygon_of(square(n * 20, 0, 10)), "Tumor")])
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    torn = AreaBook(path)
    assert (len(torn), torn.notes) == (2, [])
    torn.change([new_area(polygon_of(square(90, 0, 10)), "Tumor")])
    assert len(AreaBook(path)) == 3
    lines = content.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{broken}\n", lines[2]]))
    damaged = AreaBook(path)
    assert len(damaged) == 2
    assert "Line 2" in damaged.notes[0]


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "areas.jsonl"
    book = AreaBook(path)
    book.change([new_area(polygon_of(square(0, 0, 10)), "Tumor")])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_her2.annotation.areas.os.fsync", full)
        with pytest.raises(OutputError, match="make room"):
            book.change([new_area(polygon_of(square(30, 0, 10)), "Tumor")])
    assert len(book) == 1
    assert path.read_bytes() == before
    (tmp_path / "r").mkdir()
    (tmp_path / "r").chmod(0o555)
    with pytest.raises(OutputError, match="read-only"):
        AreaBook(tmp_path / "r" / "areas.jsonl").change([new_area(polygon_of(square(0, 0, 9)), "Tumor")])


def test_ten_thousand_areas_are_found_by_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 90_000, (10_000, 2))
    areas = [
        new_area(polygon_of(square(row, col, 50 + n % 100)), "Tumor") for n, (row, col) in enumerate(places)
    ]
    book = AreaBook(tmp_path / "areas.jsonl")
    book.change(areas)
    view = Box(30_000, 30_000, 4_000, 6_000)
    book.inside(view)
    began = time.process_time()
    found = book.inside(view)
    seconds = time.process_time() - began
    expected = [a for a in areas if a.shape.intersects(rectangle(30_000, 30_000, 34_000, 36_000))]
    assert {a.key for a in found} == {a.key for a in expected}
    assert found[0].shape.area == max(a.shape.area for a in expected)
    assert seconds < 0.05, "what is in view, not what there is, is paid for"
    assert len(AreaBook(tmp_path / "areas.jsonl")) == 10_000
    assert json.loads((tmp_path / "areas.jsonl").read_text().splitlines()[0])["act"] == "change"


# ------------------------------------------------------------------ reviewed


def test_unlabelled_means_background_only_where_it_was_reviewed(tmp_path: Path) -> None:
    mask = opened(tmp_path / "m", shape=(1000, 1000))
    mask.paint(stroke(100, 100, 100, 3))
    book = AreaBook(tmp_path / "areas.jsonl")
    box, model = Box(0, 0, 300, 300), ModelLabels(None, 0.25)
    assert (trusted_labels(mask, model, reviewed_shape(book), box) == 255).all()
    book.change(
        [new_area(polygon_of(square(0, 0, 150)), REVIEWED), new_area(polygon_of(square(0, 0, 300)), "Tumor")]
    )
    labels = trusted_labels(mask, model, reviewed_shape(book), box)
    assert set(np.unique(labels[:150, :150])) == {0, 2}
    assert (labels[150:] == 255).all()
    assert (trusted_labels(mask, model, reviewed_shape(book), Box(0, 0, 150, 150), 1)[75:] == 255).all()
    mask.close()


def test_what_is_left_is_worked_out(tmp_path: Path) -> None:
    target = outline_raster([np.array(square(0, 0, 800)), np.array(square(0, 0, 400))], (1000, 2000))
    assert target.shape == (125, 250)
    assert target.sum() * 64 == 800**2 - 400**2
    none = coverage(target, 8.0, None, 0.25)
    assert (none.percent_done, none.left_mm2) == (0.0, pytest.approx(0.48))
    half = coverage(target, 8.0, polygon_of(square(1600, 0, 3200)), 0.25)
    assert half.left_mm2 == pytest.approx(0.48 - 0.32)
    place = half.next_left()
    assert place is not None
    assert place[0] < 400 < place[1]
    done = coverage(target, 8.0, polygon_of(square(-10, -10, 9000)), 0.25)
    assert (done.percent_done, done.next_left()) == (100.0, None)
