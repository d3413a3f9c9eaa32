"""The mapping's conventions: half pixels, both directions, every µm/px; where it is to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.geometry import Affine
from napari_her2.mapping import SlideFrame
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.mapping.trust import FAR_UM

SIZES = [(0.25, 0.25), (0.25, 0.5), (0.5, 0.23), (0.4661, 0.9211), (2.0, 0.125), (0.2501, 7.3)]


@pytest.mark.parametrize(("he_um", "ihc_um"), SIZES)
def test_pixel_corners_and_centres_at_every_pixel_size(make_mapping, he_um, ihc_um):
    """The same glass scanned twice: corners meet, and centres are half a pixel of each scan in."""
    mapping = make_mapping(Affine.identity(), SlideFrame((900, 800), he_um), SlideFrame((900, 800), ihc_um))
    assert np.allclose(mapping.he_to_ihc([[0.0, 0.0]]), [[0, 0]], atol=1e-9)
    centre_of_first = mapping.he_to_ihc([[0.5, 0.5]])
    assert np.allclose(centre_of_first * ihc_um, 0.5 * he_um, atol=1e-9)


@pytest.mark.parametrize(("he_um", "ihc_um"), SIZES)
@pytest.mark.parametrize("mirror", [False, True])
def test_known_affine_to_a_thousandth_of_a_pixel(make_mapping, he_um, ihc_um, mirror):
    true = (
        Affine.translation(310.0, -72.5)
        @ Affine.rotation(37.0)
        @ Affine.of(np.diag([1.02, -0.97 if mirror else 0.97]))
    )
    mapping = make_mapping(true, SlideFrame((4000, 3000), he_um), SlideFrame((5000, 5000), ihc_um))
    points = np.random.default_rng(0).uniform(0, 3000, (200, 2))
    expected = true(points * he_um) / ihc_um
    assert np.abs(mapping.he_to_ihc(points) - expected).max() < 1e-3
    assert np.abs(mapping.ihc_to_he(expected) - points).max() < 1e-3
    assert mapping.mirrored is mirror


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 2), st.floats(0.1, 2), st.floats(0, 360))
def test_inverse_consistency_of_smooth_maps(make_mapping, seed, he_um, ihc_um, degrees):
    rng = np.random.default_rng(seed)
    he = SlideFrame((int(2000 / he_um), int(2400 / he_um)), he_um)
    lattice = Lattice.over(he.size_um, 60.0, 2)
    nodes = lattice.nodes_um
    values = 40 * np.stack([np.sin(nodes[:, 1] / 250 + rng.uniform(0, 6)), np.cos(nodes[:, 0] / 300)], axis=1)
    mapping = make_mapping(
        Affine.rotation(degrees, (1000.0, 1200.0)),
        he,
        SlideFrame((int(3000 / ihc_um), int(3000 / ihc_um)), ihc_um),
        flow=Flow.of(lattice.with_values(values.reshape(lattice.values.shape))),
    )
    points = rng.uniform(0, 1, (300, 2)) * he.shape
    there_and_back = mapping.ihc_to_he(mapping.he_to_ihc(points))
    miss_um = np.linalg.norm(there_and_back - points, axis=1) * he_um
    assert np.percentile(miss_um, 99) < 1e-3


def test_carry_names_the_side(make_mapping):
    mapping = make_mapping(Affine.translation(10.0, 20.0))
    assert np.allclose(mapping.carry([[0, 0]], "he"), mapping.he_to_ihc([[0, 0]]))
    assert np.allclose(mapping.carry([[0, 0]], "ihc"), mapping.ihc_to_he([[0, 0]]))


def test_points_off_the_overlap_are_finite_marked_and_distrusted(make_mapping):
    mapping = make_mapping(
        Affine.translation(500.0, 0.0), SlideFrame((2000, 2000), 0.5), SlideFrame((2000, 2000), 0.5)
    )
    points = np.array([[500.0, 500.0], [1900.0, 500.0]])
    assert mapping.inside(points, "he").tolist() == [True, False]
    assert np.isfinite(mapping.he_to_ihc(points)).all()
    near, far = mapping.error_um(points, "he")
    assert near == pytest.approx(10.0)
    assert far >= FAR_UM
    there = mapping.he_to_ihc(points)
    assert mapping.inside(there, "ihc").tolist() == [True, False]
    assert mapping.error_um(there, "ihc")[0] == pytest.approx(10.0)


def test_no_points_are_no_trouble(make_mapping):
    mapping = make_mapping(Affine.identity())
    empty = np.zeros((0, 2))
    assert mapping.he_to_ihc(empty).shape == (0, 2)
    assert mapping.error_um(empty, "he").shape == (0,)


def test_report_has_the_contract_fields_and_review_sets_the_flag(make_mapping):
    mapping = make_mapping(Affine.identity())
    assert set(mapping.report()) == {
        "kind",
        "residual_um_p50",
        "residual_um_p90",
        "overlap_fraction",
        "min_jacobian",
        "injective",
        "needs_review",
        "reason",
    }
    assert mapping.flags == ()
    doubted = mapping.reviewed("the pair looks swapped")
    assert doubted.flags == ("needs_review",)
    assert doubted.reason == "the pair looks swapped"
