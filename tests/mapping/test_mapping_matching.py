"""Patches in pairs: one to one always, nothing lost, areas conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.geometry import Affine
from napari_her2.mapping import (
    MATCHINGS,
    ChosenPatches,
    SlideFrame,
    match_patches,
    overlap_weights,
    pair_table,
    paper_matching,
    soft_matching,
)
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.patches import PatchGrid

FRAME = SlideFrame((8000, 8000), 0.5)
IHC_PATCH_UM = 128.0


def he_patches(frame=FRAME, cells=None):
    return ChosenPatches.of(PatchGrid.he(frame), cells)


def ihc_patches(frame=FRAME, cells=None):
    return ChosenPatches.of(PatchGrid.ihc(frame), cells)


def warped(make_mapping, seed=0, degrees=0.0, amplitude_um=60.0, frame=FRAME):
    lattice = Lattice.over(frame.size_um, 100.0, 2)
    nodes = lattice.nodes_um
    rng = np.random.default_rng(seed)
    values = amplitude_um * np.stack(
        [np.sin(nodes[:, 1] / 500 + rng.uniform(0, 6)), np.sin(nodes[:, 0] / 400 + rng.uniform(0, 6))], axis=1
    )
    middle = (frame.size_um[0] / 2, frame.size_um[1] / 2)
    flow = Flow.of(lattice.with_values(values.reshape(lattice.values.shape)))
    return make_mapping(Affine.rotation(degrees, middle), frame, frame, flow=flow)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100), st.floats(0, 360), st.floats(0, 120))
def test_always_one_to_one_and_complete(make_mapping, seed, degrees, amplitude_um):
    rng = np.random.default_rng(seed)
    mapping = warped(make_mapping, seed, degrees, amplitude_um)
    he, ihc = he_patches(FRAME), ihc_patches(FRAME)
    he = he_patches(FRAME, he.cells[rng.random(len(he)) < 0.7])
    ihc = ihc_patches(FRAME, ihc.cells[rng.random(len(ihc)) < 0.7])
    found = match_patches(mapping, he, ihc)
    assert found.injective
    for count, used, alone in (
        (len(he), found.he_index, found.he_unmatched),
        (len(ihc), found.ihc_index, found.ihc_unmatched),
    ):
        assert sorted([*used, *alone]) == list(range(count))
    assert (found.residual_um <= 1.5 * IHC_PATCH_UM).all()
    assert len(found.he_index) > 0.6 * min(len(he), len(ihc))


def test_equal_grids_under_the_identity_pair_with_themselves(make_mapping):
    mapping = make_mapping(Affine.identity(), FRAME, FRAME)
    grid = he_patches(FRAME)
    found = match_patches(mapping, grid, grid)
    assert np.array_equal(found.he_index, np.arange(len(grid)))
    assert np.array_equal(found.ihc_index, found.he_index)
    assert found.residual_um.max() < 1e-6


def test_the_cheapest_pairing_is_found(make_mapping):
    """Against an exhaustive assignment on a small grid."""
    from scipy.optimize import linear_sum_assignment

    small = SlideFrame((2400, 2400), 0.5)
    mapping = warped(make_mapping, 3, 20.0, 80.0, small)
    he, ihc = he_patches(small), ihc_patches(small)
    found = match_patches(mapping, he, ihc)
    carried = mapping.he_to_ihc_um(he.centres_um)
    squared = ((carried[:, None] - ihc.centres_um[None]) ** 2).sum(axis=2) / (1.5 * IHC_PATCH_UM) ** 2
    half = IHC_PATCH_UM / 2
    off = (carried < -half).any(axis=1) | (carried > 1200 + half).any(axis=1)
    squared[off] = 9.0
    squared[squared >= 1] = 9.0
    full = np.full((len(he) + len(ihc),) * 2, 9.0)
    full[: len(he), : len(ihc)] = squared
    full[: len(he), len(ihc) :][np.diag_indices(len(he))] = 0.5
    full[len(he) :, : len(ihc)][np.diag_indices(len(ihc))] = 0.5
    full[len(he) :, len(ihc) :] = 0.0
    rows, cols = linear_sum_assignment(full)
    ours = (found.residual_um**2).sum() / (1.5 * IHC_PATCH_UM) ** 2 + 0.5 * (
        len(found.he_unmatched) + len(found.ihc_unmatched)
    )
    assert ours == pytest.approx(full[rows, cols].sum(), rel=1e-6)


def test_patches_that_leave_the_slide_stay_alone(make_mapping):
    mapping = make_mapping(Affine.translation(2000.0, 0.0), FRAME, FRAME)
    grid = ihc_patches(FRAME)
    found = match_patches(mapping, grid, grid)
    assert (grid.cells[found.he_unmatched][:, 0] * IHC_PATCH_UM > 1700).all()
    assert len(found.he_index) < 0.6 * len(grid)


def test_nothing_to_match(make_mapping):
    mapping = make_mapping(Affine.identity(), FRAME, FRAME)
    none, some = he_patches(FRAME, np.zeros((0, 2))), ihc_patches(FRAME)
    assert len(match_patches(mapping, none, some).ihc_unmatched) == len(some)
    assert len(match_patches(mapping, some, none).he_unmatched) == len(some)
    assert len(paper_matching(none, some).ihc_unmatched) == len(some)


def test_overlap_weights_conserve_area(make_mapping):
    mapping = warped(make_mapping, 1, 33.0)
    he, ihc = he_patches(FRAME), ihc_patches(FRAME)
    weights = overlap_weights(mapping, he, ihc)
    shares = np.asarray(weights.sum(axis=1)).ravel()
    assert shares.max() <= 1 + 1e-9
    carried = mapping.he_to_ihc_um(he.centres_um)
    inner = ((carried > 200) & (carried < 3800)).all(axis=1)
    assert np.allclose(shares[inner], 1)
    same = overlap_weights(make_mapping(Affine.translation(32.0, 0.0), FRAME, FRAME), ihc, ihc)
    middle = ihc.position_of(np.array([[5, 5], [6, 5]]))
    assert same[middle[0], middle[0]] == pytest.approx(0.75)
    assert same[middle[0], middle[1]] == pytest.approx(0.25)


def test_soft_matching_moves_the_mass_near_its_place(make_mapping):
    mapping = warped(make_mapping, 2, 120.0)
    he, ihc = he_patches(FRAME), ihc_patches(FRAME)
    plan = soft_matching(mapping, he, ihc)
    sent = np.asarray(plan.sum(axis=1)).ravel()
    carried = mapping.he_to_ihc_um(he.centres_um)
    held = sent > 0.5
    centre = (plan @ ihc.centres_um)[held] / sent[held, None]
    assert np.median(np.linalg.norm(centre - carried[held], axis=1)) < IHC_PATCH_UM / 2
    assert sent.max() < 1.5
    gone = (carried < -IHC_PATCH_UM / 2).any(axis=1)
    assert gone.any()
    assert (sent[gone] == 0).all()


def test_the_papers_grid_is_one_to_one_on_boxes():
    he = he_patches(FRAME, [[r, c] for r in range(3, 13) for c in range(2, 9)])
    ihc = ihc_patches(FRAME, [[r, c] for r in range(0, 8) for c in range(4, 11)])
    found = paper_matching(he, ihc)
    assert found.injective
    assert len(found.he_index) == 8 * 7
    first, last = found.he_index[0], found.he_index[-1]
    assert he.cells[first].tolist() == [3, 2]
    assert ihc.cells[found.ihc_index[0]].tolist() == [0, 4]
    assert ihc.cells[found.ihc_index[-1]].tolist() == [7, 10]
    assert he.cells[last].tolist() == [12, 8]


def test_partner_lookup_and_grid_checks():
    grid = ihc_patches(FRAME, [[1, 2], [3, 4]])
    assert grid.position_of(np.array([[3, 4], [1, 2], [0, 0], [-1, 2], [900, 900]])).tolist() == [
        1,
        0,
        -1,
        -1,
        -1,
    ]
    assert np.allclose(grid.corners_um[0] / FRAME.um_per_px, np.round([256.0, 512.0]))
    with pytest.raises(ValueError, match="outside"):
        ihc_patches(FRAME, [[1, 900]])
    with pytest.raises(ValueError, match="twice"):
        ihc_patches(FRAME, [[1, 2], [1, 2]])
    with pytest.raises(ValueError, match="overlap"):
        ChosenPatches.of(PatchGrid.over(FRAME, 512, 0.25, overlap=0.5))


@pytest.mark.parametrize("how", MATCHINGS)
def test_the_table_holds_every_patch_and_its_partners(make_mapping, how):
    mapping = warped(make_mapping, 4, 15.0)
    he, ihc = he_patches(FRAME, he_patches().cells[:900]), ihc_patches(FRAME, ihc_patches().cells[200:])
    table = pair_table(mapping, he, ihc, how)
    paired = table["weight"] > 0
    for side, grid in (("he", he), ("ihc", ihc)):
        cells = np.column_stack([table[f"{side}_row"], table[f"{side}_col"]])
        told = cells[cells[:, 0] >= 0]
        assert set(map(tuple, told)) == set(map(tuple, grid.cells))
        assert (cells[paired] >= 0).all()
        if how in ("one-to-one", "paper"):
            assert len(np.unique(cells[paired], axis=0)) == paired.sum()
    assert np.isfinite(table["residual_um"][paired]).all()
    assert np.isnan(table["residual_um"][~paired]).all()
    at = np.column_stack([table["he_y"], table["he_x"]])[paired] * FRAME.um_per_px + he.patch_um / 2
    partner = np.column_stack([table["ihc_y"], table["ihc_x"]])[paired] * FRAME.um_per_px + ihc.patch_um / 2
    away = np.linalg.norm(mapping.he_to_ihc_um(at) - partner, axis=1)
    assert away == pytest.approx(table["residual_um"][paired], abs=1e-6)


def test_the_table_of_areas_gives_each_patch_its_shares(make_mapping):
    ihc = ihc_patches(FRAME)
    table = pair_table(make_mapping(Affine.translation(32.0, 0.0), FRAME, FRAME), ihc, ihc, "area")
    one = (table["he_row"] == 5) & (table["he_col"] == 5)
    assert dict(zip(table["ihc_row"][one], table["weight"][one], strict=True)) == {5: 0.75, 6: 0.25}
