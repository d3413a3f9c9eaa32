"""Rasters on disk: OME-Zarr 0.5 that others accept, and the same pixels again."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.errors import CaseError
from napari_her2.store import MultiscaleWriter, read_multiscale, write_multiscale
from napari_her2.store.multiscale import halved, level_shapes

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {1: ("0", "#4575B4"), 4: ("3+", "#D73027"), 255: ("unsure", "#00000000")}


@pytest.mark.parametrize(
    ("shape", "levels"),
    [((1, 1), 1), ((512, 512), 1), ((513, 513), 2), ((1500, 700), 3), ((4096, 40), 1)],
)
def test_levels_halve_until_a_chunk_holds_them(shape: tuple[int, int], levels: int) -> None:
    shapes = level_shapes(shape)
    assert len(shapes) == levels
    for (rows, cols), (rows2, cols2) in itertools.pairwise(shapes):
        assert (rows2, cols2) == (-(-rows // 2), -(-cols // 2))


def test_labels_shrink_by_majority_and_keep_thin_lines() -> None:
    block = np.array([[1, 1, 0, 4], [1, 4, 0, 4], [255, 255, 2, 3]], np.uint8)
    assert halved(block, "labels").tolist() == [[1, 4], [255, 3]]


def test_images_shrink_by_the_mean() -> None:
    assert halved(np.array([[0, 1], [1, 1]], np.float32), "image").tolist() == [[0.75]]
    assert halved(np.array([[0, 255, 7]], np.uint8), "image").tolist() == [[128, 7]]


def test_blocks_come_back_at_every_level(tmp_path: Path) -> None:
    raster = np.random.default_rng(1).integers(0, 5, (1100, 1301), dtype=np.uint8)
    with MultiscaleWriter(tmp_path / "her2.zarr", raster.shape, um_per_px=1.0, labels=LABELS) as writer:
        for row in range(0, 1100, 300):
            for col in range(0, 1301, 400):
                writer.write(row, col, raster[row : row + 300, col : col + 400])
    found = read_multiscale(tmp_path / "her2.zarr")
    assert found.shape == (1100, 1301)
    assert found.um_per_px == 1.0
    np.testing.assert_array_equal(found.levels[0][:], raster)
    expected = raster
    for level in found.levels[1:]:
        expected = halved(expected, "labels")
        np.testing.assert_array_equal(level[:], expected)


def test_it_is_valid_ome_zarr_with_names_colours_and_half_pixel_shifts(tmp_path: Path) -> None:
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel

    raster = np.zeros((1400, 1400), np.uint8)
    raster[10:20] = 4
    write_multiscale(tmp_path / "l.zarr", raster, um_per_px=0.5, labels=LABELS)
    write_multiscale(tmp_path / "i.zarr", raster.astype(np.float32), um_per_px=0.5)
    Image.from_zarr(zarr.open_group(tmp_path / "i.zarr", mode="r"))
    model = ImageLabel.from_zarr(zarr.open_group(tmp_path / "l.zarr", mode="r"))
    ome = model.attributes.ome
    assert {p.label_value: p.name for p in ome.image_label.properties}[4] == "3+"  # type: ignore[attr-defined]
    assert {c.label_value: c.rgba for c in ome.image_label.colors}[4] == (0xD7, 0x30, 0x27, 0xFF)
    for k, dataset in enumerate(ome.multiscales[0].datasets):
        scale, translation = dataset.coordinateTransformations
        assert scale.scale == [0.5 * 2**k] * 2
        assert translation.translation == [(0.5 * 2**k - 0.5) / 2] * 2


def test_a_failed_write_leaves_the_old_raster(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_multiscale(path, np.full((9, 9), 7, np.uint8), um_per_px=1.0)
    with pytest.raises(ZeroDivisionError), MultiscaleWriter(path, (9, 9), um_per_px=1.0):
        raise ZeroDivisionError
    assert read_multiscale(path).levels[0][0, 0] == 7
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("make", ["nothing", "folder", "file"])
def test_what_is_no_raster_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "no.zarr"
    if make == "folder":
        path.mkdir()
    if make == "file":
        path.write_text("text")
    with pytest.raises(CaseError, match=r"no\.zarr"):
        read_multiscale(path)
