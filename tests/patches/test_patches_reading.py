"""Which level is read, and that a patch shows what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_her2.errors import SlideError
from napari_her2.patches import PatchGrid, explode, plan_read, read_patch
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = [  # µm/px of the levels, wanted, level, pixels of it per model pixel
    ((0.25, 1.0, 4.0), 0.25, 0, 1.0),
    ((0.25, 1.0, 4.0), 0.5, 0, 2.0),
    ((0.25, 0.5, 1.0), 0.5, 1, 1.0),
    ((0.25, 0.505, 1.0), 0.5, 1, 0.5 / 0.505),
    ((0.25, 0.52, 1.0), 0.5, 0, 2.0),
    ((0.2204, 0.4408, 0.8816), 0.5, 1, 0.5 / 0.4408),
    ((0.263,), 0.25, 0, 0.25 / 0.263),
]


@pytest.mark.parametrize(("levels", "wanted", "level", "step"), LEVELS)
def test_the_coarsest_level_that_is_fine_enough(
    levels: tuple[float, ...], wanted: float, level: int, step: float
) -> None:
    plan = plan_read(levels, wanted)
    assert plan.level == level
    assert plan.step == pytest.approx(step)


def test_a_slide_that_is_too_coarse_is_refused_with_both_numbers() -> None:
    with pytest.raises(SlideError, match=r"a\.svs has 0\.499 um/px, too coarse for a model of 0\.25 um/px"):
        plan_read((0.499, 2.0), 0.25, name="a.svs")
    assert plan_read((0.499, 2.0), 0.25, coarsest_um=0.5).level == 0


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (100, 150, 3), np.uint8)


def write(path: Path, picture: np.ndarray, um: float) -> None:
    size = {f"PhysicalSize{a}": um for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    tifffile.imwrite(
        path, picture, photometric="rgb", tile=(64, 64), metadata={"axes": "YXS"} | size, ome=True
    )


def test_patches_are_the_pixels_and_white_beyond_the_edge(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.ome.tif"
    write(path, picture, 0.25)
    with open_slide(path) as slide:
        grid = PatchGrid.over(slide, 64, 0.25)
        plan = plan_read([level.um_per_px or 0 for level in slide.levels], 0.25)
        got = [read_patch(slide, grid, plan, row, col) for row, col in grid.cells]
        white = np.rint(slide.white).astype(np.uint8)
    np.testing.assert_array_equal(got, explode(picture, 64, fill=white))


@pytest.mark.parametrize("um", [0.2204, 0.25, 0.263, 0.13])
def test_a_patch_has_the_size_of_the_model_and_its_place_on_the_slide(tmp_path: Path, um: float) -> None:
    """A ramp shows where each pixel was taken from, to a fraction of a pixel."""
    rows = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None, None], (250, 250, 3))
    path = tmp_path / "ramp.ome.tif"
    write(path, np.ascontiguousarray(rows), um)
    with open_slide(path) as slide:
        grid = PatchGrid.over(slide, 48, 0.25)
        plan = plan_read([slide.um_per_px], 0.25)
        patch = read_patch(slide, grid, plan, 1, 0)
    assert patch.shape == (48, 48, 3)
    start = round(48 * 0.25 / um)
    expected = start + (np.arange(48) + 0.5) * 0.25 / um - 0.5
    np.testing.assert_allclose(patch[:, 20, 0], expected, atol=0.6)
