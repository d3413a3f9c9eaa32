"""The patch grid, the classes of patches, and partners one to one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.cells import CellTable
from napari_her2.geometry import Box
from napari_her2.pipeline.patches import Grid, _assign, ihc_patches, patch_counts
from napari_her2.tissue import Piece, TissueMask
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


@pytest.mark.parametrize("um_per_px", [0.25, 0.2527, 0.499, 0.46])
def test_patches_start_at_rounded_multiples_of_the_step(um_per_px: float) -> None:
    grid = Grid.ihc(slide(3000, 2000, um_per_px))
    step = 512 * 0.25 / um_per_px
    table = grid.table("ihc", tissue(3000, 2000, um_per_px))
    np.testing.assert_array_equal(table.y, np.round(table.row * step))
    np.testing.assert_array_equal(table.x, np.round(table.col * step))
    assert (table.row.max() + 1) * step >= 3000 > table.row.max() * step
    points = np.random.default_rng(0).uniform(0, 2000, (500, 2))
    at = grid.index_of(points)
    assert (points[:, 0] >= table.y[at]).all()
    assert (points[:, 0] < table.y[at] + table.height[at]).all()
    assert (points[:, 1] >= table.x[at]).all()


def test_tissue_share_counts_what_is_beyond_the_slide_as_none() -> None:
    table = Grid.ihc(slide(512, 768, 0.25)).table("ihc", tissue(512, 768, 0.25))
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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.integers(0, 25))
def test_partners_are_one_to_one_and_as_near_as_can_be(seed: int, n: int, m: int) -> None:
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    one, other, reach = rng.uniform(0, 400, (n, 2)), rng.uniform(0, 400, (m, 2)), 60.0
    first, second, away = _assign(one, other, reach)
    assert len(set(first)) == len(first) == len(set(second)) == len(second)
    assert (away <= reach).all()
    square = np.full((n + m, n + m), reach**2 / 2)
    square[n:, m:] = 0
    distance = np.linalg.norm(one[:, None] - other[None], axis=2)
    square[:n, :m] = np.where(distance <= reach, distance**2, 1e9)
    best = square[linear_sum_assignment(square)].sum()
    mine = (away**2).sum() + reach**2 / 2 * (n + m - 2 * len(first))
    assert mine == pytest.approx(best, abs=0.1)
