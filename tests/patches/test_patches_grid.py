"""The cover of a slide by patches: where they start, that they leave nothing out, what a raster gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.geometry import Box
from napari_her2.patches import PatchGrid


def slide(rows: int, cols: int, um_per_px: float) -> Any:
    return SimpleNamespace(shape=(rows, cols), um_per_px=um_per_px)


@pytest.mark.parametrize("um_per_px", [0.25, 0.2527, 0.499, 0.46, 0.2204])
def test_patches_start_at_rounded_multiples_of_the_step(um_per_px: float) -> None:
    grid = PatchGrid.ihc(slide(3000, 2000, um_per_px))
    step = 512 * 0.25 / um_per_px
    assert grid.step_px == pytest.approx(step)
    cells = grid.cells
    np.testing.assert_array_equal(grid.starts(cells), np.round(cells * step))
    assert grid.shape == (int(np.ceil(3000 / step)), int(np.ceil(2000 / step)))


def test_the_two_grids_of_the_paper() -> None:
    he, ihc = PatchGrid.he(slide(1000, 1000, 0.5)), PatchGrid.ihc(slide(1000, 1000, 0.25))
    assert (he.size_um, ihc.size_um) == (112, 128)
    assert he.box(1, 2) == Box(224, 448, 224, 224)
    assert ihc.box(0, 1) == Box(0, 512, 512, 512)


def test_a_slide_smaller_than_a_patch_has_one() -> None:
    assert PatchGrid.ihc(slide(100, 90, 0.25)).shape == (1, 1)


@given(
    rows=st.integers(1, 5000),
    cols=st.integers(1, 5000),
    um=st.floats(0.1, 2.0),
    overlap=st.sampled_from([0.0, 0.25, 0.5]),
)
def test_every_pixel_lies_in_a_patch_and_no_patch_is_needless(
    rows: int, cols: int, um: float, overlap: float
) -> None:
    grid = PatchGrid.over(slide(rows, cols, um), 512, 0.25, overlap=overlap)
    for axis, n in enumerate((rows, cols)):
        count = grid.shape[axis]
        cells = np.zeros((count, 2), int)
        cells[:, axis] = np.arange(count)
        start, stop = grid.starts(cells)[:, axis], grid.stops(cells)[:, axis]
        assert start[0] == 0
        assert stop[-1] >= n - 1
        assert (start[1:] <= stop[:-1]).all()
        if count > 1:
            assert (count - 2) * grid.step_px + grid.side_px < n + 1
        if overlap == 0:
            np.testing.assert_array_equal(start[1:], stop[:-1])


@given(st.floats(0.1, 1.0), st.integers(0, 2**32 - 1))
def test_a_point_lies_in_the_patch_that_is_named(um: float, seed: int) -> None:
    grid = PatchGrid.he(slide(3000, 2000, um))
    points = np.random.default_rng(seed).uniform(0, [3000, 2000], (50, 2))
    cells = grid.cells[grid.index_of(points)]
    assert (points >= grid.starts(cells)).all()
    assert (points < grid.stops(cells)).all()


def test_patches_that_touch_a_region() -> None:
    grid = PatchGrid.he(slide(2000, 2000, 0.5))
    assert grid.cells_in(Box(0, 0, 224, 225)).tolist() == [[0, 0], [0, 1]]
    assert grid.cells_in(Box(223, 448, 2, 1)).tolist() == [[0, 2], [1, 2]]
    assert len(grid.cells_in(Box(0, 0, 2000, 2000))) == 81


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_mean_of_a_raster_over_each_patch(overlap: float) -> None:
    grid = PatchGrid.over(slide(896, 672, 0.5), 224, 0.5, overlap=overlap)
    raster = np.random.default_rng(0).random((112, 84)).astype(np.float32)
    got = grid.mean_of(raster, 8.0).reshape(grid.shape)
    for row in range(grid.shape[0]):
        for col in range(grid.shape[1]):
            top, left = row * grid.stride_px // 8, col * grid.stride_px // 8
            want = raster[top : top + 28, left : left + 28].sum() / 28**2
            assert got[row, col] == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("wrong", [{"stride_px": 0}, {"stride_px": 300}, {"slide_um_per_px": 0.0}])
def test_impossible_grids_are_refused(wrong: dict[str, Any]) -> None:
    right = {
        "size_px": 224, "um_per_px": 0.5, "stride_px": 224, "slide_shape": (10, 10), "slide_um_per_px": 0.5
    }  # fmt: skip
    PatchGrid(**right)
    with pytest.raises(ValueError, match="must"):
        PatchGrid(**(right | wrong))
    with pytest.raises(ValueError, match="overlap"):
        PatchGrid.over(slide(10, 10, 0.5), 224, 0.5, overlap=1.0)
