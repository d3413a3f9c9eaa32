"""Fields to look at, in order, and what was said of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_her2.cells import CellTable
from napari_her2.review import Doubts, Field, field_entry, read_field_verdicts, review_queue
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

UM = 0.5
SIDE = 250 / UM
RULE = "asco-cap-breast-2023"


def cells(*fields: dict[str, int]) -> CellTable:
    """Return cells of fields side by side, by class in each; ``unsure`` cells do not count."""
    rows = []
    for k, field in enumerate(fields):
        for name, n in field.items():
            rows += [((k + 0.1 + 0.8 * j / n) * SIDE, name) for j in range(n)]
    n = len(rows)
    codes = [CELL_CLASSES.index(name) if name in CELL_CLASSES else 0 for _, name in rows]
    unsure = EXCLUDED_REASONS.index("unsure_gate")
    excluded = [unsure if name == "unsure" else 0 for _, name in rows]
    one = np.ones(n, np.float32)
    return CellTable(
        row_px=np.full(n, 0.5 * SIDE),
        col_px=np.array([col for col, _ in rows]),
        class_code=np.array(codes, np.uint8),
        completeness=one, intensity_od=one, membrane_width_um=one, nucleus_area_um2=one, epithelial=one,
        in_tumour=np.ones(n, bool),
        excluded=np.array(excluded, np.uint8),
        source=np.zeros(n, np.uint8),
    )  # fmt: skip


def columns(queue: tuple[Field, ...]) -> list[int]:
    """Return which fields come first."""
    return [round(field.col_px / SIDE) for field in queue]


def test_fields_with_cells_that_could_flip_the_call_come_first() -> None:
    # 8 % intense: the next score up takes 2+ cells, so the field full of them matters most.
    queue = review_queue(cells({"3+": 8, "0": 20}, {"0": 60}, {"2+": 12}), UM, RULE)
    assert columns(queue)[0] == 2
    assert "could lead to 3+" in queue[0].reasons[0]
    assert [field.number for field in queue] == [1, 2, 3]
    assert queue[0].by_class == (("2+", 12),)
    assert sum(field.cells for field in queue) == 100


def test_doubts_raise_a_field_and_are_told() -> None:
    table = cells({"2+": 10, "0": 40}, {"2+": 10, "0": 40})
    assert columns(review_queue(table, UM, RULE)) == [0, 1]
    far = Doubts(error_um=lambda points: np.where(points[:, 1] >= SIDE, 80.0, 5.0))
    queue = review_queue(table, UM, RULE, doubts=far)
    assert columns(queue) == [1, 0]
    assert "aligned to ± 80 µm only" in queue[0].reasons
    apart = Doubts(apart=lambda points: (points[:, 1] >= SIDE).astype(int))
    queue = review_queue(table, UM, RULE, doubts=apart)
    assert columns(queue) == [1, 0]
    assert "scorers differ on 100 % of it" in queue[0].reasons


def test_cells_at_the_unsure_edge_are_told_but_not_counted() -> None:
    (field,) = review_queue(cells({"3+": 20, "0": 20, "unsure": 7}), UM, RULE)
    assert field.cells == 40
    assert "7 cells at the unsure edge" in field.reasons


def test_hardly_any_cells_make_no_field() -> None:
    assert columns(review_queue(cells({"0": 100}, {"3+": 4}), UM, RULE)) == [0]
    assert review_queue(cells({"unsure": 9}), UM, RULE) == ()
    assert len(review_queue(cells(*[{"2+": 10}] * 9), UM, RULE, most=4)) == 4


def test_a_field_knows_its_own_cells() -> None:
    table = cells({"0": 30}, {"2+": 30})
    first = review_queue(table, UM, RULE)[0]
    inside = first.holds(table.points_px)
    assert inside.sum() == 30
    assert (table.class_code[inside] == table.class_code[inside][0]).all()


def test_the_last_verdict_of_each_reader_holds() -> None:
    one, other = review_queue(cells({"2+": 30}, {"2+": 30}), UM, RULE)
    log: list[dict[str, Any]] = [
        {"who": "A", **field_entry(one, "accepted", UM)},
        {"who": "A", **field_entry(one, "excluded", UM, "folded")},
        {"who": "B", **field_entry(other, "accepted", UM)},
        {"who": "A", **field_entry(other, "comment", UM, "ask")},
        {"who": "A", "act": "cells", "after": "exclude"},
    ]
    both, mine = read_field_verdicts(log), read_field_verdicts(log, "A")
    assert (both.of(one), both.of(other), both.seen((one, other))) == ("excluded", "accepted", 2)
    assert (mine.of(other), mine.seen((one, other))) == ("", 1)
    assert mine.comments_on(one) == ("folded",)
    assert mine.comments_on(other) == ("ask",)


def test_where_a_scorer_contradicts_the_cells_a_field_comes_first() -> None:
    table = cells({"2+": 10, "0": 40}, {"2+": 10, "0": 40}, {"2+": 30, "0": 40})
    place = (1.5 * SIDE, 0.5 * SIDE)
    doubts = Doubts(places={"patches contradict the cells here": [place]})
    queue = review_queue(table, UM, RULE, doubts=doubts)
    assert columns(queue)[0] == 1
    assert queue[0].reasons[-1] == "patches contradict the cells here"
    assert "patches contradict the cells here" not in queue[1].reasons
