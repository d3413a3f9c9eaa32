"""Distances in feature space: against formulas, and on features with a known answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.errors import ModelError
from napari_her2.models import fit_reference, read_reference, write_reference
from napari_her2.models.outside import shrunk_covariance
from napari_her2.store import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("mahalanobis", "knn")


def features(n: int, seed: int, shift: float = 0.0, d: int = 12) -> np.ndarray:
    """Correlated features of very different sizes; ``shift`` in units of each one's spread."""
    rng = np.random.default_rng(seed)
    mixing = (np.eye(d) + 0.2 * np.random.default_rng(99).normal(size=(d, d))) * np.logspace(-2, 2, d)
    noise = rng.normal(size=(n, d))
    return ((noise + shift / np.sqrt(d)) @ mixing + 5).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_like_data_raise_no_alarm_and_other_data_do(kind: Any) -> None:
    reference = fit_reference(features(2000, 0), features(1000, 1), kind=kind)
    same, other = reference.judge(features(1500, 2)), reference.judge(features(1500, 3, shift=8))
    assert same.expected == pytest.approx(0.01)
    assert same.share < 0.03
    assert not same.unlike
    assert other.share > 0.5
    assert other.unlike


@pytest.mark.parametrize("kind", KINDS)
def test_distance_grows_with_the_shift(kind: Any) -> None:
    reference = fit_reference(features(1000, 0), features(500, 1), kind=kind)
    middle = [float(np.median(reference.distances(features(300, 4, shift=s)))) for s in (0, 2, 4, 8, 16)]
    assert all(np.diff(middle) > 0)


def test_mahalanobis_is_the_formula() -> None:
    train = features(3000, 0)
    reference = fit_reference(train, features(500, 1))
    asked = features(50, 5, shift=1)
    away = asked - train.mean(0)
    # With so many patches nothing is shrunk, and the scale of the features cancels.
    inverse = np.linalg.inv(np.cov(train.T.astype(np.float64), bias=True))
    want = np.sqrt(np.einsum("nd,de,ne->n", away, inverse, away))
    np.testing.assert_allclose(reference.distances(asked), want, rtol=0.05)


def test_the_kth_neighbour_is_counted() -> None:
    """Two clusters: between them is far from both, which one ellipsoid cannot tell."""
    rng = np.random.default_rng(0)
    sides = np.array([[-10.0, -10.0], [10.0, 10.0]])
    draw = lambda n: sides[rng.integers(0, 2, n)] + rng.normal(size=(n, 2)) * 0.5  # noqa: E731
    near, round_ = (fit_reference(draw(600), draw(300), kind=kind, k=5) for kind in ("knn", "mahalanobis"))
    middle = np.zeros((1, 2))
    assert near.distances(middle)[0] > 3 * near.threshold
    assert round_.distances(middle)[0] < round_.threshold
    placed = (draw(40) - near.mean) @ near.transform
    brute = np.sort(np.linalg.norm(placed[:, None] - near.samples[None], axis=2), axis=1)[:, 4]
    asked = placed @ np.linalg.inv(near.transform) + near.mean
    np.testing.assert_allclose(near.distances(asked), brute, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_threshold_keeps_its_promise(seed: int, quantile: float) -> None:
    """Of new data like the held-out ones no more than promised lies beyond, up to chance."""
    reference = fit_reference(features(400, seed), features(2000, seed + 1), quantile=quantile)
    beyond = (reference.distances(features(2000, seed + 2)) > reference.threshold).mean()
    assert beyond < (1 - quantile) + 5 * np.sqrt((1 - quantile) * quantile / 1000)


def test_few_patches_are_no_proof() -> None:
    reference = fit_reference(features(500, 0), features(500, 1))
    strange = features(1000, 2, shift=30)
    assert not reference.judge(strange[:0]).unlike
    assert not reference.judge(np.concatenate([features(10, 3), strange[:1]])).unlike
    assert reference.judge(strange[:20]).unlike


def test_shrinkage_saves_short_samples() -> None:
    """With fewer patches than features the plain covariance is singular; the shrunk one is near the truth."""
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(20, 60)), rng.normal(size=(20_000, 60))
    shrunk = shrunk_covariance(few - few.mean(0))
    assert np.linalg.cond(shrunk) < 10
    assert np.abs(shrunk_covariance(many - many.mean(0)) - np.eye(60)).max() < 0.05
    fit_reference(few, rng.normal(size=(200, 60)))


def test_dead_features_do_no_harm() -> None:
    train, held = features(500, 0), features(500, 1)
    train[:, 3] = held[:, 3] = 7
    for kind in KINDS:
        reference = fit_reference(train, held, kind=kind)  # type: ignore[arg-type]
        assert np.isfinite(reference.distances(held)).all()
        assert not reference.judge(held).unlike


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_survives_its_file(tmp_path: Path, kind: Any) -> None:
    reference = fit_reference(features(300, 0), features(300, 1), kind=kind)
    path = tmp_path / "r.safetensors"
    assert write_reference(reference, path) == sha256_of(path)
    back = read_reference(path)
    asked = features(20, 2)
    np.testing.assert_array_equal(back.distances(asked), reference.distances(asked))
    assert (back.threshold, back.quantile, back.k) == (reference.threshold, 0.99, 10)


def test_files_that_are_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "r.safetensors"
    for held in (b"", b"\x08\0\0\0\0\0\0\0{}      ", b"nonsense" * 10):
        path.write_bytes(held)
        with pytest.raises(ModelError, match=r"r\.safetensors is no reference"):
            read_reference(path)


def test_what_cannot_be_fitted_or_compared() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_reference(features(300, 0), features(50, 1))
    with pytest.raises(ValueError, match="too few"):
        fit_reference(features(5, 0), features(500, 1))
    with pytest.raises(ValueError, match="finite"):
        fit_reference(np.full((300, 4), np.nan), features(300, 1))
    reference = fit_reference(features(300, 0), features(300, 1))
    with pytest.raises(ValueError, match=r"\(n, 12\)"):
        reference.distances(features(5, 0, d=11))
