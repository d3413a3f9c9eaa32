"""Cells marked by eye: the files are well formed, and the measures on them do what they say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts.cell_marks import (
    FIGURES,
    Crop,
    Judged,
    Marks,
    auc,
    balanced,
    confusion,
    f1,
    intervals,
    judge,
    pair,
    read_crops,
    read_marks,
    share,
)

from napari_her2.cells import CellTable

MARKED = Path(__file__).resolve().parent.parent / "cases" / "real"
CROP = Crop(file="a.jpg", name="a_0", row_px=1000, col_px=2000, height_px=208, width_px=208)
UM = 0.25
INSET = 4 / UM


def points(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, float).reshape(-1, 2)


def marks(*rows: tuple[float, float, int, int, int, int]) -> Marks:
    """Rows of row, column in the crop, strength, complete, epithelium, sure."""
    table = np.array(rows, float).reshape(-1, 6)
    return Marks(
        crop=np.full(len(table), CROP.name),
        points_px=table[:, :2] + (CROP.row_px, CROP.col_px),
        strength=table[:, 2].astype(int),
        complete=table[:, 3] > 0,
        epithelium=table[:, 4] > 0,
        sure=table[:, 5] > 0,
    )


def cells(*rows: tuple[float, float, int, float, int]) -> CellTable:
    """Rows of row, column in the crop, class, chance of epithelium, whether it counts."""
    table = np.array(rows, float).reshape(-1, 5)
    n = len(table)
    known = {
        "row_px": table[:, 0] + CROP.row_px,
        "col_px": table[:, 1] + CROP.col_px,
        "class_code": table[:, 2],
        "epithelial": table[:, 3],
        "in_tumour": table[:, 4] > 0,
        "completeness": table[:, 2] / 4,
    }
    empty = CellTable.empty()
    columns = {name: np.zeros(n) for name in empty.__dataclass_fields__} | known
    return CellTable.of(**columns)


# ------------------------------------------------------------------ the files


def test_every_mark_lies_in_its_crop() -> None:
    crops, found = (
        {crop.name: crop for crop in read_crops(MARKED / "cell_crops.csv")},
        read_marks(MARKED / "cell_marks.csv"),
    )
    assert set(found.crop) == set(crops)
    for name, crop in crops.items():
        assert crop.holds(found.points_px[found.crop == name]).all(), name


def test_marks_follow_the_rule() -> None:
    with (MARKED / "cell_marks.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["file", "crop", "x", "y", "class", "complete", "epithelium", "sure"]
    files = {crop.name: crop.file for crop in read_crops(MARKED / "cell_crops.csv")}
    for row in rows:
        assert files[row["crop"]] == row["file"], row
        assert row["class"] in "0123", row
        assert {row["complete"], row["epithelium"], row["sure"]} <= {"0", "1"}, row
        assert row["complete"] == "0" or row["class"] != "0", row
    places = {(row["file"], row["x"], row["y"]) for row in rows}
    assert len(places) == len(rows)


def test_there_are_enough_marks_on_every_core() -> None:
    found, crops = read_marks(MARKED / "cell_marks.csv"), read_crops(MARKED / "cell_crops.csv")
    assert found.sure.sum() >= 300
    assert len({crop.file for crop in crops}) == 8
    assert len({crop.name for crop in crops}) == len(crops)
    for strength in range(4):
        assert (found.sure & found.epithelium & (found.strength == strength)).sum() >= 30


def test_crops_lie_in_their_pictures_and_apart(shared_data) -> None:
    import cv2

    crops = read_crops(MARKED / "cell_crops.csv")
    for file in {crop.file for crop in crops}:
        height, width = cv2.imread(str(shared_data(f"her2_ihc/gea-tma/{file}"))).shape[:2]
        own = [crop for crop in crops if crop.file == file]
        assert all(crop.row_px + crop.height_px <= height for crop in own)
        assert all(crop.col_px + crop.width_px <= width for crop in own)
        corners = np.array([(crop.row_px, crop.col_px) for crop in own], float)
        far = np.linalg.norm(corners[:, None] - corners[None], axis=2) + 1e9 * np.eye(len(own))
        assert far.min() * UM >= 150


# ------------------------------------------------------------------ matching

PAIRS = [
    ("nothing there", points(), points((0, 0)), 0),
    ("nothing found", points((0, 0)), points(), 0),
    ("one each", points((0, 0)), points((0, 3)), 1),
    ("exactly as far as allowed", points((0, 0)), points((0, 4)), 1),
    ("too far", points((0, 0)), points((0, 4.1)), 0),
    ("two found for one", points((0, 0)), points((0, 1), (0, 2)), 1),
    ("the nearest would cost a pair", points((0, 0), (0, 5)), points((0, 3), (0, 8)), 2),
]


@pytest.mark.parametrize(("what", "truth", "found", "count"), PAIRS, ids=[case[0] for case in PAIRS])
def test_pairs(what, truth, found, count) -> None:
    rows, cols = pair(truth, found, 4)
    assert len(rows) == len(cols) == count


def test_the_nearest_is_taken() -> None:
    assert pair(points((0, 0)), points((0, 2), (0, 1)), 4)[1].tolist() == [1]


places = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8, unique=True)


@given(places, places)
def test_pairs_are_one_to_one_near_and_as_many_either_way(truth, found) -> None:
    a, b = points(*truth), points(*found)
    rows, cols = pair(a, b, 4)
    assert len(set(rows)) == len(rows) == len(set(cols))
    assert (np.linalg.norm(a[rows] - b[cols], axis=1) <= 4).all()
    assert len(pair(b, a, 4)[0]) == len(rows)


def test_marks_and_false_cells_are_told_apart() -> None:
    by_eye = marks((100, 100, 2, 1, 1, 1), (150, 150, 0, 0, 0, 1))
    rows = judge(CROP, by_eye, cells((100, 104, 3, 0.9, 1), (60, 60, 1, 0.2, 1)), UM)
    assert rows.real.tolist() == [True, True, False]
    assert rows.found.tolist() == [True, False, True]
    assert rows.code.tolist() == [3, -1, 1]
    assert rows.counts.tolist() == [True, False, True]
    assert rows.chance[0] == pytest.approx(0.9)
    assert np.isnan(rows.chance[1])


UNCOUNTED = [
    ("an unsure mark explains a cell", marks((100, 100, 1, 0, 1, 0)), cells((100, 100, 1, 1, 1)), 0),
    ("so does one at the edge", marks((INSET - 1, 100, 1, 0, 1, 1)), cells((INSET + 1, 100, 1, 1, 1)), 0),
    ("an unsure mark that was missed", marks((100, 100, 1, 0, 1, 0)), cells(), 0),
    ("a false cell at the edge", marks(), cells((INSET - 1, 100, 1, 1, 1)), 0),
    ("a false cell outside", marks(), cells((-5, 100, 1, 1, 1)), 0),
    ("a false cell inside", marks(), cells((INSET + 1, 100, 1, 1, 1)), 1),
    ("a sure mark comes first", marks((100, 100, 1, 0, 1, 1), (100, 101, 1, 0, 1, 0)),
     cells((100, 101, 1, 1, 1)), 1),
]  # fmt: skip


@pytest.mark.parametrize(("what", "by_eye", "found", "count"), UNCOUNTED, ids=[case[0] for case in UNCOUNTED])
def test_what_is_counted(what, by_eye, found, count) -> None:
    assert len(judge(CROP, by_eye, found, UM)) == count


# ------------------------------------------------------------------ rates


def test_rates_of_small_tables() -> None:
    yes, no = np.array([True, True, False]), np.array([True, False, False])
    assert share(yes) == pytest.approx(2 / 3)
    assert f1(8, 2, 2) == pytest.approx(0.8)
    assert balanced(no, yes) == pytest.approx((1 / 2 + 1) / 2)
    assert auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])) == pytest.approx(3.5 / 4)
    assert auc(np.array([0.1, np.nan, 0.9]), no[[1, 0, 0]]) == pytest.approx(1)
    assert np.isnan([share(yes[:0]), f1(0, 0, 0), auc(np.array([1.0]), np.array([True]))]).all()


def scene() -> Judged:
    """Six marks: all found but one; two false cells, one of which counts."""
    by_eye = marks(
        (40, 40, 0, 0, 1, 1),
        (40, 80, 0, 0, 1, 1),
        (40, 120, 2, 1, 1, 1),
        (40, 160, 3, 0, 1, 1),
        (80, 40, 1, 0, 1, 1),
        (80, 80, 0, 0, 0, 1),
    )
    found = cells(
        (40, 40, 0, 0.9, 1),
        (40, 80, 1, 0.4, 0),
        (40, 120, 2, 0.8, 1),
        (40, 160, 4, 0.7, 1),
        (80, 80, 0, 0.5, 0),
        (120, 40, 0, 0.5, 1),
        (120, 80, 0, 0.5, 0),
    )
    return judge(CROP, by_eye, found, UM)


EXPECTED = {
    "detection F1, all cells": 10 / 13,
    "precision, all cells": 5 / 7,
    "F1 of counted cells against epithelium": 6 / 9,
    "recall, epithelium unstained": 1,
    "recall, epithelium faint": 0,
    "recall, epithelium moderate": 1,
    "recall, epithelium intense": 1,
    "recall, other cells": 1,
    "class agreement": 3 / 4,
    "complete or not, stained, balanced accuracy": 1,
    "complete or not, all epithelium, balanced accuracy": 1,
    "complete or not, stained, AUC of completeness": 0,
    "epithelium, AUC": 3 / 4,
    "epithelium found that does not count": 1 / 4,
    "other cells found that count": 0,
    "unstained epithelium called stained": 1 / 2,
}


@pytest.mark.parametrize("name", list(FIGURES))
def test_figures_of_a_small_scene(name) -> None:
    assert FIGURES[name](scene()) == pytest.approx(EXPECTED[name])


def test_confusion_counts_what_was_missed_first() -> None:
    assert dict(confusion(scene())) == {
        0: [0, 1, 1, 0, 0, 0],
        1: [1, 0, 0, 0, 0, 0],
        2: [0, 0, 0, 1, 0, 0],
        3: [0, 0, 0, 0, 0, 1],
    }


def test_intervals_hold_the_value_and_need_more_than_one_crop_to_spread() -> None:
    one = scene()
    for value, low, high in intervals(one, draws=20).values():
        assert low == pytest.approx(value, nan_ok=True)
        assert high == pytest.approx(value, nan_ok=True)
    missed = judge(CROP, marks((100, 100, 0, 0, 1, 1)), cells(), UM)
    other = Judged.concat([one, missed.select(np.array([0]))])
    renamed = np.where(np.arange(len(other)) == len(one), "a_1", other.crop)
    both = Judged(**{name: getattr(other, name) for name in Judged.__dataclass_fields__} | {"crop": renamed})
    value, low, high = intervals(both, draws=200)["detection F1, all cells"]
    assert low < value < high
