"""Figures of an evaluation: hand-computed tables, scikit-learn, and what must hold for any data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.learning.evaluation import (
    accuracy,
    auc,
    average_precision,
    balanced_accuracy,
    boundary_counts,
    boundary_f1,
    confusion,
    decision_curve,
    dice,
    iou,
    negative_value,
    positive_value,
    reliability,
    sensitivity,
    specificity,
    weighted_kappa,
    within_one,
)
from napari_her2.learning.evaluation.calibration import calibration_error, squared_error, surprise

#                 called 0  1  2     (rows are the truth)
TABLE = np.array([[5, 3, 2], [1, 7, 2], [0, 2, 8]], float)
NAN = float("nan")


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (accuracy, 20 / 30),
        (balanced_accuracy, (0.5 + 0.7 + 0.8) / 3),
        (sensitivity, [0.5, 0.7, 0.8]),
        (specificity, [19 / 20, 15 / 20, 16 / 20]),
        (positive_value, [5 / 6, 7 / 12, 8 / 12]),
        (negative_value, [19 / 24, 15 / 18, 16 / 18]),
        (iou, [5 / 11, 7 / 15, 8 / 14]),
        (dice, [10 / 16, 14 / 22, 16 / 22]),
        (within_one, 28 / 30),
        # Σ w C = (3 + 2·4 + 1 + 2 + 2) / 4 = 4; Σ w E with margins 10, 10, 10 and 6, 12, 12:
        # 10/30 · (12 + 4·12 + 6 + 12 + 4·6 + 12) / 4 = 9.5
        (weighted_kappa, 1 - 4 / 9.5),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_figures_of_a_table_computed_by_hand(figure: Any, expected: Any) -> None:
    np.testing.assert_allclose(figure(TABLE), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("figure", "table", "expected"),
    [
        (accuracy, [[0, 0], [0, 0]], NAN),
        (sensitivity, [[0, 0], [1, 3]], [NAN, 0.75]),
        (balanced_accuracy, [[0, 0], [1, 3]], 0.75),
        (iou, [[4, 0, 0], [0, 4, 0], [0, 0, 0]], [1, 1, NAN]),
        (weighted_kappa, [[7, 0], [0, 0]], NAN),
        (weighted_kappa, [[5, 0], [0, 5]], 1.0),
        (weighted_kappa, [[0, 5], [5, 0]], -1.0),
    ],
)
def test_what_is_undefined_is_not_a_number(figure: Any, table: Any, expected: Any) -> None:
    np.testing.assert_allclose(figure(np.array(table, float)), expected)


codes = st.integers(2, 5).flatmap(
    lambda k: st.tuples(
        st.just(k), st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=60)
    )
)


@given(codes)
def test_confusion_figures_are_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    from sklearn import metrics

    k, pairs = drawn
    truth, called = np.array(pairs).T
    labels = list(range(k))
    table = confusion(truth, called, k)
    np.testing.assert_array_equal(table, metrics.confusion_matrix(truth, called, labels=labels))
    c = table.astype(float)
    assert accuracy(c) == pytest.approx(metrics.accuracy_score(truth, called))
    there = np.unique(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where a class has no sample
        recall = metrics.recall_score(truth, called, labels=labels, average=None, zero_division=np.nan)
        jaccard = metrics.jaccard_score(truth, called, labels=labels, average=None, zero_division=0)
        kappa = metrics.cohen_kappa_score(truth, called, labels=labels, weights="quadratic")
        balanced = metrics.balanced_accuracy_score(truth, called)
    np.testing.assert_allclose(sensitivity(c), recall)
    occurs = np.union1d(truth, called)
    np.testing.assert_allclose(iou(c)[occurs], jaccard[occurs])
    assert balanced_accuracy(c) == pytest.approx(balanced)
    if len(there) > 1 or len(np.unique(called)) > 1:
        assert weighted_kappa(c) == pytest.approx(kappa, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=80
    )
)
def test_ranking_figures_are_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    from sklearn import metrics

    score = np.array([p for p, _ in pairs])
    positive = np.array([y for _, y in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(auc(score, positive))
        return
    assert auc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score))
    assert average_precision(score, positive) == pytest.approx(
        metrics.average_precision_score(positive, score)
    )
    assert auc(-score, positive) == pytest.approx(1 - auc(score, positive))


def test_probability_figures_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(4), 200)
    truth = rng.integers(0, 4, 200)
    assert surprise(p, truth).mean() == pytest.approx(metrics.log_loss(truth, p, labels=range(4)))
    two = p[:, :1] + p[:, 1:2]
    binary = np.column_stack([1 - two, two])
    is_low = (truth < 2).astype(np.intp)
    # scikit-learn's Brier score of two classes counts one of them, ours both.
    assert squared_error(binary, is_low).mean() == pytest.approx(
        2 * metrics.brier_score_loss(is_low, two[:, 0])
    )


def test_reliability_by_hand() -> None:
    stated = np.array([0.1, 0.1, 0.4, 0.4, 0.9, 0.9])
    true = np.array([False, False, True, False, True, True])
    bins = reliability(stated, true, bins=3)
    assert [(b.n, round(b.stated, 3), round(b.found, 3)) for b in bins] == [
        (2, 0.1, 0),
        (2, 0.4, 0.5),
        (2, 0.9, 1),
    ]
    error = calibration_error(stated, true, np.arange(6), bins=3)(np.ones((1, 6)))
    assert error[0] == pytest.approx((0.1 + 0.1 + 0.1) / 3)


def test_a_calibrated_model_has_little_calibration_error_and_a_boastful_one_much() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20_000)
    true = rng.uniform(size=20_000) < p
    one = np.ones((1, 1))
    everyone = np.zeros(20_000, np.intp)
    assert calibration_error(p, true, everyone)(one)[0] < 0.02
    boast = np.clip(p * 3 - 1, 0.01, 0.99)
    assert calibration_error(boast, true, everyone)(one)[0] > 0.15


def test_decision_curves_keep_their_promises() -> None:
    event = np.array([True] * 3 + [False] * 7)
    perfect = decision_curve(event.astype(float), event, (0.1, 0.30, 0.6))
    assert [point.model for point in perfect] == pytest.approx([0.3] * 3)
    always = decision_curve(np.ones(10), event, (0.1, 0.30, 0.6))
    assert [p.model for p in always] == pytest.approx([p.act_on_all for p in always])
    assert always[1].act_on_all == pytest.approx(0.3 - 0.7 * 0.3 / 0.7)
    never = decision_curve(np.zeros(10), event, (0.30,))
    assert never[0].model == 0
    # 2 of 3 found, 1 false of 7: 2/10 - 1/10 · 3/7
    some = decision_curve(np.array([0.9, 0.4, 0.1, 0.8, *[0.2] * 6]), event, (0.30,))[0]
    assert some.model == pytest.approx(0.2 - 0.1 * 3 / 7)
    assert some.avoided_per_100 == pytest.approx((some.model - some.act_on_all) / (3 / 7) * 100)
    with pytest.raises(ValueError, match="threshold"):
        decision_curve(np.ones(10), event, (1.0,))


def square(start: int, stop: int, size: int = 40) -> np.ndarray:
    picture = np.zeros((size, size), np.uint8)
    picture[start:stop, start:stop] = 1
    return picture


@pytest.mark.parametrize(
    ("shift", "tolerance", "expected"),
    [(0, 0, 1.0), (1, 1.0, 1.0), (3, 1.0, None), (3, 3.0, 1.0), (3, 5.0, 1.0)],
)
def test_boundary_f1_forgives_what_lies_within_the_tolerance(
    shift: int, tolerance: float, expected: float | None
) -> None:
    truth, moved = square(10, 25), np.roll(square(10, 25), shift, axis=1)
    value = boundary_f1(boundary_counts(truth, moved, 2, tolerance).astype(float))[1]
    if expected is None:  # the two sides that run along the shift still meet
        assert 0.3 < value < 0.7
    else:
        assert value == pytest.approx(expected)


def test_boundary_f1_where_there_is_no_outline() -> None:
    empty, full = np.zeros((20, 20), np.uint8), square(5, 15, 20)
    both = boundary_f1(boundary_counts(empty, empty, 2, 1).astype(float))
    assert np.isnan(both).all(), "a picture of one class has no outline"
    assert boundary_f1(boundary_counts(full, empty, 2, 1).astype(float))[1] == 0


def test_a_thin_ring_that_iou_hardly_sees_is_seen_by_its_outline() -> None:
    truth = square(5, 35)
    ragged = truth.copy()
    ragged[5:35:2, 5:8] = 0
    counts = confusion(truth, ragged, 2).astype(float)
    lines = boundary_counts(truth, ragged, 2, 1).astype(float)
    assert iou(counts)[1] > 0.94
    assert boundary_f1(lines)[1] < iou(counts)[1]
