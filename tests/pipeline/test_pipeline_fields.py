"""Fields: where most cells of a class lie, and the H&E exactly as it lies under the IHC."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_her2.cells import CellTable
from napari_her2.geometry import Affine, Box
from napari_her2.pipeline.fields import carried_view, choose_fields, with_bar
from napari_her2.slides import open_slide
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from pathlib import Path


def cells(places: dict[tuple[float, float], tuple[str, int]], **columns: object) -> CellTable:
    """Return cells of a class around places, within 20 px."""
    rng = np.random.default_rng(1)
    points, codes = [], []
    for place, (name, n) in places.items():
        points.append(np.array(place) + rng.uniform(-20, 20, (n, 2)))
        codes += [CELL_CLASSES.index(name)] * n
    at = np.vstack(points)
    zeros = np.zeros(len(at))
    return CellTable.of(
        row_px=at[:, 0], col_px=at[:, 1], class_code=codes, completeness=zeros, intensity_od=zeros,
        membrane_width_um=zeros, nucleus_area_um2=zeros, epithelial=zeros,
        **{"in_tumour": zeros == 0, "excluded": zeros, **columns},
    )  # fmt: skip


def test_each_class_shows_where_it_is_most() -> None:
    table = cells(
        {(1500, 2500): ("3+", 30), (500, 500): ("3+", 10), (2500, 500): ("0", 50), (500, 2500): ("1+", 4)}
    )
    found = choose_fields(table, 0.25, (4000, 4000))
    assert [(f.shows, f.of_class) for f in found] == [("3+", 30), ("0", 50)]  # four cells of 1+ are too few
    assert found[0].box == Box(1000, 2000, 1000, 1000)
    assert found[1].box == Box(2000, 0, 1000, 1000)


def test_cells_that_do_not_count_choose_nothing() -> None:
    table = cells({(500, 500): ("3+", 30)}, excluded=np.full(30, 3))
    assert choose_fields(table, 0.25, (4000, 4000)) == ()
    small = cells({(100, 100): ("3+", 30)})
    (field,) = choose_fields(small, 0.25, (300, 400))
    assert field.box == Box(0, 0, 300, 300)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 200.0])
def test_the_other_slide_is_shown_as_it_lies(tmp_path: Path, degrees: float) -> None:
    """Each pixel of the H&E says where it is; the view must say where the mapping puts it."""
    side = 2000
    row, col = np.mgrid[0:side, 0:side]
    picture = np.stack([row / 8, col / 8, np.full(row.shape, 60)], -1).astype(np.uint8)
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "he.tif", picture, ome=True, photometric="rgb", metadata=metadata)
    turn = Affine.translation(400, 700) @ Affine.rotation(degrees, (250, 250)) @ Affine.scaling(0.5)
    mapping = SimpleNamespace(ihc_to_he=turn, ihc=SimpleNamespace(um_per_px=0.25))
    box = Box(200, 300, 600, 600)
    with open_slide(tmp_path / "he.tif") as slide:
        view = carried_view(box, slide, mapping, 0.5)  # type: ignore[arg-type]
    assert view.shape == (300, 300, 3)
    steps = (np.arange(300) + 0.5) * 2
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    truth = turn(grid + np.array([box.row, box.col])).reshape(300, 300, 2)
    off = np.abs(view[..., :2].astype(float) * 8 + 4 - truth)
    assert off.max() < 12  # one grey value is 8 px
    assert off.mean() < 4


def test_the_bar_is_as_long_as_it_says() -> None:
    drawn = with_bar(np.full((200, 200, 3), 128, np.uint8), 0.5, bar_um=50)
    black = (drawn == 0).all(axis=-1)
    assert black.any(axis=0).sum() == 100
    assert black[: 200 // 2].sum() == 0
