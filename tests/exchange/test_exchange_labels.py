"""Label rasters out as OME-TIFF and OME-Zarr: the same pixels, names, sizes; read by others' libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.errors import CaseError
from napari_her2.exchange import read_label_tiff, read_label_zarr, write_label_tiff, write_label_zarr
from napari_her2.store import read_multiscale, write_multiscale

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.store import Multiscale

LABELS = {1: ("0", "#4575B4"), 4: ("3+", "#D73027"), 255: ("unsure or excluded", "#80808080")}
UM = 0.75


def raster() -> NDArray[np.uint8]:
    """Odd sizes beyond one tile, a known rectangle, and single pixels."""
    labels = np.zeros((1301, 701), np.uint8)
    labels[100:420, 37:651] = 4
    labels[800, 5] = labels[1300, 700] = 1
    labels[600:610, 600:700] = 255
    return labels


@pytest.fixture
def stored(tmp_path: Path) -> Multiscale:
    write_multiscale(tmp_path / "her2.zarr", raster(), um_per_px=UM, labels=LABELS)
    return read_multiscale(tmp_path / "her2.zarr")


def test_a_tiff_holds_the_same_pixels(tmp_path: Path, stored: Multiscale) -> None:
    path = tmp_path / "her2.ome.tif"
    write_label_tiff(path, stored.levels, um_per_px=UM, name="her2", classes=LABELS, slide="ihc")
    found = read_label_tiff(path)
    np.testing.assert_array_equal(found.labels, raster())
    assert found.um_per_px == pytest.approx(UM)
    assert found.names == {1: "0", 4: "3+", 255: "unsure or excluded"}
    assert found.slide == "ihc"


def test_tifffile_and_ome_types_read_the_tiff(tmp_path: Path, stored: Multiscale) -> None:
    import tifffile
    from ome_types import from_tiff, validate_xml

    path = tmp_path / "her2.ome.tif"
    write_label_tiff(path, stored.levels, um_per_px=UM, name="her2", classes=LABELS)
    with tifffile.TiffFile(path) as tif:
        levels = tif.series[0].levels
        assert tif.is_ome
        assert [level.shape for level in levels] == [level.shape for level in stored.levels]
        for got, want in zip(levels, stored.levels, strict=True):
            np.testing.assert_array_equal(got.asarray(), want[:])
        xml = tif.ome_metadata
    assert xml
    validate_xml(xml)
    ome = from_tiff(path)
    pixels = ome.images[0].pixels
    assert (pixels.size_x, pixels.size_y, pixels.physical_size_x) == (701, 1301, UM)
    assert pixels.physical_size_x_unit.value == "µm"
    notes = ome.structured_annotations.map_annotations[0].value
    assert notes["4"] == "3+ #D73027"


def test_equal_rasters_give_equal_files(tmp_path: Path, stored: Multiscale) -> None:
    for name in ("a.ome.tif", "b.ome.tif"):
        write_label_tiff(tmp_path / name, stored.levels, um_per_px=UM, classes=LABELS)
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_ome_zarr_models_accepts_the_labels(tmp_path: Path, stored: Multiscale, ngff: str) -> None:
    import zarr
    from ome_zarr_models.v04.image_label import ImageLabel as Label4
    from ome_zarr_models.v05.image_label import ImageLabel as Label5

    path = tmp_path / "out.zarr"
    write_label_zarr(path, stored, ngff=ngff, classes=LABELS, slide="ihc")
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == (2 if ngff == "0.4" else 3)
    if ngff == "0.4":  # its module defers names that the newest pydantic wants to know
        from ome_zarr_models.v04.image import Image as Image4
        from pydantic_zarr.v2 import ArraySpec, GroupSpec

        for deferred in (Image4, Label4):
            deferred.model_rebuild(_types_namespace={"ArraySpec": ArraySpec, "GroupSpec": GroupSpec})
    model = (Label4 if ngff == "0.4" else Label5).from_zarr(group)
    attributes = model.attributes if ngff == "0.4" else model.attributes.ome
    colours = {c.label_value: c.rgba for c in attributes.image_label.colors}
    assert tuple(colours[4]) == (0xD7, 0x30, 0x27, 255)
    assert tuple(colours[255]) == (128, 128, 128, 128)
    datasets = attributes.multiscales[0].datasets
    assert len(datasets) == len(stored.levels)
    for got, want in zip(datasets, stored.levels, strict=True):
        np.testing.assert_array_equal(group[got.path][:], want[:])
    found = read_label_zarr(path)
    np.testing.assert_array_equal(found.labels, raster())
    assert (found.um_per_px, found.slide) == (UM, "ihc")
    assert found.names[4] == "3+"


def test_what_is_no_label_raster_is_refused(tmp_path: Path) -> None:
    import tifffile

    for name, image in {"rgb": np.zeros((8, 8, 3), np.uint8), "deep": np.zeros((8, 8), np.uint16)}.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, image)
        with pytest.raises(CaseError, match=f"{name}.tif is no raster of labels"):
            read_label_tiff(path)
    (tmp_path / "text.tif").write_text("no tiff")
    with pytest.raises(CaseError, match=r"text\.tif cannot be read"):
        read_label_tiff(tmp_path / "text.tif")
    with pytest.raises(CaseError, match=r"none\.zarr"):
        read_label_zarr(tmp_path / "none.zarr")
