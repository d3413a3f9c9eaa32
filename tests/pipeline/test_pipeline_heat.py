"""From patch probabilities to the tumour raster, and which areas count on the raster of the IHC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from napari_her2.patches import PatchGrid
from napari_her2.pipeline.gate import Gate
from napari_her2.pipeline.tumour import heat_map
from napari_her2.tissue import TISSUE_LABELS, Piece, TissueMask


@dataclass(frozen=True)
class Slide:
    shape: tuple[int, int] = (4480, 3584)
    um_per_px: float = 0.25


def tissue(bare: int = 0) -> TissueMask:
    """Tissue of one patient over the whole slide but for the first ``bare`` raster rows."""
    labels = np.full((140, 112), TISSUE_LABELS["tissue"], np.uint8)
    labels[:bare] = 0
    piece = Piece(label=1, box=box(), area_mm2=1.0, role="patient")
    return TissueMask(
        labels=labels, pieces=(labels > 0).astype(np.int32), piece_list=(piece,), um_per_px=8.0,
        slide_um_per_px=0.25,
    )  # fmt: skip


def box() -> object:
    from napari_her2.geometry import Box

    return Box(0, 0, 4480, 3584)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_where_all_patches_agree_the_raster_says_the_same(overlap: float) -> None:
    grid = PatchGrid.over(Slide(), 224, 0.5, overlap=overlap)
    found = heat_map(np.full(grid.shape, 0.7, np.float32), grid, tissue(bare=10))
    assert (found[:10] == 0).all(), "nothing off the tissue"
    np.testing.assert_allclose(found[10:], 0.7, atol=1e-6)


def test_an_edge_between_patches_is_smooth_and_lies_between_them() -> None:
    grid = PatchGrid.over(Slide(), 224, 0.5, overlap=0.5)
    probability = np.zeros(grid.shape, np.float32)
    middles = grid.centres(grid.cells)[:, 0].reshape(grid.shape)
    probability[middles >= 2240] = 1
    found = heat_map(probability, grid, tissue())
    assert (np.diff(found, axis=0) >= -1e-6).all()
    assert np.ptp(found, axis=1).max() < 1e-6
    edge = np.argmax(found[:, 0] >= 0.5) * 8.0
    assert edge == pytest.approx(2240 * 0.25 - 28, abs=8), "half a step before the first patch of tumour"


def test_patches_that_did_not_run_say_nothing() -> None:
    grid = PatchGrid.over(Slide(), 224, 0.5)
    probability = np.full(grid.shape, np.nan, np.float32)
    probability[3, 2] = 0.9
    found = heat_map(probability, grid, tissue())
    assert (found > 0).sum() == 14 * 14
    np.testing.assert_allclose(found[42:56, 28:42], 0.9, atol=1e-6)


def test_without_a_tumour_area_all_tissue_of_the_patient_counts() -> None:
    mask = tissue(bare=10)
    np.testing.assert_array_equal(Gate(tissue=mask).inside(), mask.counted)
