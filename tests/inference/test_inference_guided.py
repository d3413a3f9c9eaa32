"""Coarse to fine: what is skipped is told, little is missed, and where nothing is sure all is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_her2.inference import Guided, guide


def landscape(side: int, tumour: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells, what a model would say of them, and features that show it dimly."""
    rng = np.random.default_rng(seed)
    broad = ndimage.gaussian_filter(rng.normal(size=(side, side)), 12)
    fine = ndimage.gaussian_filter(rng.normal(size=(side, side)), 1.5)
    broad, fine = broad / broad.std(), fine / fine.std()
    logits = (broad - np.quantile(broad, 1 - tumour)) * 12 + np.minimum(fine, 0)
    answers = 1 / (1 + np.exp(-np.clip(logits, -6, 6)))
    dim = np.stack([broad, fine], -1) + 0.5 * rng.normal(size=(side, side, 2))
    cells = np.indices((side, side)).reshape(2, -1).T
    return cells, answers.ravel().astype(np.float32), dim.reshape(-1, 2).astype(np.float32)


def run(cells: np.ndarray, answers: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, Guided, list[Any]]:
    guiding = guide(cells, features)
    asked = [next(guiding)]
    while True:
        try:
            asked.append(guiding.send(answers[asked[-1]]))
        except StopIteration as stop:
            return *stop.value, asked


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("side", "tumour"), [(73, 0.1), (150, 0.25), (220, 0.1)])
def test_most_is_skipped_and_the_area_stays(side: int, tumour: float, seed: int) -> None:
    cells, answers, features = landscape(side, tumour, seed)
    found, outcome, asked = run(cells, answers, features)
    seen = np.concatenate(asked)
    assert len(np.unique(seen)) == len(seen) == outcome.asked
    assert outcome.fraction_skipped > 0.6
    np.testing.assert_array_equal(found[seen], answers[seen])
    true = answers >= 0.5
    assert abs((found >= 0.5).sum() - true.sum()) <= 0.01 * true.sum()
    missed = 100 * (true & (found < 0.5)).sum() / true.sum()
    assert missed <= 1
    assert outcome.missed_percent_high is not None
    assert missed <= outcome.missed_percent_high
    assert outcome.audited >= 64


def test_where_nothing_can_be_foretold_all_is_seen() -> None:
    rng = np.random.default_rng(0)
    cells = np.indices((60, 60)).reshape(2, -1).T
    answers = rng.choice([0.02, 0.98], 3600).astype(np.float32)
    found, outcome, _ = run(cells, answers, rng.normal(size=(3600, 3)).astype(np.float32))
    np.testing.assert_array_equal(found, answers)
    assert (outcome.asked, outcome.fraction_skipped) == (3600, 0)
    assert outcome.missed_percent == 0


def test_a_student_that_is_wrong_is_found_out() -> None:
    """Small islands that neither the lattice nor low power shows."""
    cells = np.indices((120, 120)).reshape(2, -1).T
    island = ((cells % 12 >= 5) & (cells % 12 <= 7)).all(axis=1)
    answers = np.where(island, 0.97, 0.02).astype(np.float32)
    features = np.random.default_rng(0).normal(size=(len(cells), 3)).astype(np.float32)
    found, outcome, _ = run(cells, answers, features)
    missed = 100 * (island & (found < 0.5)).sum() / island.sum()
    assert missed <= 5 or outcome.missed_percent_high >= missed


def test_no_tumour_and_no_patches() -> None:
    cells = np.indices((80, 80)).reshape(2, -1).T
    features = np.random.default_rng(0).normal(size=(6400, 3)).astype(np.float32)
    found, outcome, _ = run(cells, np.full(6400, 0.01, np.float32), features)
    assert (found < 0.5).all()
    assert outcome.fraction_skipped > 0.6, "that there is none is sure only after many were seen"
    assert (outcome.missed, outcome.invented) == (0, 0)
    nothing, empty, asked = run_empty()
    assert (len(nothing), empty.patches, empty.fraction_skipped, asked) == (0, 0, 0.0, 0)


def run_empty() -> tuple[np.ndarray, Guided, int]:
    guiding = guide(np.empty((0, 2), np.int64), np.empty((0, 3), np.float32))
    with pytest.raises(StopIteration) as stop:
        next(guiding)
    return *stop.value.value, 0


def test_answers_that_nothing_foretells_are_not_skipped_however_few() -> None:
    """One patch in a hundred is tumour, anywhere: skipping the others would lose the same share of it."""
    cells = np.indices((80, 80)).reshape(2, -1).T
    rng = np.random.default_rng(4)
    answers = np.where(rng.random(6400) < 0.01, 0.9, 0.01).astype(np.float32)
    found, outcome, _ = run(cells, answers, rng.normal(size=(6400, 3)).astype(np.float32))
    true = answers >= 0.5
    missed = 100 * (true & (found < 0.5)).sum() / true.sum()
    assert outcome.missed_percent_high is not None
    assert missed <= max(1, outcome.missed_percent_high)


@pytest.mark.parametrize("unsure", [0.2, 0.8])
def test_the_area_stays_though_many_answers_lie_in_between(unsure: float) -> None:
    """What low power shows says only in part what a model answers; the rest has to be looked at."""
    cells, answers, features = landscape(120, 0.2, 7)
    rng = np.random.default_rng(2)
    doubt = (rng.random(len(cells)) < unsure) & (answers >= 0.5)
    answers = np.where(doubt, rng.uniform(0.35, 0.95, len(cells)), answers).astype(np.float32)
    found, outcome, _ = run(cells, answers, features)
    true = answers >= 0.5
    weight = 2 * np.abs(answers - 0.5)
    lost = (weight * (true & (found < 0.5))).sum() - (weight * (~true & (found >= 0.5))).sum()
    assert abs(lost) <= 0.02 * true.sum()
    assert 0 < outcome.fraction_skipped < 0.95


def test_decisions_follow_from_the_answers_alone() -> None:
    given = landscape(100, 0.15, 5)
    one, two = run(*given), run(*given)
    np.testing.assert_array_equal(one[0], two[0])
    assert one[1] == two[1]
    assert all(np.array_equal(a, b) for a, b in zip(one[2], two[2], strict=True))


def test_what_it_says_can_be_kept() -> None:
    outcome = Guided(
        patches=100, asked=20, audited=10, missed=0, invented=1, missed_percent=0.0, missed_percent_high=3.2
    )
    assert outcome.to_json()["fraction_skipped"] == 0.8
    assert outcome.to_json()["estimated_missed_percent_high"] == 3.2
