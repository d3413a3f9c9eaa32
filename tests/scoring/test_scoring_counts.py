"""Counts from outside are checked to the letter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_her2.errors import UsageError
from napari_her2.scoring import CellCounts, Ish, apply_rule, coverage_from_areas, percent_text

FULL = {
    "complete_intense": 1,
    "complete_weak_moderate": 2,
    "incomplete_moderate_intense": 3,
    "incomplete_faint": 4,
    "none": 5,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"complete": 1}, "unknown key 'complete'"),
        ({"none": -1}, "none is -1"),
        ({"none": 1.5}, "none is 1.5"),
        ({"none": float("nan")}, "none is nan"),
        ({"none": float("inf")}, "none is inf"),
        ({"none": True}, "none is 'True'"),
        ({"none": "5"}, "none is '5'"),
        ({"none": None}, "none is 'None'"),
        ({"none": [5]}, "none is"),
        ({"none": 1e300}, "whole number"),
        ({"incomplete_moderate": 1}, "give both or none"),
        ({"incomplete_moderate": 1, "incomplete_intense": 1}, "do not add up"),
        ({"incomplete_moderate": 4, "incomplete_intense": -1}, "incomplete_intense is -1"),
        ({"incomplete_moderate": 1.5, "incomplete_intense": 1.5}, "incomplete_moderate is 1.5"),
    ],
)
def test_bad_counts_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        CellCounts.from_json(FULL | change)
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("data", [None, [], 3, "counts"])
def test_counts_must_be_an_object(data: object) -> None:
    with pytest.raises(UsageError, match="JSON object"):
        CellCounts.from_json(data)


@pytest.mark.parametrize("odd", [[], [1], 3, "x"])
def test_parts_of_a_wish_must_be_objects(odd: Any) -> None:
    with pytest.raises(UsageError, match="clusters must be a JSON object"):
        apply_rule(FULL, "gastric-biopsy", clusters=odd)
    with pytest.raises(UsageError, match="ish must be a JSON object"):
        apply_rule(FULL, ish=odd)


def test_none_must_be_stated() -> None:
    with pytest.raises(UsageError, match="denominator"):
        CellCounts.from_json({"complete_intense": 5})
    assert CellCounts.from_json({"none": 5}).total == 5


def test_the_split_replaces_the_sum() -> None:
    counts = CellCounts.from_json({"incomplete_moderate": 4, "incomplete_intense": 6, "none": 0})
    assert counts.incomplete_moderate_intense == 10
    assert counts.split_known
    assert not CellCounts.from_json(FULL).split_known


def test_whole_floats_and_numpy_numbers_are_whole() -> None:
    assert CellCounts(none=5.0, complete_intense=np.int64(3)) == CellCounts(none=5, complete_intense=3)  # type: ignore[arg-type]


def test_codes_become_counts() -> None:
    codes = np.array([0, 0, 1, 2, 3, 3, 4, 4, 4], np.uint8)
    counts = CellCounts.from_codes(codes)
    assert counts.by_class == {"3+": 2, "2+": 1, "unusual": 3, "1+": 1, "0": 2}
    split = CellCounts.from_codes(codes, np.array([1, 1, 1, 1, 1, 1, 1, 0, 0], bool))
    assert (split.incomplete_moderate, split.incomplete_intense) == (2, 1)
    assert CellCounts.from_classes(counts.by_class) == counts
    with pytest.raises(UsageError, match="4"):
        CellCounts.from_classes({"4+": 1})


def test_h_score() -> None:
    assert CellCounts(complete_intense=10).h_score == 300
    assert (
        CellCounts(none=50, incomplete_faint=30, complete_weak_moderate=15, complete_intense=5).h_score == 75
    )
    assert CellCounts(incomplete_moderate_intense=1, none=1).h_score == 100
    assert CellCounts().h_score == 0


@pytest.mark.parametrize(
    ("part", "total", "shown"),
    [
        (100, 1000, "10.0"),
        (1001, 10_000, "10.01"),
        (999, 10_000, "9.99"),
        (100_001, 1_000_000, "10.0001"),
        (99_999, 1_000_000, "9.9999"),
        (1004, 10_000, "10.04"),
        (1060, 10_000, "10.6"),
        (1, 3, "33.3"),
        (2, 3, "66.7"),
        (0, 7, "0.0"),
        (7, 7, "100.0"),
        (0, 0, "0.0"),
        (5, 1000, "0.5"),
    ],
)
def test_percentages_for_people(part: int, total: int, shown: str) -> None:
    assert percent_text(part, total) == shown


def test_a_cluster_is_part_of_the_cells() -> None:
    with pytest.raises(UsageError, match="clusters hold 6 cells of class 3"):
        apply_rule({"complete_intense": 5, "none": 5}, "gastric-biopsy", clusters={"complete_intense": 6})
    with pytest.raises(UsageError, match="clusters hold the unknown key"):
        apply_rule({"complete_intense": 5, "none": 5}, "gastric-biopsy", clusters={"strong": 1})


@pytest.mark.parametrize(
    ("ish", "words"),
    [
        ({"probe": "triple", "her2_copies": 3}, "dual or single"),
        ({"probe": "dual", "her2_copies": 3}, "ratio"),
        ({"probe": "dual", "ratio": 0, "her2_copies": 3}, "ratio"),
        ({"probe": "dual", "ratio": float("nan"), "her2_copies": 3}, "ratio"),
        ({"probe": "dual", "ratio": True, "her2_copies": 3}, "ratio"),
        ({"probe": "dual", "ratio": "2", "her2_copies": 3}, "ratio"),
        ({"probe": "dual", "ratio": 2}, "her2_copies"),
        ({"probe": "dual", "ratio": 2, "her2_copies": -1}, "her2_copies"),
        ({"probe": "single", "ratio": 2, "her2_copies": 3}, "no ratio"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "cells": 0}, "cells"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "cells": 2.5}, "cells"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "cells": True}, "cells"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "recounted": "yes"}, "recounted"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "group": 5}, "group 5"),
        ({"probe": "dual", "ratio": 2, "her2_copies": 3, "grp": 5}, "unknown key 'grp'"),
        ([], "JSON object"),
    ],
)
def test_bad_ish_is_refused(ish: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Ish.from_json(ish)


def test_ish_survives_its_own_json() -> None:
    dual = Ish(probe="dual", ratio=2.2, her2_copies=5.0, cells=40, recounted=True)
    single = Ish(probe="single", her2_copies=5.0)
    assert [Ish.from_json(ish.to_json()) for ish in (dual, single)] == [dual, single]
    assert dual.to_json()["group"] == 1
    assert single.to_json()["group"] is None


def test_a_minimum_must_be_one() -> None:
    with pytest.raises(UsageError, match="minimum of 0"):
        apply_rule(FULL, min_cells=0)


def test_coverage() -> None:
    areas = {"0": 10.0, "1+": 20.0, "2+": 30.0, "unusual": 30.0, "3+": 10.0}
    assert coverage_from_areas(areas) == {"3+": 10, "2+": 60, "1+": 20, "0": 10}
    assert coverage_from_areas({}) == {"3+": 0, "2+": 0, "1+": 0, "0": 0}
    for bad in ({"tumour": 1.0}, {"0": -1.0}, {"0": float("nan")}, {"0": float("inf")}):
        with pytest.raises(UsageError):
            coverage_from_areas(bad)
