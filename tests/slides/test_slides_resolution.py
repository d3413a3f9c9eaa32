"""Which statements about pixel size are believed."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_her2.slides import open_slide
from napari_her2.slides.resolution import from_ome_pixels, from_resolution_tags

INCH, CM, NONE = 2, 3, 1


@pytest.mark.parametrize(
    ("rows", "cols", "unit", "um"),
    [
        (40_000, 40_000, CM, 0.25),
        (20_040.08, 20_040.08, CM, 0.499),
        (101_600, 101_600, INCH, 0.25),
        (25_400, 25_400, INCH, 1.0),
        (2_540, 2_540, INCH, 10.0),
        (72, 72, INCH, None),
        (96, 96, INCH, None),
        (300, 300, INCH, None),  # would be 84.7 um
        (600, 600, INCH, None),  # would be 42.3 um
        (1200, 1200, INCH, None),
        (118.11, 118.11, CM, None),  # 300 dpi
        (28.346, 28.346, CM, None),  # 72 dpi
        (10, 10, CM, None),  # 1000 um
        (1, 1, NONE, None),
        (40_000, 40_000, NONE, None),
        (0, 0, CM, None),
        (1e9, 1e9, CM, None),
    ],
)
def test_resolution_tags(rows, cols, unit, um):
    got = from_resolution_tags(rows, cols, unit)
    assert got is None if um is None else got == pytest.approx((um, um), rel=1e-4)


@pytest.mark.parametrize(
    ("pixels", "um"),
    [
        ({"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.26}, (0.26, 0.25)),
        ({"PhysicalSizeX": "0.25"}, (0.25, 0.25)),
        ({"PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}, (0.5, 0.5)),
        ({"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}, (0.25, 0.25)),
        ({"PhysicalSizeX": 2.5e-4, "PhysicalSizeXUnit": "mm"}, (0.25, 0.25)),
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}, None),
        ({"PhysicalSizeX": 0}, None),
        ({"PhysicalSizeX": "nan"}, None),
        ({"PhysicalSizeX": "wide"}, None),
        ({"PhysicalSizeX": 500.0}, None),
        ({}, None),
    ],
)
def test_ome_pixels(pixels, um):
    got = from_ome_pixels(pixels)
    assert got is None if um is None else got == pytest.approx(um)


@pytest.mark.parametrize(
    ("how", "um"),
    [
        ({"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}, 0.25),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (40_000, 40_000), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
)
def test_plain_tiff(tmp_path, soft_picture, how, um):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, soft_picture, photometric="rgb", tile=(64, 64), metadata=None, **how)
    with open_slide(path) as slide:
        assert slide.has_um_per_px == (um is not None)
        assert um is None or slide.um_per_px == pytest.approx(um)


@pytest.mark.parametrize(("unit", "um"), [("um", 0.5), ("micron", 0.5), ("mm", None), ("pixel", None)])
def test_imagej(tmp_path, soft_picture, unit, um):
    path = tmp_path / "imagej.tif"
    tifffile.imwrite(path, soft_picture, imagej=True, resolution=(2.0, 2.0), metadata={"unit": unit})
    with open_slide(path) as slide:
        assert slide.has_um_per_px == (um is not None)
        assert um is None or slide.um_per_px == pytest.approx(um)


@pytest.mark.parametrize(
    ("how", "um"),
    [
        ({"um": 0.25}, 0.25),
        ({"um": 250.0, "unit": "nanometer"}, 0.25),
        ({"um": 0.00025, "unit": "millimeter"}, 0.25),
        ({"um": 0.25, "unit": None}, None),
        ({"um": 0.001}, None),
    ],
)
@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_ome_zarr(make_slide, soft_picture, how, um, ngff):
    with open_slide(make_slide("zarr", soft_picture, ngff=ngff, **how)) as slide:
        assert slide.has_um_per_px == (um is not None)
        assert um is None or slide.um_per_px == pytest.approx(um)


def test_ome_objective(tmp_path):
    path = tmp_path / "objective.ome.tif"
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="40"/></Instrument>'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint8" DimensionOrder="XYCZT" SizeX="90" SizeY="80" '
        'SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeY="0.25">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, np.zeros((80, 90, 3), np.uint8), photometric="rgb", description=xml, metadata=None)
    with open_slide(path) as slide:
        assert (slide.objective, slide.um_per_px) == (40.0, 0.25)
