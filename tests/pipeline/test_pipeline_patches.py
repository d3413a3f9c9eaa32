"""The patch grid, the classes of patches, and partners one to one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_her2.cells import CellTable
from napari_her2.geometry import Affine, Box
from napari_her2.mapping import MappingQuality, SlideFrame, SlideMapping
from napari_her2.mapping.frame import Lattice
from napari_her2.patches import PatchGrid
from napari_her2.pipeline.patch_scores import scored
from napari_her2.pipeline.patches import (
    UNSURE,
    empty_table,
    he_patches,
    ihc_patches,
    match_patches,
    patch_counts,
)
from napari_her2.tissue import Piece, TissueMask, TumourRaster
from napari_her2.vocabulary import CELL_CLASSES


def slide(rows: int, cols: int, um_per_px: float) -> Any:
    return SimpleNamespace(shape=(rows, cols), um_per_px=um_per_px)


def tissue(rows: int, cols: int, um_per_px: float, step: int = 8) -> TissueMask:
    shape = (-(-rows // step), -(-cols // step))
    piece = Piece(label=1, box=Box(0, 0, rows, cols), area_mm2=1.0)
    return TissueMask(
        labels=np.ones(shape, np.uint8),
        pieces=np.ones(shape, np.int32),
        piece_list=(piece,),
        um_per_px=step * um_per_px,
        slide_um_per_px=um_per_px,
    )


def cells(points: np.ndarray, classes: list[str], in_tumour: bool = True) -> CellTable:
    n = len(points)
    zeros = np.zeros(n)
    return CellTable.of(
        row_px=points[:, 0], col_px=points[:, 1], class_code=[CELL_CLASSES.index(c) for c in classes],
        completeness=zeros, intensity_od=zeros, membrane_width_um=zeros, nucleus_area_um2=zeros,
        epithelial=zeros + 1, in_tumour=np.full(n, in_tumour), excluded=np.zeros(n),
    )  # fmt: skip


def tumour_of(mask: TissueMask) -> TumourRaster:
    probability = mask.counted.astype(np.float32)
    return TumourRaster(
        probability=probability, um_per_px=mask.um_per_px, slide_um_per_px=mask.slide_um_per_px, method="all"
    )


@pytest.mark.parametrize("um_per_px", [0.25, 0.2527, 0.499, 0.46])
def test_patches_start_at_rounded_multiples_of_the_step(um_per_px: float) -> None:
    step = 512 * 0.25 / um_per_px
    table = empty_table(PatchGrid.ihc(slide(3000, 2000, um_per_px)), "ihc", tissue(3000, 2000, um_per_px))
    np.testing.assert_array_equal(table.y, np.round(table.row * step))
    np.testing.assert_array_equal(table.x, np.round(table.col * step))
    assert (table.row.max() + 1) * step >= 3000 > table.row.max() * step


def test_tissue_share_counts_what_is_beyond_the_slide_as_none() -> None:
    table = empty_table(PatchGrid.ihc(slide(512, 768, 0.25)), "ihc", tissue(512, 768, 0.25))
    np.testing.assert_allclose(table.tissue_fraction, [1.0, 0.5])


def test_the_class_of_a_patch_is_that_of_most_cells_and_unusual_counts_as_2() -> None:
    points = np.column_stack([np.full(12, 100.0), np.linspace(10, 450, 12)])
    points[7:, 1] += 530
    classes = ["0", "0", "0", "2+", "2+", "unusual", "unusual", *["1+"] * 5]
    table = ihc_patches(slide(512, 1536, 0.25), tissue(512, 1536, 0.25), cells(points, classes))
    assert table.score.tolist() == ["2+", "1+", ""]
    assert table.excluded.tolist() == ["", "", "few_cells"]
    assert table.p2[0] == pytest.approx(4 / 7)
    assert np.isnan(table.p2[2])
    counts = patch_counts(table)
    assert (counts.complete_weak_moderate, counts.incomplete_faint, counts.total) == (1, 1, 2)


def test_patches_of_equal_slides_find_their_neighbours_one_to_one() -> None:
    frame = SlideFrame((2048, 2048), 0.25)
    trust = Lattice.over(frame.size_um, 64.0, 2)
    trust = trust.with_values(np.ones_like(trust.values))
    quality = MappingQuality(
        kind="rigid", residual_um_p50=0, residual_um_p90=0, overlap_fraction=1, min_jacobian=1,
        needs_review=False, reason="",
    )  # fmt: skip
    mapping = SlideMapping(he=frame, ihc=frame, affine_um=Affine.identity(), trust=trust, quality=quality)
    whole = tissue(2048, 2048, 0.25)
    he = he_patches(slide(2048, 2048, 0.25), whole, tumour_of(whole))
    ihc = ihc_patches(slide(2048, 2048, 0.25), whole, cells(np.empty((0, 2)), []))
    he, ihc = match_patches(he, ihc, mapping)
    assert len(he) == 25
    assert len(ihc) == 16
    matched = ihc.matched_row >= 0
    assert matched.all()
    assert (ihc.residual_um <= 1.5 * 128).all()
    partners = list(zip(ihc.matched_row[matched], ihc.matched_col[matched], strict=True))
    assert len(set(partners)) == len(partners)
    back = {
        (r, c): (mr, mc) for r, c, mr, mc in zip(he.row, he.col, he.matched_row, he.matched_col, strict=True)
    }
    for row, col, partner in zip(ihc.row, ihc.col, partners, strict=True):
        assert back[partner] == (row, col)


def test_patches_at_the_edge_of_the_area_get_answers_but_no_score() -> None:
    """Six cells that count, six at the edge, six that are too few."""
    at = np.concatenate([np.full((6, 2), 100.0), np.full((6, 2), 700.0), np.full((3, 2), 1200.0)])
    table = cells(at, ["3+"] * 15).exclude(at[:, 0] == 700, "unsure_gate")
    patches = ihc_patches(slide(1536, 1536, 0.25), tissue(1536, 1536, 0.25), table)
    places = zip(patches.row.tolist(), patches.col.tolist(), strict=True)
    where = dict(zip(places, patches.excluded.tolist(), strict=True))
    assert (where[0, 0], where[1, 1], where[2, 2], where[0, 2]) == ("", UNSURE, "few_cells", "few_cells")
    chosen = np.isin(patches.excluded, ("", UNSURE))
    assert chosen.sum() == 2
    after = scored(patches, chosen, np.tile(np.float32([0.1, 0.1, 0.7, 0.1]), (2, 1)))
    assert sorted(after.score[chosen].tolist()) == ["", "2+"]
    assert np.isfinite(after.p2[chosen]).all()
    assert patch_counts(after).total == 1
