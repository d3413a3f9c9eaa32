"""Boxes, outlines, masks and the gate, in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.geometry import Affine, Box
from napari_her2.mapping import UNSURE, SlideFrame, carry_box, carry_mask, carry_polygon, carry_raster, gate
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice

SQUARE = [[1000.0, 1000.0], [1000.0, 2000.0], [2000.0, 2000.0], [2000.0, 1000.0]]


@pytest.fixture
def quarter_turn(make_mapping):
    frame = SlideFrame((4000, 4000), 0.5)
    return make_mapping(Affine.rotation(90.0, (1000.0, 1000.0)), frame, frame, error_um=20.0)


def area(outline):
    following = np.roll(outline, -1, axis=0)
    return abs(np.sum(outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0])) / 2


def test_an_outline_keeps_its_area_under_a_turn_and_returns(quarter_turn):
    carried = carry_polygon(quarter_turn, SQUARE, "he")
    assert area(carried) == pytest.approx(1e6)
    assert len(carried) == 40
    back = carry_polygon(quarter_turn, carried, "ihc", step_um=1e9)
    assert np.allclose(back[::10], SQUARE)


def test_long_edges_bend_with_the_map(make_mapping):
    frame = SlideFrame((4000, 4000), 0.5)
    lattice = Lattice.over(frame.size_um, 50.0, 2)
    values = np.zeros(lattice.values.shape)
    values[..., 0] = (30 * np.sin(lattice.nodes_um[:, 1] / 200)).reshape(values.shape[:2])
    mapping = make_mapping(Affine.identity(), frame, frame, flow=Flow.of(lattice.with_values(values)))
    carried = carry_polygon(mapping, SQUARE, "he")
    assert np.ptp(carried[:20, 0]) * 0.5 > 20


def test_a_box_becomes_the_box_that_holds_it(quarter_turn):
    assert carry_box(quarter_turn, Box(1000, 1000, 500, 1000), "he") == Box(2000, 1000, 1000, 500)
    turned = carry_box(quarter_turn, Box(1000, 1000, 500, 1000), "he")
    assert carry_box(quarter_turn, turned, "ihc") == Box(1000, 1000, 500, 1000)


def test_a_mask_is_redrawn_pixel_for_pixel_under_a_quarter_turn(quarter_turn):
    mask = np.zeros((250, 250), bool)
    mask[40:90, 100:180] = True
    carried = carry_mask(quarter_turn, mask, 8.0, "he")
    # +90 degrees about the middle: (r, c) -> (-c, r)
    expected = np.zeros_like(mask)
    expected[250 - 180 : 250 - 100, 40:90] = True
    assert np.array_equal(carried, expected)
    assert np.array_equal(carry_mask(quarter_turn, carried, 8.0, "ihc"), mask)


def test_slides_of_other_size_and_pixels(make_mapping):
    mapping = make_mapping(
        Affine.translation(100.0, 0.0), SlideFrame((2000, 1000), 0.5), SlideFrame((1100, 600), 1.0)
    )
    raster = np.zeros((125, 63), np.float32)
    raster[10, 20] = 1.0
    carried = carry_raster(mapping, raster, 8.0, "he")
    assert carried.shape == (138, 75)
    assert carried.sum() == pytest.approx(1.0)
    assert np.average(np.arange(138), weights=carried.sum(axis=1)) == pytest.approx(10 + 100 / 8)


def test_labels_are_not_mixed(quarter_turn):
    labels = np.random.default_rng(0).choice(np.array([0, 4, 255], np.uint8), (250, 250))
    carried = carry_raster(quarter_turn, labels, 8.0, "he", smooth=False)
    assert carried.dtype == np.uint8
    assert set(np.unique(carried)) <= {0, 4, 255}


def test_the_gate_leaves_a_band_of_the_local_error_open(quarter_turn):
    mask = np.zeros((500, 500), bool)
    mask[100:300, 100:300] = True
    gated = gate(quarter_turn, mask, 4.0)
    inside, unsure = gated == 1, gated == UNSURE
    # 20 µm are five pixels: 200 - 10 sure inside, a band of five on both sides
    assert inside.sum() == 190**2
    assert unsure.sum() == pytest.approx(210**2 - 190**2, rel=0.01)


def test_the_gate_grants_nothing_outside_the_shared_tissue(make_mapping):
    frame = SlideFrame((2000, 2000), 0.5)
    mapping = make_mapping(Affine.translation(500.0, 0.0), frame, frame)
    mask = np.ones((250, 250), bool)
    gated = gate(mapping, mask, 4.0)
    assert not (gated[:120] == 1).any()
    assert (gated[140:, 10:240] == 1).all()
