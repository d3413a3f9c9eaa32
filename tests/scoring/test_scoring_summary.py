"""Cells with places: summaries, clusters, heterogeneity, agreement, controls."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.errors import UsageError
from napari_her2.scoring import (
    CellCounts,
    CellReading,
    SummarySettings,
    agreement,
    apply_rule,
    control_call,
    largest_clusters,
    percent_intervals,
    summarise_cells,
    what_would_flip,
    widened,
    wilson,
)
from napari_her2.scoring.clusters import connected
from napari_her2.scoring.heterogeneity import clustering, convex_outline


def lattice(side: int, step_um: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[:side, :side]
    return rows.ravel() * step_um, cols.ravel() * step_um


def test_summary_of_a_lattice() -> None:
    rows, cols = lattice(100)
    codes = np.zeros(10_000, np.uint8)
    codes[:2000] = 3
    codes[2000:2500] = 4
    summary = summarise_cells(codes, rows, cols)
    assert summary.counts == CellCounts(complete_intense=2000, incomplete_moderate_intense=500, none=7500)
    assert summary.percent == {"3+": 20, "2+": 0, "unusual": 5, "1+": 0, "0": 75}
    assert summary.h_score == 70
    assert summary.percent_ci95["3+"][0] < wilson(2000, 10_000)[0] - 2
    assert summary.tiles.sum() == 10_000
    assert summary.heterogeneity.kind == "clustered"
    assert "heterogeneous" in summary.evidence().flags
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False)) == summary.to_json()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_other_readings_only_widen_and_change_no_count(
    side: int, strong: float, kept: float, seed: int
) -> None:
    rows, cols = lattice(side)
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random(side**2) < strong, 3, 0).astype(np.uint8)
    summary = summarise_cells(codes, rows, cols)
    other = CellReading(class_code=codes, counted=rng.random(side**2) < kept)
    wide = widened(summary, np.column_stack([rows, cols]), (other,))
    assert wide.counts == summary.counts
    assert wide.percent == summary.percent
    assert len(wide.draws) in (0, len(summary.draws), summary.settings.draws)
    for name, (low, high) in wide.percent_ci95.items():
        assert low <= wide.percent[name] <= high
        wilson_low, wilson_high = wilson(round(summary.counts.total * wide.percent[name] / 100), side**2)
        assert low <= wilson_low + 1e-6
        assert high >= wilson_high - 1e-6


def test_a_reading_that_says_otherwise_is_inside_the_interval() -> None:
    rows, cols = lattice(100)
    codes = np.zeros(10_000, np.uint8)
    codes[::10] = 3
    summary = summarise_cells(codes, rows, cols)
    other = CellReading(class_code=codes, counted=(codes == 3) | (np.arange(10_000) % 4 == 1))
    wide = widened(summary, np.column_stack([rows, cols]), (other,))
    assert summary.percent_ci95["3+"][1] < 15
    assert wide.percent_ci95["3+"][1] > 28
    assert widened(summary, np.column_stack([rows, cols]), ()) is summary


def test_only_counted_cells_count() -> None:
    rows, cols = lattice(40)
    codes = np.tile(np.array([3, 0], np.uint8), 800)
    counted = codes == 3
    summary = summarise_cells(codes, rows, cols, counted)
    assert summary.percent["3+"] == 100
    places = np.where(counted, rows, np.nan)
    assert summarise_cells(codes, places, cols, counted).counts == summary.counts


def test_places_may_be_negative_and_shifted_by_tiles() -> None:
    rng = np.random.default_rng(0)
    rows, cols = rng.uniform(0, 2000, (2, 4000))
    codes = rng.choice(5, 4000).astype(np.uint8)
    one = summarise_cells(codes, rows, cols)
    other = summarise_cells(codes, rows - 5000, cols - 250)
    assert one.percent_ci95 == other.percent_ci95
    assert one.to_json() == other.to_json()


def test_no_cells() -> None:
    summary = summarise_cells([], [], [])
    assert summary.counts.total == 0
    assert summary.percent_ci95["3+"] == (0.0, 100.0)
    assert summary.heterogeneity.kind == "none"
    assert apply_rule(summary.counts, evidence=summary.evidence()).category == "not_scorable"
    assert what_would_flip(summary.counts) == ()
    json.dumps(summary.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("codes", "rows", "counted"),
    [
        ([0, 1], [0.0], None),
        ([0, 9], [0.0, 1.0], None),
        ([0, 1], [0.0, np.nan], None),
        ([0], [0.0], [True, False]),
    ],
)
def test_bad_cells_are_refused(codes: list[int], rows: list[float], counted: list[bool] | None) -> None:
    with pytest.raises(UsageError):
        summarise_cells(codes, rows, np.zeros(len(codes)), counted)


def test_the_split_of_unusual_reaches_the_gastric_rule() -> None:
    rows, cols = lattice(20)
    codes = np.zeros(400, np.uint8)
    codes[:80] = 4
    intense = np.zeros(400, bool)
    intense[:60] = True
    summary = summarise_cells(codes, rows, cols, intense=intense)
    assert apply_rule(summary.counts, "gastric-resection", evidence=summary.evidence()).score == "3+"
    plain = summarise_cells(codes, rows, cols)
    call = apply_rule(plain.counts, "gastric-resection", evidence=plain.evidence())
    assert (call.score, "lateral_intensity_unknown" in call.flags) == ("2+", True)


def test_intervals_without_places_are_wilsons() -> None:
    counts = CellCounts(complete_intense=10, none=90)
    assert percent_intervals(counts)["3+"] == wilson(10, 100)
    assert percent_intervals(counts, bias_points=2)["3+"] == pytest.approx(
        (wilson(10, 100)[0] - 2, wilson(10, 100)[1] + 2)
    )


# ------------------------------------------------------------------ clusters


def by_hand(points: np.ndarray, radius: float) -> np.ndarray:
    """Components by plain search over all pairs."""
    near = ((points[:, None] - points[None]) ** 2).sum(axis=2) <= radius**2
    labels = np.full(len(points), -1)
    for start in range(len(points)):
        todo = [start] if labels[start] < 0 else []
        while todo:
            here = todo.pop()
            if labels[here] < 0:
                labels[here] = start
                todo += np.flatnonzero(near[here] & (labels < 0)).tolist()
    return labels


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), number=st.integers(1, 120), size=st.floats(20, 600))
def test_components_match_a_plain_search(seed: int, number: int, size: float) -> None:
    points = np.random.default_rng(seed).uniform(-size, size, (number, 2))
    found, expected = connected(points, 25.0), by_hand(points, 25.0)
    assert len(set(zip(found.tolist(), expected.tolist(), strict=True))) == len(set(expected.tolist()))
    assert len(set(found.tolist())) == len(set(expected.tolist()))


def test_distance_decides_a_cluster() -> None:
    line = np.arange(5) * 25.0
    codes = np.full(5, 3, np.uint8)
    assert largest_clusters(line, np.zeros(5), codes).complete_intense == 5
    assert largest_clusters(line * 1.001, np.zeros(5), codes).complete_intense == 1
    assert largest_clusters([], [], []).total == 0


def test_clusters_of_each_strength_stand_for_themselves() -> None:
    """Six strong cells apart from twenty faint ones: the sums are sizes of real clusters."""
    rows = np.r_[np.arange(6), np.arange(20), np.arange(3)] * 10.0
    cols = np.r_[np.zeros(6), np.full(20, 500.0), np.full(3, 1000.0)]
    codes = np.r_[np.full(6, 3), np.full(20, 1), np.full(3, 2)].astype(np.uint8)
    found = largest_clusters(rows, cols, codes)
    assert (found.complete_intense, found.complete_weak_moderate, found.incomplete_faint) == (6, 0, 14)
    counts = CellCounts.from_codes(codes)
    assert apply_rule(counts, "gastric-biopsy", clusters=found).score == "3+"


def test_scattered_strong_cells_are_no_cluster() -> None:
    rows, cols = lattice(30, 40.0)
    codes = np.zeros(900, np.uint8)
    codes[:300] = 3
    found = largest_clusters(rows, cols, codes)
    assert found.stained == 1
    assert apply_rule(CellCounts.from_codes(codes), "gastric-biopsy", clusters=found).score == "0"


def test_a_hundred_thousand_cells_are_quick() -> None:
    rng = np.random.default_rng(0)
    rows, cols = rng.uniform(0, 3600, (2, 100_000))
    started = time.perf_counter()
    summarise_cells(rng.choice(5, 100_000).astype(np.uint8), rows, cols)
    assert time.perf_counter() - started < 8  # about 0.3 s at rest


# ------------------------------------------------------------------ heterogeneity


def pattern(kind: str) -> np.ndarray:
    """Classes on a lattice of 120 x 120 cells at 12 um (1440 um wide)."""
    rng = np.random.default_rng(3)
    codes = np.zeros((120, 120), np.uint8)
    if kind == "clustered":
        codes[:, :40] = 3
    elif kind == "mosaic":
        codes[rng.random(codes.shape) < 0.3] = 3
    elif kind == "scattered":
        codes[rng.random(codes.shape) < 0.07] = 3
    elif kind == "rare":
        codes[rng.random(codes.shape) < 0.02] = 3
    elif kind == "homogeneous":
        codes[:] = 3
        codes[rng.random(codes.shape) < 0.2] = 2
    return codes.ravel()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clustered", "clustered"),
        ("mosaic", "mosaic"),
        ("scattered", "scattered"),
        ("rare", "none"),
        ("homogeneous", "none"),
        ("negative", "none"),
    ],
)
def test_kinds_of_heterogeneity(kind: str, expected: str) -> None:
    rows, cols = lattice(120)
    found = summarise_cells(pattern(kind), rows, cols).heterogeneity
    assert found.kind == expected
    assert found.found == (expected != "none")
    assert found.clones == ()


def test_clustering_is_zero_by_chance_and_one_when_apart() -> None:
    rng = np.random.default_rng(0)
    tile = np.repeat(np.arange(200), 50)
    assert clustering(rng.random(10_000) < 0.2, tile)[0] == pytest.approx(0, abs=0.01)
    assert clustering(tile < 40, tile) == (1.0, 200)
    assert clustering(tile < 40, np.zeros(10_000, int)) == (None, 1)
    assert clustering(np.zeros(10_000, bool), tile) == (None, 200)


def test_a_small_clone_is_outlined() -> None:
    rows, cols = lattice(120)
    codes = pattern("rare")
    inside = (np.hypot(rows - 700, cols - 400) < 130) & (rows > 0)
    codes[inside] = 3
    summary = summarise_cells(codes, rows, cols)
    assert summary.percent["3+"] < 10
    (clone,) = summary.heterogeneity.clones
    outline = np.array(clone.outline_um)
    assert np.hypot(*((outline.min(axis=0) + outline.max(axis=0)) / 2 - (700, 400))) < 30
    assert np.ptp(outline, axis=0) == pytest.approx((260, 260), abs=60)
    assert np.hypot(*(outline - (700, 400)).T).max() < 130 + 60
    assert clone.strong_cells == pytest.approx(inside.sum(), rel=0.15)
    assert clone.percent_of_all == pytest.approx(100 * clone.strong_cells / 14_400)
    assert summary.heterogeneity.found


def test_two_clones_come_largest_first() -> None:
    rows, cols = lattice(120)
    codes = np.zeros(14_400, np.uint8)
    codes[np.hypot(rows - 400, cols - 400) < 100] = 3
    codes[np.hypot(rows - 1000, cols - 1000) < 160] = 3
    clones = summarise_cells(codes, rows, cols).heterogeneity.clones
    assert [round(np.mean(np.array(c.outline_um)[:, 0]), -2) for c in clones] == [1000, 400]


def test_outline_of_few_points() -> None:
    assert convex_outline(np.array([[1.0, 2.0]])) == ((1.0, 2.0),)
    square = np.array([[0, 0], [0, 2], [2, 2], [2, 0], [1, 1], [0, 1]], float)
    assert set(convex_outline(square)) == {(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (2.0, 0.0)}


# ------------------------------------------------------------------ agreement, controls, flips


def test_agreement_of_scorers() -> None:
    cells = np.array([[0, 1, 2, 3, 4, 5, 255, 3]])
    pixels = np.array([[1, 1, 3, 3, 4, 3, 3, 255]])
    pairs = agreement({"cells": "2+", "pixels": "2+", "patches": "3+"}, {"cells": cells, "pixels": pixels})
    found = {pair.scorers: pair for pair in pairs}
    assert set(found) == {("cells", "pixels"), ("cells", "patches"), ("pixels", "patches")}
    both = found["cells", "pixels"]
    assert both.same
    assert both.fraction_area == pytest.approx(4 / 5)  # 1, 3, 4 and unusual with 2+; 2 and 3 differ
    assert not found["cells", "patches"].same
    assert found["cells", "patches"].fraction_area is None
    assert both.to_json()["scores"] == {"cells": "2+", "pixels": "2+"}


def test_agreement_without_common_area() -> None:
    empty = np.zeros((2, 2), np.uint8)
    (pair,) = agreement({"a": "0", "b": "0"}, {"a": empty, "b": empty})
    assert pair.fraction_area is None
    with pytest.raises(UsageError, match="resample"):
        agreement({"a": "0", "b": "0"}, {"a": empty, "b": np.zeros((3, 3))})
    assert agreement({"a": "0"}) == ()


@pytest.mark.parametrize(
    ("counts", "expected", "adequate"),
    [
        ({"complete_intense": 90, "none": 10}, "3+", True),
        ({"complete_intense": 90, "none": 10}, "0", False),
        ({"none": 50}, "0", True),
        ({"incomplete_faint": 30, "none": 20}, "0", False),
        ({"complete_weak_moderate": 30, "none": 20}, "3+", False),
        ({"complete_intense": 19, "none": 0}, "3+", False),
    ],
)
def test_controls(counts: dict[str, int], expected: str, adequate: bool) -> None:
    result = control_call(counts, expected)  # type: ignore[arg-type]
    assert result.adequate == adequate
    assert expected in result.reason
    assert result.to_json()["adequate"] == adequate


def test_a_control_must_expect_a_score() -> None:
    with pytest.raises(UsageError, match="expected"):
        control_call({"none": 50}, "positive")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"complete_intense": 100, "none": 900}, [("3+", 1), ("0", 91)]),
        ({"complete_intense": 101, "none": 899}, [("2+", 1)]),
        ({"complete_weak_moderate": 101, "none": 899}, [("3+", 101), ("1+", 1)]),
        ({"incomplete_faint": 103, "none": 897}, [("2+", 10), ("0", 3)]),
        ({"none": 1000}, [("2+", 10)]),
    ],
)
def test_flips_by_hand(counts: dict[str, int], expected: list[tuple[str, int]]) -> None:
    assert [(flip.score, flip.cells) for flip in what_would_flip(counts)] == expected


def test_a_flip_names_the_most_alike_kinds() -> None:
    (down,) = what_would_flip({"complete_intense": 101, "complete_weak_moderate": 400, "none": 499})
    assert down.to_json() == {
        "score": "2+",
        "cells": 1,
        "to": "complete_weak_moderate",
        "from": {"complete_intense": 1},
    }


def test_a_flip_names_the_sum_where_it_is_not_split() -> None:
    flips = what_would_flip({"incomplete_moderate_intense": 101, "none": 899}, "gastric-resection")
    assert flips[1].taken_from == {"incomplete_moderate_intense": 2}
    split = {"incomplete_moderate": 101, "incomplete_intense": 0, "none": 899}
    assert what_would_flip(split, "gastric-resection")[1].taken_from == {"incomplete_moderate": 2}


def test_flips_of_a_biopsy_are_those_of_its_cluster() -> None:
    counts = {"complete_intense": 9, "none": 100}
    flips = what_would_flip(counts, "gastric-biopsy", clusters={"complete_intense": 6})
    assert [(flip.score, flip.cells) for flip in flips] == [("2+", 2)]


def test_settings_reach_the_result() -> None:
    rows, cols = lattice(60)
    codes = np.zeros(3600, np.uint8)
    codes[::9] = 3
    fine = summarise_cells(codes, rows, cols, settings=SummarySettings(tile_um=100, engine_bias_points=2))
    plain = summarise_cells(codes, rows, cols)
    assert len(fine.tiles) > len(plain.tiles)
    assert fine.percent_ci95["3+"][1] > plain.percent_ci95["3+"][1] + 1
    assert fine.evidence().engine_bias_points == 2
