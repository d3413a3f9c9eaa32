"""The cell scorer on carpets with known membranes, on real stains, and on tilings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.cells.synthetic import Carpet, render

from napari_her2.cells import CellSettings, CellTable, detect_cells, separates_faint
from napari_her2.errors import SlideError
from napari_her2.events import drain
from napari_her2.geometry import Box
from napari_her2.slides import open_slide
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2.slides import Slide


def carpet_slide(folder: Path, carpet: Carpet) -> Slide:
    path = folder / "carpet.png"
    cv2.imwrite(str(path), render(carpet)[0][..., ::-1])
    return open_slide(path, um_per_px=carpet.um_per_px)


def shares(cells: CellTable) -> dict[str, float]:
    whole = ~np.isin(cells.excluded, [EXCLUDED_REASONS.index(why) for why in ("artefact", "edge_of_region")])
    inner = cells.class_code[whole]
    if not len(inner):
        return dict.fromkeys(CELL_CLASSES, 0.0)
    return {name: float(np.mean(inner == code)) for code, name in enumerate(CELL_CLASSES)}


@pytest.mark.parametrize(
    ("classes", "least"),
    [(("0",), 0.9), (("2+",), 0.8), (("3+",), 0.9)],
    ids=["0", "2+", "3+"],
)
def test_a_carpet_of_one_class_is_read_as_that_class(
    tmp_path: Path, classes: tuple[str], least: float
) -> None:
    with carpet_slide(tmp_path, Carpet(classes=classes, seed=3, size_um=200.0)) as slide:
        found = shares(drain(detect_cells(slide)))
    assert found[classes[0]] >= least, found


def test_faint_membranes_are_seen_and_never_strong(tmp_path: Path) -> None:
    """Two faint neighbours stain their common border together, so that some look complete."""
    with carpet_slide(tmp_path, Carpet(classes=("1+",), seed=3, size_um=200.0)) as slide:
        found = shares(drain(detect_cells(slide)))
    assert found["1+"] + found["2+"] >= 0.9, found
    assert found["3+"] + found["unusual"] <= 0.05, found


@pytest.mark.parametrize(
    "carpet",
    [
        Carpet(classes=("0",), seed=5, blush_od=0.25, size_um=200.0),
        Carpet(classes=("0",), seed=6, nuclear_dab_od=0.5, size_um=200.0),
    ],
    ids=["cytoplasmic", "nuclear"],
)
def test_stain_without_membranes_is_no_complete_membrane(tmp_path: Path, carpet: Carpet) -> None:
    with carpet_slide(tmp_path, carpet) as slide:
        found = shares(drain(detect_cells(slide)))
    assert found["2+"] + found["3+"] <= 0.03, found


def same(left: CellTable, right: CellTable) -> bool:
    return all(
        np.array_equal(getattr(left, item.name), getattr(right, item.name)) for item in fields(CellTable)
    )


@pytest.mark.parametrize("tile_px", [300, 512, 701])
def test_the_table_does_not_depend_on_tiling(tmp_path: Path, tile_px: int) -> None:
    carpet = Carpet(classes=("0", "1+", "2+", "3+"), seed=8, size_um=250.0)
    with carpet_slide(tmp_path, carpet) as slide:
        whole = drain(detect_cells(slide, settings=CellSettings(tile_px=4096, threads=1)))
        tiled = drain(detect_cells(slide, settings=CellSettings(tile_px=tile_px, threads=2)))
    assert len(whole) > 200
    assert same(whole, tiled)


def test_a_region_holds_the_cells_of_the_whole_that_lie_in_it(tmp_path: Path) -> None:
    carpet = Carpet(classes=("1+", "3+"), seed=9, size_um=200.0)
    region = Box(150, 200, 400, 380)
    with carpet_slide(tmp_path, carpet) as slide:
        part = drain(detect_cells(slide, region))
    assert len(part) > 50
    assert ((part.row_px >= 150) & (part.row_px < 550)).all()
    assert ((part.col_px >= 200) & (part.col_px < 580)).all()


@pytest.mark.parametrize(("um_per_px", "separate"), [(0.25, True), (0.6, True), (0.61, False), (1.0, False)])
def test_coarse_pixels_do_not_tell_0_from_1(tmp_path: Path, um_per_px: float, separate: bool) -> None:
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), np.full((300, 300, 3), 240, np.uint8))
    with open_slide(path, um_per_px=um_per_px) as slide:
        assert separates_faint(slide) is separate


def test_pixels_too_coarse_for_membranes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), np.full((300, 300, 3), 240, np.uint8))
    with open_slide(path, um_per_px=8.0) as slide, pytest.raises(SlideError, match="8"):
        drain(detect_cells(slide))


def test_a_blank_picture_holds_no_cells(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), np.full((400, 400, 3), 244, np.uint8))
    with open_slide(path, um_per_px=0.25) as slide:
        assert len(drain(detect_cells(slide))) == 0


def test_cytoplasmic_stain_of_real_colon_is_not_3(tmp_path: Path) -> None:
    from skimage import data

    path = tmp_path / "colon.png"
    cv2.imwrite(str(path), data.immunohistochemistry()[..., ::-1])
    with open_slide(path, um_per_px=0.5) as slide:
        assert shares(drain(detect_cells(slide)))["3+"] <= 0.05


def test_real_kidney_is_not_3(shared_data: Callable[[str], Path]) -> None:
    with open_slide(shared_data("slides/kidney-ihc.tif"), um_per_px=0.5) as slide:
        assert shares(drain(detect_cells(slide)))["3+"] <= 0.05


@pytest.mark.parametrize(
    "wrong",
    [{"faint_od": 0.5}, {"stained_from": 0.9}, {"max_growth_um": -1.0}, {"tile_px": 0}],
    ids=lambda w: next(iter(w)),
)
def test_settings_check_themselves(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"."):
        CellSettings(**wrong)
