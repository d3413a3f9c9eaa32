"""Intervals: known values, coverage, and clustered cells."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.scoring import Evidence, apply_rule, wilson
from napari_her2.scoring.intervals import (
    bias_at,
    multinomial_draws,
    percent_interval,
    shifted,
    tile_draws,
)


@pytest.mark.parametrize(
    ("part", "total", "low", "high"),
    [  # published or computed by hand from Wilson's formula
        (0, 10, 0.0, 27.7533),
        (1, 10, 1.7876, 40.4150),
        (5, 10, 23.6593, 76.3407),
        (10, 10, 72.2467, 100.0),
        (100, 1000, 8.2909, 12.0154),
        (81, 263, 25.5289, 36.6210),
        (0, 0, 0.0, 100.0),
    ],
)
def test_wilson(part: int, total: int, low: float, high: float) -> None:
    assert wilson(part, total) == pytest.approx((low, high), abs=2e-3)


def test_wilson_covers_95_of_100() -> None:
    rng = np.random.default_rng(5)
    parts = rng.binomial(300, 0.1, size=2000)
    inside = [low <= 10 <= high for low, high in (wilson(int(part), 300) for part in parts)]
    assert 0.93 < np.mean(inside) < 0.975


def test_draws_are_repeatable_and_keep_the_total() -> None:
    columns = np.array([500, 200, 0, 100, 100, 100])
    one, other = multinomial_draws(columns), multinomial_draws(columns)
    assert np.array_equal(one, other)
    assert (one.sum(axis=1) == 1000).all()
    assert (one[:, 2] == 0).all()
    assert one.mean(axis=0) == pytest.approx(columns, abs=3)


def test_tiles_are_resampled_whole() -> None:
    tiles = np.diag([10, 20, 30, 40, 50, 60])
    draws = tile_draws(tiles)
    assert draws.shape == (1999, 6)
    assert (draws % np.diag(tiles) == 0).all()
    assert len(np.unique(draws[:, 0])) > 2
    assert (draws / np.diag(tiles)).sum(axis=1) == pytest.approx(6)
    assert draws.mean(axis=0) == pytest.approx(np.diag(tiles), rel=0.1)
    assert np.array_equal(draws, tile_draws(tiles))


def test_many_tiles_are_drawn_in_pieces() -> None:
    tiles = np.ones((5000, 6), np.int64)
    draws = tile_draws(tiles, draws=900)
    assert (draws == 5000).all()


def test_one_tile_says_nothing_about_spread() -> None:
    assert len(tile_draws(np.array([[5, 0, 0, 0, 0, 5]]))) == 0
    assert percent_interval(5, 10, (np.zeros(0, int), np.zeros(0, int))) == wilson(5, 10)


@pytest.mark.parametrize(("tiles", "cells", "alike"), [(6, 200, 0.05), (16, 200, 0.05), (60, 100, 0.1)])
def test_tiles_cover_what_single_cells_do_not(tiles: int, cells: int, alike: float) -> None:
    """Cells that are alike within a tile (beta-binomial, 10 % on average): how often 10 % is inside."""
    rng = np.random.default_rng(0)
    weight = (1 - alike) / alike
    plain = wide = 0
    for seed in range(150):
        positive = rng.binomial(cells, rng.beta(0.1 * weight, 0.9 * weight, tiles))
        table = np.zeros((tiles, 6), np.int64)
        table[:, 5], table[:, 0] = positive, cells - positive
        part, total = int(positive.sum()), tiles * cells
        drawn = tile_draws(table, draws=300, seed=seed)
        low, high = percent_interval(part, total, (drawn[:, 5], drawn.sum(axis=1)))
        wide += low <= 10 <= high
        plain += wilson(part, total)[0] <= 10 <= wilson(part, total)[1]
    assert plain / 150 < 0.65
    assert wide / 150 > 0.84


def test_the_wider_interval_wins() -> None:
    together = np.zeros((20, 6), np.int64)
    together[:2, 5] = 100
    together[2:, 0] = 100
    spread = np.zeros((20, 6), np.int64)
    spread[:, 5], spread[:, 0] = 10, 90
    plain = wilson(200, 2000)
    ends = []
    for tiles in (together, spread):
        draws = tile_draws(tiles)
        ends.append(percent_interval(200, 2000, (draws[:, 5], draws.sum(axis=1))))
    assert ends[0][0] < plain[0] - 3
    assert ends[0][1] > plain[1] + 3
    assert ends[1] == plain


def test_clustered_cells_make_a_call_borderline() -> None:
    tiles = np.zeros((40, 6), np.int64)
    tiles[:, 0] = 100
    tiles[:6] = 0
    tiles[:6, 5] = 100
    counts = {"complete_intense": 600, "none": 3400}
    assert not apply_rule(counts).borderline
    clustered = apply_rule(counts, evidence=Evidence(draws=tile_draws(tiles)))
    assert clustered.score == "3+"
    assert clustered.borderline
    assert 0.6 < clustered.alternatives["3+"] < 0.95


def test_draws_of_cells_say_nothing_about_patches_or_clusters() -> None:
    cells = np.zeros((100, 6), np.int64)
    cells[:, 5] = 1000
    evidence = Evidence(draws=cells)
    patches = {"incomplete_faint": 300, "none": 700}
    assert apply_rule(patches, "paper-max", evidence=evidence) == apply_rule(patches, "paper-max")
    assert apply_rule({"none": 50}, "gastric-biopsy", evidence=evidence).alternatives == {"0": 1.0}


def test_the_engines_bias_widens() -> None:
    assert percent_interval(130, 1000, bias_points=3)[0] == pytest.approx(wilson(130, 1000)[0] - 3)
    assert percent_interval(0, 1000, bias_points=3) == wilson(0, 1000)
    assert bias_at(np.array([0, 1, 5, 10, 50, 95, 100]), 2.0) == pytest.approx([0, 0.2, 1, 2, 2, 1, 0])
    counts = {"complete_intense": 1300, "none": 8700}
    assert not apply_rule(counts).borderline
    biased = apply_rule(counts, evidence=Evidence(engine_bias_points=3))
    assert biased.borderline
    assert set(biased.alternatives) == {"3+", "2+"}


def test_shifted_tables_stay_tables() -> None:
    rng = np.random.default_rng(1)
    rows = rng.multinomial(1000, [0.3, 0.3, 0.1, 0.1, 0.1, 0.1], size=500)
    moved = shifted(rows, 3.0)
    assert (moved >= 0).all()
    assert (moved.sum(axis=1) == 1000).all()
    change = 100 * (moved[:, 5] - rows[:, 5]) / 1000
    assert np.abs(change).max() <= 3.05
    assert change.std() > 1
    assert np.array_equal(shifted(rows, 0.0), rows)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_alternatives_follow_the_distance(share: float) -> None:
    intense = int(10_000 * share)
    call = apply_rule({"complete_intense": intense, "none": 10_000 - intense})
    assert call.alternatives == {call.score: 1.0}


def test_alternatives_near_the_cut_off_agree_with_the_normal_law() -> None:
    """108 of 1000: P(k <= 100) under the binomial law, about 0.222."""
    call = apply_rule({"complete_intense": 108, "none": 892})
    assert call.alternatives["2+"] == pytest.approx(0.222, abs=0.03)


@pytest.mark.parametrize(
    ("faint", "rate", "upper", "flagged"),
    [
        (300, None, None, False),
        (300, 2.0, 2.5, False),
        (300, 2.0, 4.0, True),
        (300, 3.5, None, True),
        (300, 3.0, 2.5, True),
        (700, 2.0, 4.0, False),
        (0, 2.0, 4.0, False),
    ],
)
def test_false_faint_staining(faint: int, rate: float | None, upper: float | None, flagged: bool) -> None:
    evidence = Evidence(false_faint_percent=rate, false_faint_upper_percent=upper)
    call = apply_rule({"incomplete_faint": faint, "none": 10_000 - faint}, evidence=evidence)
    assert call.score == "0"
    assert ("null_ultralow_unresolved" in call.flags) == flagged


def test_flags_and_controls_are_carried() -> None:
    evidence = Evidence(flags=("no_tumour_gate", "heterogeneous"), control_adequate=False)
    call = apply_rule({"complete_intense": 50, "none": 40}, min_cells=20, evidence=evidence)
    assert call.flags == ("no_tumour_gate", "few_cells", "control_inadequate", "heterogeneous")
    assert (call.score, call.her2_status) == ("3+", "indeterminate")
    assert "control" in call.reason
    few = apply_rule({"complete_intense": 50, "none": 40}, evidence=evidence)
    assert few.flags == ("no_tumour_gate", "control_inadequate", "heterogeneous")
    assert apply_rule({"none": 500}, evidence=Evidence(control_adequate=True)).flags == ()


@pytest.mark.parametrize(
    ("percent", "other", "low", "high"),
    [(11, "2+", 0.3, 0.5), (15, "2+", 0.03, 0.2), (9, "3+", 0.3, 0.5), (7, "3+", 0.05, 0.25)],
)
def test_a_near_cut_off_is_no_certainty_however_many_cells(
    percent: int, other: str, low: float, high: float
) -> None:
    counts = {"complete_intense": 10_000 * percent, "complete_weak_moderate": 300_000, "none": 100_000}
    counts["none"] = 1_000_000 - sum(counts.values()) + counts["none"]
    measured = apply_rule(counts, evidence=Evidence(engine_bias_points=0.5))
    assert low < measured.alternatives[other] < high
    assert sum(measured.alternatives.values()) == pytest.approx(1)
    assert max(measured.alternatives, key=measured.alternatives.__getitem__) == measured.score


def test_far_from_every_cut_off_the_call_is_alone() -> None:
    far = {"complete_intense": 60_000, "none": 40_000}
    assert apply_rule(far, evidence=Evidence(engine_bias_points=0.5)).alternatives == {"3+": 1.0}
