"""What cannot be scored is refused in one sentence that names the file and helps."""

from __future__ import annotations

import os
import shutil
import struct
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
import pytest
import tifffile
import zarr

from napari_her2.errors import NoResolutionError, SlideError, UsageError
from napari_her2.geometry import Box
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

RGB16 = np.zeros((80, 90, 3), np.uint16)
GREY_FLOAT = np.zeros((80, 90), np.float32)
TWO = np.zeros((2, 80, 90), np.uint8)
FIVE = np.zeros((80, 90, 5), np.uint8)


def pixels(path: Path) -> None:
    with open_slide(path) as slide:
        slide.read(Box.of_shape(slide.shape))


def refusal(path: Path, use: Any = open_slide) -> str:
    with pytest.raises(SlideError) as caught:
        use(path)
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert len(text) <= 500
    assert path.name in text
    assert str(path.parent) not in text
    assert "\n" not in text
    return text


def write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("slide.svs", b"This is a letter and no slide.\n" * 50, "is not a slide"),
        ("slide.tif", b"x" * 300, "is not a slide"),
        ("slide.ome.tif", b"", "is empty"),
        ("slide.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "damaged"),
        ("slide.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100, "damaged"),
        ("slide.tif", b"II*\0" + b"\xff" * 40, "is truncated"),
        ("slide.ndpi", b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0", "holds no image"),
        ("slide.dcm", b"\0" * 128 + b"DICM" + b"\0" * 64, "DICOM"),
        ("slide.vsi", b"II*\0\x08\0\0\0", "cannot be read"),
        ("slide.gif", b"GIF89a" + b"\0" * 100, "is not a slide"),
    ],
)
def test_files_that_are_no_slides(tmp_path, name, data, says):
    assert says in refusal(write_bytes(tmp_path / name, data))


def test_places_without_a_slide(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.svs")
    (tmp_path / "folder").mkdir()
    assert "folder without a slide" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "notes.txt").write_text("nothing here")
    assert "folder without a slide" in refusal(tmp_path / "folder")
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "empty.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    assert "OME-Zarr" in refusal(tmp_path / "empty.zarr")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / "zarr.json").write_text("{")
    assert "OME-Zarr" in refusal(tmp_path / "bad.zarr")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path):
    path = write_bytes(tmp_path / "slide.tif", b"II*\0" + b"\0" * 100)
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "picture", "how", "says"),
    [
        ("ome.tif", RGB16, {"compression": None}, "16-bit"),
        ("tif", RGB16, {}, "16-bit"),
        ("tif", GREY_FLOAT, {"photometric": "minisblack"}, "32-bit"),
        ("tif", FIVE, {"photometric": "rgb", "extrasamples": [0, 0], "tile": (32, 32)}, "5 channels"),
        ("tif", np.zeros((6, 80, 90), np.uint8), {"photometric": "minisblack"}, "planes"),
        ("png", np.zeros((80, 90), np.uint16), {}, "16"),
        ("zarr", RGB16, {}, "uint16"),
        ("zarr", np.zeros((80, 90, 2), np.uint8), {"axes": "cyx"}, "2 channels"),
        ("zarr", FIVE, {"axes": "cyx"}, "5 channels"),
    ],
)
def test_pixels_of_other_kinds(make_slide, kind, picture, how, says):
    text = refusal(make_slide(kind, picture, **how))
    assert says in text
    assert "only 8-bit RGB, RGBA and grey images of one plane are supported" in text


def test_two_channels_of_ome_tiff(tmp_path):
    path = tmp_path / "two.ome.tif"
    tifffile.imwrite(path, TWO, metadata={"axes": "CYX"}, photometric="minisblack", tile=(32, 32))
    assert "2 channels" in refusal(path)


def test_stack_of_ome_tiff(tmp_path):
    path = tmp_path / "stack.ome.tif"
    stack = np.zeros((4, 80, 90, 3), np.uint8)
    tifffile.imwrite(path, stack, metadata={"axes": "ZYXS"}, photometric="rgb", tile=(32, 32))
    assert "4 planes" in refusal(path)


def test_sixteen_bit_colour_png_is_not_read_as_eight(tmp_path):
    """Pillow would convert it without a word."""
    import zlib

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x12\x34" * 3 * 20 for _ in range(10))
    header = struct.pack(">IIBBBBB", 20, 10, 16, 2, 0, 0, 0)
    body = part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    path = write_bytes(tmp_path / "deep.png", b"\x89PNG\r\n\x1a\n" + body)
    assert "16 bits" in refusal(path)


def test_pictures_too_large_to_hold(make_slide, soft_picture, monkeypatch):
    monkeypatch.setattr("napari_her2.slides.held.MAX_HELD_PX", 100_000)
    assert "save it as a tiled TIFF" in refusal(make_slide("png", soft_picture))
    monkeypatch.setattr("napari_her2.slides.tiff_layout.MAX_STRIP_PX", 10_000)
    assert "save it as a tiled TIFF" in refusal(make_slide("tif", soft_picture, compression="zlib"))


# --- missing, truncated and undecodable tiles: never white ---


@pytest.mark.parametrize(
    "how", [{"tile": (64, 64)}, {"tile": (64, 64), "compression": "jpeg"}, {"rowsperstrip": 16}]
)
def test_truncated_tiff(make_slide, soft_picture, how):
    path = make_slide("tif", soft_picture, n_levels=2, **how)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)
    refusal(path)


def first_tile(path: Path) -> tuple[int, int, int, int]:
    """Place and length of the first tile, and of their entries in the file."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        counts = page.tags["TileByteCounts"]
        return (
            page.dataoffsets[0],
            page.databytecounts[0],
            page.tags["TileOffsets"].valueoffset,
            counts.valueoffset,
        )


@pytest.mark.parametrize("compression", ["jpeg", "lzw", "zlib", "jpeg2000"])
@pytest.mark.parametrize("damage", ["missing", "cut", "zeros"])
def test_damaged_tiles(make_slide, soft_picture, compression, damage):
    path = make_slide("tif", soft_picture, tile=(64, 64), compression=compression)
    place, size, _, at_count = first_tile(path)
    with tifffile.TiffFile(path) as tiff:
        wide = tiff.pages[0].tags["TileByteCounts"].dtype
    with path.open("r+b") as file:
        if damage == "zeros":
            file.seek(place)
            file.write(b"\0" * size)
        else:
            file.seek(at_count)
            code = {3: "<H", 4: "<I"}[int(wide)]
            file.write(struct.pack(code, 0 if damage == "missing" else size // 2))
    text = refusal(path, pixels)
    assert "tile 0" in text
    assert ("it is missing" in text) == (damage == "missing")
    with open_slide(path) as slide:  # the other tiles are still good
        assert slide.read(Box(128, 128, 64, 64)).shape == (64, 64, 3)


@pytest.mark.parametrize(("kind", "how"), [("jpg", {}), ("png", {})])
def test_truncated_pictures(make_slide, soft_picture, kind, how):
    path = make_slide(kind, soft_picture, **how)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert "damaged" in refusal(path, pixels)


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc"])
@pytest.mark.parametrize("codec", ["usual", "none", "gzip"])
def test_lost_and_damaged_chunks(make_slide, soft_picture, ngff, axes, codec):
    gzip = numcodecs.GZip() if ngff == "0.4" else zarr.codecs.GzipCodec()
    how = {"usual": {}, "none": {"compressors": None}, "gzip": {"compressors": gzip}}[codec]
    path = make_slide("zarr", soft_picture, ngff=ngff, axes=axes, **how)
    files = sorted(file for file in (path / "0").rglob("*") if file.is_file())
    chunk = next(file for file in files if file.name[0].isdigit())
    data = chunk.read_bytes()
    chunk.write_bytes(data[: len(data) // 2])
    assert "cannot be decoded" in refusal(path, pixels)
    chunk.unlink()
    assert "lacks the chunk" in refusal(path, pixels)


def test_chunks_left_out_on_purpose_have_the_colour_that_is_stated(make_slide):
    picture = np.full((300, 300, 3), 255, np.uint8)
    picture[:90, :90] = 100
    path = make_slide("zarr", picture, axes="cyx", fill_value=255, chunks=(1, 100, 100))
    assert len([file for file in (path / "0" / "c").rglob("*") if file.is_file()]) == 3
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(Box.of_shape(slide.shape)), picture)


def test_a_lost_level_of_zarr(make_slide, soft_picture):
    path = make_slide("zarr", soft_picture, n_levels=2)
    shutil.rmtree(path / "1")
    assert "OME-Zarr" in refusal(path)


# --- pixel size ---


def test_missing_pixel_size_is_asked_for_when_needed(make_slide, soft_picture):
    path = make_slide("ome.tif", soft_picture, um=None)
    with open_slide(path, option="--um-per-px-ihc") as slide:
        assert not slide.has_um_per_px
        assert [level.um_per_px for level in slide.levels] == [None]
        assert slide.read(Box(0, 0, 10, 10)).shape == (10, 10, 3)
        for use in (lambda: slide.um_per_px, lambda: slide.read_at(Box(0, 0, 10, 10), 1.0)):
            with pytest.raises(
                NoResolutionError, match=r"slide.ome.tif states no pixel size.*--um-per-px-ihc"
            ):
                use()


def test_what_is_given_goes_before_what_is_stated(make_slide, soft_picture):
    path = make_slide("ome.tif", soft_picture, um=0.25, n_levels=2)
    with open_slide(path, um_per_px=0.5) as slide:
        assert slide.um_per_px == 0.5
        assert [level.um_per_px for level in slide.levels] == [0.5, 1.0]


@pytest.mark.parametrize("value", [0.0, -1.0, 0.0199, 100.1, float("nan"), float("inf")])
def test_impossible_pixel_sizes_are_wrong_usage(make_slide, soft_picture, value):
    path = make_slide("png", soft_picture)
    with pytest.raises(UsageError, match=r"--um-per-px-he .*0\.02 to 100") as caught:
        open_slide(path, um_per_px=value, option="--um-per-px-he")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", [0.02, 0.25, 100.0])
def test_possible_pixel_sizes(make_slide, soft_picture, value):
    with open_slide(make_slide("png", soft_picture), um_per_px=value) as slide:
        assert slide.um_per_px == value


@pytest.mark.parametrize(
    ("x_um", "y_um", "accepted"), [(0.25, 0.2524, True), (0.25, 0.253, False), (0.5, 0.25, False)]
)
def test_pixels_that_are_not_square(tmp_path, soft_picture, x_um, y_um, accepted):
    path = tmp_path / "wide.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": x_um, "PhysicalSizeY": y_um}
    tifffile.imwrite(path, soft_picture, photometric="rgb", tile=(64, 64), metadata=metadata)
    if accepted:
        with open_slide(path) as slide:
            assert slide.um_per_px == pytest.approx((x_um + y_um) / 2)
        return
    assert "square" in refusal(path)
    with open_slide(path, um_per_px=0.25) as slide:  # the remedy that the sentence names
        assert slide.um_per_px == 0.25


def test_missing_reader_of_dicom_names_its_install_line(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "wsidicom", None)
    path = write_bytes(tmp_path / "slide.dcm", b"\0" * 128 + b"DICM" + b"\0" * 64)
    assert 'pip install "napari-her2[dicom]"' in refusal(path)
