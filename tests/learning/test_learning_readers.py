"""Reader studies against hand-made tables, scikit-learn, and published examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_her2.learning.evaluation import compare_readers
from napari_her2.learning.evaluation.readers import _fleiss
from napari_her2.vocabulary import SCORES


def readings(codes: np.ndarray) -> dict[str, str | None]:
    return {f"case{k}": SCORES[code] for k, code in enumerate(codes)}


def named(pair: Any, name: str, of: str = "") -> Any:
    return next(e for e in pair.estimates if e.name == name and e.of == of)


def two(n: int = 300, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, n)
    return first, np.clip(first + rng.choice([-1, 0, 0, 0, 1], n), 0, 3)


def test_kappas_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = two()
    (pair,) = compare_readers({"A": readings(first), "B": readings(second)}, draws=200).pairs
    quadratic, plain = named(pair, "kappa, quadratic weights"), named(pair, "kappa, no weights")
    assert quadratic.value == pytest.approx(cohen_kappa_score(first, second, weights="quadratic"))
    assert plain.value == pytest.approx(cohen_kappa_score(first, second))
    assert quadratic.low < quadratic.value < quadratic.high
    assert pair.table.sum() == 300
    np.testing.assert_array_equal(pair.table.sum(axis=1), np.bincount(first, minlength=4))


def test_agreement_with_a_reference_and_without() -> None:
    # 3+: both 30, only A 10, only B 5, neither 55.
    first = np.array([3] * 40 + [0] * 60)
    second = np.array([3] * 30 + [0] * 10 + [3] * 5 + [0] * 55)
    study = compare_readers({"A": readings(first), "B": readings(second)}, reference="A", draws=200)
    (pair,) = study.pairs
    assert (pair.one, pair.other) == ("A", "B")
    assert named(pair, "PPA", "3+").value == pytest.approx(30 / 40)
    assert named(pair, "NPA", "3+").value == pytest.approx(55 / 60)
    (other,) = compare_readers({"A": readings(first), "B": readings(second)}, reference="B", draws=200).pairs
    assert named(other, "PPA", "3+").value == pytest.approx(30 / 35)
    (free,) = compare_readers({"A": readings(first), "B": readings(second)}, draws=200).pairs
    assert named(free, "average positive agreement", "3+").value == pytest.approx(60 / 75)
    assert named(free, "average negative agreement", "3+").value == pytest.approx(110 / 125)


def test_limits_of_agreement() -> None:
    """Differences 1, 2, 3, 4 points: mean 2.5, standard deviation 1.290994."""
    percent = {
        "A": {f"c{k}": {"3+": 10.0 * k} for k in range(1, 5)},
        "B": {f"c{k}": {"3+": 10.0 * k + k, "0": 1.0} for k in range(1, 5)},
    }
    scores = {r: {f"c{k}": "1+" for k in range(1, 5)} for r in percent}
    (pair,) = compare_readers(scores, percent, draws=20).pairs
    (found,) = pair.percent
    assert (found.of, found.n, found.bias) == ("3+", 4, 2.5)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * 1.290994, rel=1e-5)
    assert found.bias_ci95[1] - found.bias == pytest.approx(3.182446 * 1.290994 / 2, rel=1e-5)
    np.testing.assert_allclose(found.mean, [10.5, 21, 31.5, 42])
    assert found.to_json()["points"][0] == {"case": "c1", "mean": 10.5, "difference": 1.0}


def test_fleiss_by_its_definition() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, (40, 3))
    codes[:20, 1] = codes[:20, 0]
    votes = np.array([np.bincount(row, minlength=4) for row in codes])
    alike = np.mean([np.mean([row[a] == row[b] for a, b in ((0, 1), (0, 2), (1, 2))]) for row in codes])
    chance = (np.bincount(codes.ravel(), minlength=4) / codes.size) ** 2
    expected = (alike - chance.sum()) / (1 - chance.sum())
    assert _fleiss(votes, np.ones((1, 40)))[0] == pytest.approx(expected)
    study = compare_readers({f"R{k}": readings(codes[:, k]) for k in range(3)}, draws=100)
    assert study.fleiss.value == pytest.approx(expected)
    assert len(study.pairs) == 3


def test_cases_without_a_score_are_counted_and_left_out() -> None:
    scores: dict[str, dict[str, str | None]] = {
        "A": {"x": "1+", "y": None, "z": "3+"},
        "B": {"x": "1+", "y": "2+", "w": "0"},
    }
    study = compare_readers(scores, draws=20)
    assert study.unscored == {"A": 1, "B": 0}
    assert study.cases == ("x", "y")
    (pair,) = study.pairs
    assert pair.table.sum() == 1
    none = compare_readers({"A": {"x": "0"}, "B": {"y": "0"}}, draws=20)
    assert none.pairs[0].table.sum() == 0
    assert all(e.value is None for e in none.pairs[0].estimates)


def test_what_is_no_study_is_refused() -> None:
    with pytest.raises(ValueError, match="two readers"):
        compare_readers({"A": {"x": "0"}})
    with pytest.raises(ValueError, match="none of the readers"):
        compare_readers({"A": {}, "B": {}}, reference="C")
