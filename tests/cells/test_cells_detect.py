from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree
from tests.cells.synthetic import Carpet, render

from napari_her2.cells import CellSettings, CellTable, calibrate, detect_cells, separates_faint
from napari_her2.errors import NoResolutionError, SlideError, UsageError
from napari_her2.events import Progress, drain
from napari_her2.geometry import Box
from napari_her2.slides import open_slide
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from pathlib import Path


def picture(folder: Path, rgb: np.ndarray) -> Path:
    path = folder / "ihc.png"
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def found_in(folder: Path, carpet: Carpet, **kwargs: object) -> tuple[CellTable, np.ndarray, np.ndarray]:
    """Cells of a carpet in a white frame, which shows the slide's white."""
    rgb, centres, names = render(carpet)
    frame = round(20 / carpet.um_per_px)
    white = np.full((rgb.shape[0] + 2 * frame, rgb.shape[1] + 2 * frame, 3), carpet.white, np.uint8)
    white[frame:-frame, frame:-frame] = rgb
    with open_slide(picture(folder, white), um_per_px=carpet.um_per_px) as slide:
        table = drain(detect_cells(slide, **kwargs))  # type: ignore[arg-type]
    return table, centres / carpet.um_per_px + frame, names


def called(table: CellTable, centres: np.ndarray, names: np.ndarray, carpet: Carpet) -> dict[str, np.ndarray]:
    """Classes that were found for cells of each true class, away from the carpet's edge."""
    frame, inner = 20 / carpet.um_per_px, 15 / carpet.um_per_px
    side = carpet.size_um / carpet.um_per_px + frame
    points = table.points_px
    inside = ((points > frame + inner) & (points < side - inner)).all(axis=1)
    far, index = cKDTree(centres).query(points)
    near = inside & (far * carpet.um_per_px < 3)
    words = np.array(CELL_CLASSES)[table.class_code]
    return {name: words[near & (names[index] == name)] for name in np.unique(names)}


@pytest.mark.parametrize(
    ("kind", "least"), [("0", 0.95), ("1+", 0.6), ("2+", 0.9), ("3+", 0.9)], ids=["0", "1+", "2+", "3+"]
)
def test_each_class_on_an_independent_renderer(tmp_path: Path, kind: str, least: float) -> None:
    carpet = Carpet(classes=(kind,), size_um=160, blush_od=0.05, seed=5)
    got = called(*found_in(tmp_path, carpet), carpet)[kind]
    assert len(got) > 60
    assert (got == kind).mean() >= least


def test_neighbours_do_not_lend_their_membranes(tmp_path: Path) -> None:
    carpet = Carpet(classes=("0", "3+"), size_um=200, seed=7)
    got = called(*found_in(tmp_path, carpet), carpet)
    assert (got["0"] == "0").mean() > 0.85
    assert (got["3+"] == "3+").mean() > 0.85


@pytest.mark.parametrize(
    "stain", [{"blush_od": 0.35}, {"nuclear_dab_od": 0.5}, {"blush_od": 0.3, "nuclear_dab_od": 0.3}]
)
def test_cytoplasmic_or_nuclear_dab_is_no_complete_membrane(tmp_path: Path, stain: dict[str, float]) -> None:
    carpet = Carpet(classes=("0",), size_um=160, seed=3, **stain)  # type: ignore[arg-type]
    table, _, _ = found_in(tmp_path, carpet)
    complete = np.isin(np.array(CELL_CLASSES)[table.class_code], ["2+", "3+"])
    assert complete.sum() <= max(2, 0.03 * len(table))


def test_saturated_brown_and_clipped_white_still_give_3(tmp_path: Path) -> None:
    carpet = Carpet(
        classes=("3+",), size_um=160, seed=2, blush_od=0.3, white=(255, 255, 255), density={"3+": 2.6}
    )
    got = called(*found_in(tmp_path, carpet), carpet)["3+"]
    assert (got == "3+").mean() > 0.8


def test_the_table_does_not_depend_on_tiles_or_threads(tmp_path: Path) -> None:
    rgb, _, _ = render(Carpet(classes=("0", "1+", "2+", "3+"), size_um=220, blush_od=0.1, seed=11))
    with open_slide(picture(tmp_path, rgb), um_per_px=0.25) as slide:
        wishes = [(4096, 1), (1024, 2), (512, 3), (272, 1)]
        tables = [drain(detect_cells(slide, settings=CellSettings(tile_px=t, threads=n))) for t, n in wishes]
    assert len(tables[0]) > 200
    for other in tables[1:]:
        for name in CellTable.__slots__:
            np.testing.assert_array_equal(getattr(other, name), getattr(tables[0], name), err_msg=name)


def test_a_region_gives_the_nuclei_of_the_whole(tmp_path: Path) -> None:
    rgb, _, _ = render(Carpet(classes=("2+",), size_um=250, seed=4))
    region = Box(203, 305, 501, 444)
    with open_slide(picture(tmp_path, rgb), um_per_px=0.25) as slide:
        whole, part = drain(detect_cells(slide)), drain(detect_cells(slide, region))
    points = whole.points_px
    low, high = (region.row, region.col), (region.row_stop, region.col_stop)
    expected = whole.select(((points >= low) & (points < high)).all(axis=1))
    assert abs(len(part) - len(expected)) <= 2
    assert cKDTree(expected.points_px).query(part.points_px)[0].max() < 8


def test_events_count_tiles_and_stopping_early_is_allowed(tmp_path: Path) -> None:
    rgb, _, _ = render(Carpet(size_um=150))
    with open_slide(picture(tmp_path, rgb), um_per_px=0.25) as slide:
        steps = detect_cells(slide, settings=CellSettings(tile_px=256))
        first = next(steps)
        assert first == Progress("cells", 0, 9)
        assert next(steps) == Progress("cells", 1, 9)
        steps.close()


def test_coarse_pixels_do_not_part_0_from_1(tmp_path: Path) -> None:
    rgb, _, _ = render(Carpet(classes=("1+",), size_um=200, um_per_px=0.7, seed=1))
    with open_slide(picture(tmp_path, rgb), um_per_px=0.7) as slide:
        table = drain(detect_cells(slide))
        assert not separates_faint(slide)
    assert len(table) > 50
    assert not (table.class_code == CELL_CLASSES.index("1+")).any()


def test_pixels_that_show_no_membranes_are_refused(tmp_path: Path) -> None:
    path = picture(tmp_path, np.full((64, 64, 3), 240, np.uint8))
    with open_slide(path, um_per_px=2.0) as slide, pytest.raises(SlideError, match="too coarse"):
        drain(detect_cells(slide))


def test_a_picture_without_pixel_size_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path, np.full((64, 64, 3), 240, np.uint8))
    with open_slide(path) as slide, pytest.raises(NoResolutionError):
        drain(detect_cells(slide))


@pytest.mark.parametrize("value", [0, 128, 255], ids=["black", "grey", "white"])
def test_an_empty_picture_has_no_tumour_cells(tmp_path: Path, value: int) -> None:
    path = picture(tmp_path, np.full((300, 300, 3), value, np.uint8))
    with open_slide(path, um_per_px=0.25) as slide:
        table = drain(detect_cells(slide))
    assert not table.evaluable.any()


def test_a_strong_control_scales_the_densities_and_a_weak_one_lowers_them(tmp_path: Path) -> None:
    chosen = []
    for strength in (0.7, 1.3):
        carpet = Carpet(classes=("3+",), size_um=200, seed=6, density={"3+": strength})
        with open_slide(picture(tmp_path, render(carpet)[0]), um_per_px=0.25) as slide:
            chosen.append(drain(calibrate(slide, CellSettings(), positive=Box.of_shape(slide.shape))))
    assert chosen[0].intense_od < chosen[1].intense_od
    assert chosen[0].faint_factor == chosen[1].faint_factor == 1.0


def test_a_control_without_cells_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path, np.full((300, 300, 3), 240, np.uint8))
    with open_slide(path, um_per_px=0.25) as slide, pytest.raises(UsageError, match="control region"):
        drain(calibrate(slide, CellSettings(), positive=Box(0, 0, 300, 300)))


def test_a_stain_that_is_not_her2_gives_no_block_of_3(tmp_path: Path) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    path = picture(tmp_path, skimage_data.immunohistochemistry())
    with open_slide(path, um_per_px=0.5) as slide:
        table = drain(detect_cells(slide))
    counts = table.counts()
    assert sum(counts.values()) > 30
    assert counts["3+"] <= 0.05 * sum(counts.values())  # half of what the guideline asks for, at most


def test_starting_costs_no_heavy_import() -> None:
    import subprocess
    import sys

    code = (
        "import sys, napari_her2.cells;"
        "print([m for m in ('numba', 'skimage', 'torch', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
