"""Every format that is promised, with pixels that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_her2.geometry import Box
from napari_her2.slides import open_slide

JPEG_ERROR = 6  # grey values, for 98 % of a soft picture: blocks at its edge are padded with black

# kind, how it is written, format it is called, largest error
CASES: list[tuple[str, str, dict[str, Any], str, int]] = [
    ("OME-TIFF, JPEG in YCbCr", "ome.tif", {"n_levels": 3}, "tiff", JPEG_ERROR),
    ("OME-TIFF, JPEG in RGB", "ome.tif", {"compressionargs": {"outcolorspace": "rgb"}}, "tiff", JPEG_ERROR),
    ("OME-TIFF, LZW", "ome.tif", {"compression": "lzw", "n_levels": 2}, "tiff", 0),
    ("OME-TIFF, deflate with predictor", "ome.tif", {"compression": "zlib", "predictor": True}, "tiff", 0),
    ("OME-TIFF, zstd", "ome.tif", {"compression": "zstd"}, "tiff", 0),
    ("OME-TIFF, raw tiles", "ome.tif", {"compression": None}, "tiff", 0),
    (
        "tiled TIFF with reduced pages",
        "tif",
        {"tile": (64, 96), "n_levels": 3, "compression": "lzw"},
        "tiff",
        0,
    ),
    ("tiled TIFF, pages not marked", "tif", {"tile": (64, 64), "n_levels": 3, "reduced": False}, "tiff", 0),
    ("planar tiles", "tif", {"tile": (64, 64), "planarconfig": "separate", "n_levels": 2}, "tiff", 0),
    ("strips of 7 rows, LZW", "tif", {"rowsperstrip": 7, "compression": "lzw"}, "field", 0),
    ("strips, raw", "tif", {"rowsperstrip": 10}, "field", 0),
    ("one strip, deflate", "tif", {"compression": "zlib"}, "field", 0),
    (
        "planar strips",
        "tif",
        {"planarconfig": "separate", "rowsperstrip": 16, "compression": "lzw"},
        "field",
        0,
    ),
    ("striped pyramid", "tif", {"rowsperstrip": 16, "n_levels": 2, "compression": "lzw"}, "tiff", 0),
    ("OME-Zarr 0.4, tczyx", "zarr", {"ngff": "0.4", "axes": "tczyx", "n_levels": 2}, "ome-zarr", 0),
    ("OME-Zarr 0.4, cyx", "zarr", {"ngff": "0.4", "axes": "cyx", "n_levels": 3}, "ome-zarr", 0),
    ("OME-Zarr 0.5, cyx", "zarr", {"axes": "cyx", "n_levels": 3}, "ome-zarr", 0),
    ("OME-Zarr 0.5, yxc", "zarr", {"axes": "yxc", "n_levels": 2}, "ome-zarr", 0),
    (
        "OME-Zarr 0.5, shards",
        "zarr",
        {"axes": "yxc", "chunks": (64, 64, 3), "shards": (256, 256, 3)},
        "ome-zarr",
        0,
    ),
    ("PNG", "png", {}, "field", 0),
    ("JPEG", "jpg", {"quality": 95, "subsampling": 0}, "field", JPEG_ERROR),
]


def largest_error(a: np.ndarray, b: np.ndarray, share: float = 1.0) -> float:
    return float(np.quantile(np.abs(a.astype(int) - b), share))


@pytest.mark.parametrize(
    ("kind", "how", "called", "error"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_pixels_of_every_format(make_slide, soft_picture, kind, how, called, error):
    n_levels = how.get("n_levels", 1)
    with open_slide(make_slide(kind, soft_picture, **how)) as slide:
        assert slide.format == called
        assert slide.shape == soft_picture.shape[:2]
        assert [level.downsample for level in slide.levels] == [2.0**k for k in range(n_levels)]
        pixels = slide.read_level(Box.of_shape(slide.shape), 0)
        assert pixels.dtype == np.uint8
        share = 0.98 if error else 1.0
        assert largest_error(pixels, soft_picture, share) <= error
        odd = Box(101, 57, 211, 333)
        assert largest_error(slide.read(odd), soft_picture[odd.slices], share) <= error


@pytest.mark.parametrize("kind", ["ome.tif", "zarr"])
def test_every_level_has_its_own_pixels(make_slide, soft_picture, kind):
    """Levels are told apart by their brightness, so that a mix-up shows."""
    levels = [np.full((400 // 2**k, 600 // 2**k, 3), 40 + 50 * k, np.uint8) for k in range(4)]
    with open_slide(make_slide(kind, soft_picture, levels=levels)) as slide:
        for level in slide.levels:
            assert largest_error(slide.read(Box(0, 0, 400, 600), level.index), levels[level.index]) <= 4


def grey_table() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("TIFF, black is zero", "tif", {"photometric": "minisblack", "tile": (64, 64)}),
        ("TIFF, white is zero", "tif", {"photometric": "miniswhite", "tile": (64, 64)}),
        ("OME-Zarr, yx", "zarr", {"axes": "yx"}),
        ("PNG", "png", {}),
    ]


@pytest.mark.parametrize(("kind", "how"), [c[1:] for c in grey_table()], ids=[c[0] for c in grey_table()])
def test_grey_becomes_three_equal_channels(make_slide, soft_picture, kind, how):
    grey = np.ascontiguousarray(soft_picture[..., 0])
    with open_slide(make_slide(kind, grey, **how)) as slide:
        pixels = slide.read(Box.of_shape(slide.shape))
    expected = 255 - grey if how.get("photometric") == "miniswhite" else grey
    assert np.array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("tif", {"extrasamples": ["unassalpha"], "tile": (64, 64)}),
        ("tif", {"extrasamples": ["unassalpha"], "rowsperstrip": 20, "compression": "lzw"}),
        ("png", {}),
        ("zarr", {"axes": "cyx"}),
    ],
)
def test_transparent_pixels_are_the_slides_white(make_slide, kind, how):
    """Outside the scanned area is white, never black, whatever colour lies under the alpha."""
    rgba = np.full((200, 300, 4), 255, np.uint8)
    rgba[..., :3] = (230, 232, 228)
    rgba[50:150, 50:150, :3] = (120, 60, 90)
    rgba[:, 250:] = 0
    rgba[:, 240:250, 3] = 128
    with open_slide(make_slide(kind, rgba, **how)) as slide:
        assert slide.white == (230.0, 232.0, 228.0)
        pixels = slide.read(Box.of_shape(slide.shape))
    assert (pixels[:, 250:] == (230, 232, 228)).all()
    assert (pixels[50:150, 50:150] == (120, 60, 90)).all()
    assert np.abs(pixels[:, 240:250].astype(int) - (230, 232, 228)).max() <= 1


def test_premultiplied_alpha_is_undone(make_slide):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (100, 50, 25), 128
    with open_slide(make_slide("tif", rgba, extrasamples=["assocalpha"], tile=(64, 64))) as slide:
        blended = slide.read(Box(0, 0, 64, 64))[0, 0]
    share = 128 / 255
    assert np.abs(blended - (np.array([100, 50, 25]) + 255 * (1 - share))).max() <= 1


def test_a_fourth_channel_of_unknown_meaning_is_ignored(make_slide, soft_picture):
    rgbx = np.dstack([soft_picture, np.zeros(soft_picture.shape[:2], np.uint8)])
    with open_slide(make_slide("tif", rgbx, extrasamples=["unspecified"], tile=(64, 64))) as slide:
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), soft_picture)


def test_ome_tiff_with_one_page_per_channel(tmp_path, soft_picture):
    path = tmp_path / "planes.ome.tif"
    tifffile.imwrite(path, np.moveaxis(soft_picture, 2, 0), tile=(64, 64), photometric="minisblack",
                     metadata={"axes": "CYX"}, compression="lzw")  # fmt: skip
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), soft_picture)


def test_bioformats2raw_layout_opens_its_first_series(tmp_path, make_slide, soft_picture):
    root = zarr.open_group(str(tmp_path / "raw.zarr"), mode="w", zarr_format=2)
    root.attrs.update({"bioformats2raw.layout": 3})
    make_slide("zarr", soft_picture, name="raw.zarr/0", ngff="0.4")
    (tmp_path / "raw.zarr" / "0.zarr").rename(tmp_path / "raw.zarr" / "0")
    with open_slide(tmp_path / "raw.zarr") as slide:
        assert slide.um_per_px == 0.25
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), soft_picture)


def test_the_content_decides_and_not_the_suffix(make_slide, soft_picture):
    for kind, called in (("ome.tif", "tiff"), ("png", "field")):
        path = make_slide(kind, soft_picture)
        with open_slide(path.rename(path.with_name("renamed.dat"))) as slide:
            assert slide.format == called


def test_palette_png(tmp_path, soft_picture):
    from PIL import Image

    image = Image.fromarray(soft_picture).quantize(64)
    image.save(tmp_path / "palette.png")
    with open_slide(tmp_path / "palette.png") as slide:
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), np.asarray(image.convert("RGB")))


def test_a_large_strip_is_decoded_once(make_slide, soft_picture, monkeypatch):
    monkeypatch.setattr("napari_her2.slides.tiff_layout.MAX_STRIP_PX", 10_000)
    path = make_slide("tif", soft_picture, compression="zlib")
    with open_slide(path) as slide:
        assert slide.format == "field"
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), soft_picture)
