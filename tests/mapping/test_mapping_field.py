"""Interpolation and flows: exact where theory says so, invertible everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.mapping import cubic
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice, SlideFrame


def lattice_of(function, rows=9, cols=11, spacing=10.0, origin=(-15.0, 4.0)):
    lattice = Lattice(np.zeros((rows, cols, 2)), origin, spacing)
    return lattice.with_values(function(lattice.nodes_um).reshape(rows, cols, 2))


def wavy(seed: int, amplitude_um: float, spacing: float = 40.0) -> Lattice:
    rng = np.random.default_rng(seed)
    lattice = Lattice.over((1000.0, 1400.0), spacing, 2)
    nodes = lattice.nodes_um
    waves = [
        rng.normal(size=2) * np.sin(nodes @ rng.normal(size=2) * 2 * np.pi / 900 + rng.uniform(0, 6))[:, None]
        for _ in range(6)
    ]
    field = sum(waves)
    return lattice.with_values((field / np.abs(field).max() * amplitude_um).reshape(lattice.values.shape))


def test_cubic_goes_through_the_nodes_and_keeps_quadratics():
    quadratic = lattice_of(
        lambda p: np.stack([p[:, 0] ** 2 - p[:, 0] * p[:, 1], 3 + 2 * p[:, 1]], axis=1) / 100
    )
    assert np.allclose(quadratic.at(quadratic.nodes_um), quadratic.values.reshape(-1, 2))
    inner = np.random.default_rng(0).uniform([-4, 16], [50, 90], (50, 2))
    expected = np.stack([inner[:, 0] ** 2 - inner[:, 0] * inner[:, 1], 3 + 2 * inner[:, 1]], axis=1) / 100
    assert np.allclose(quadratic.at(inner), expected)


def test_slopes_are_the_derivatives():
    field = wavy(1, 50.0)
    points = np.random.default_rng(0).uniform([0, 0], [1000, 1400], (100, 2))
    step = 1e-4
    by_hand = np.stack(
        [(field.at(points + d) - field.at(points - d)) / (2 * step) for d in np.eye(2) * step], axis=-1
    )
    assert np.allclose(field.slope_at(points), by_hand, atol=1e-6)


def test_beyond_the_edge_the_field_stays_constant():
    field = wavy(1, 50.0)
    far = np.array([[-1e4, 300.0], [1e5, 300.0], [200.0, -1e6]])
    assert np.isfinite(field.at(far)).all()
    assert np.allclose(field.slope_at(far)[0, :, 0], 0)
    assert np.allclose(field.at(far[:1]), field.at(np.array([[field.origin_um[0], 300.0]])))


def test_bilinear_never_overshoots():
    values = np.zeros((5, 6, 1))
    values[2, 3] = 1.0
    index = np.random.default_rng(0).uniform(-2, 8, (500, 2))
    found = cubic.bilinear(values, index)
    assert found.min() >= 0
    assert found.max() <= 1


def test_a_constant_velocity_is_a_shift():
    flow = Flow.of(lattice_of(lambda p: np.full((len(p), 2), [7.0, -3.0])))
    points = np.array([[0.0, 20.0], [31.0, 55.5]])
    assert np.allclose(flow(points), points + np.array([7.0, -3.0]))
    assert np.allclose(flow.inverse(points), points - np.array([7.0, -3.0]))


def test_a_linear_velocity_is_its_matrix_exponential():
    angle = 0.3
    generator = np.array([[0.0, -angle], [angle, 0.0]])
    centre = np.array([500.0, 700.0])
    lattice = Lattice.over((1000.0, 1400.0), 20.0, 2)
    velocity = lattice.with_values(((lattice.nodes_um - centre) @ generator.T).reshape(lattice.values.shape))
    points = centre + np.random.default_rng(0).uniform(-200, 200, (50, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert np.allclose(Flow.of(velocity)(points), centre + (points - centre) @ turn.T, atol=0.05)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), amplitude=st.floats(0, 120))
def test_there_and_back_agree_and_nothing_folds(seed, amplitude):
    flow = Flow.of(wavy(seed, amplitude))
    points = np.random.default_rng(seed).uniform([0, 0], [1000, 1400], (400, 2))
    assert np.abs(flow.inverse(flow(points)) - points).max() < 1e-4
    assert np.abs(flow(flow.inverse(points)) - points).max() < 1e-4
    assert flow.min_jacobian((1000.0, 1400.0)) > 0


def test_the_inverse_is_the_flow_of_the_opposite_velocity():
    velocity = wavy(3, 60.0)
    points = np.random.default_rng(0).uniform([100, 100], [900, 1300], (200, 2))
    opposite = Flow.of(velocity.with_values(-velocity.values))
    assert np.abs(Flow.of(velocity).inverse(points) - opposite(points)).max() < 0.5


@pytest.mark.parametrize(("shape", "um_per_px"), [((0, 5), 0.5), ((5, 5), 0.0), ((5, 5), float("nan"))])
def test_a_frame_needs_pixels(shape, um_per_px):
    with pytest.raises(ValueError, match="needs pixels"):
        SlideFrame(shape, um_per_px)
