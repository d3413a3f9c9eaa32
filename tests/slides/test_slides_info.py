"""What is told of a slide, its hash, and how another process opens it."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

import napari_her2.slides as room
from napari_her2.errors import SlideError
from napari_her2.geometry import Box
from napari_her2.slides import SlideRef, describe, open_slide, to_srgb

if TYPE_CHECKING:
    from pathlib import Path


def test_description(make_slide, soft_picture):
    path = make_slide("ome.tif", soft_picture, n_levels=3)
    with open_slide(path) as slide:
        told = describe(slide)
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "name": "slide.ome.tif",
        "format": "tiff",
        "vendor": None,
        "shape": [437, 611],
        "um_per_px": 0.25,
        "objective": None,
        "levels": [
            {"shape": [437, 611], "downsample": 1.0, "um_per_px": 0.25},
            {"shape": [218, 305], "downsample": 2.0, "um_per_px": 0.5},
            {"shape": [109, 152], "downsample": 4.0, "um_per_px": 1.0},
        ],
        "computed_levels": [],
        "associated": [],
        "icc": False,
        "size": path.stat().st_size,
    }


def test_description_without_pixel_size(make_slide, soft_picture):
    with open_slide(make_slide("png", soft_picture)) as slide:
        told = describe(slide)
    assert told["um_per_px"] is None
    assert told["levels"] == [{"shape": [437, 611], "downsample": 1.0, "um_per_px": None}]


def test_description_reads_no_pixels(make_slide, soft_picture):
    before = room.tile_cache_info().misses
    with open_slide(make_slide("ome.tif", soft_picture)) as slide:
        describe(slide)
    assert room.tile_cache_info().misses == before


def test_hash_of_a_file(make_slide, soft_picture):
    path = make_slide("ome.tif", soft_picture)
    with open_slide(path) as slide:
        assert slide.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_hash_of_a_folder_knows_names_and_contents_but_not_the_place(make_slide, soft_picture, tmp_path):
    first = make_slide("zarr", soft_picture, name="first")
    second = make_slide("zarr", soft_picture, name="second")
    hashes = []
    for path in (first, second):
        with open_slide(path) as slide:
            hashes.append(slide.sha256())
    assert hashes[0] == hashes[1]
    chunk = next(file for file in sorted((second / "0" / "c").rglob("*")) if file.is_file())
    chunk.rename(chunk.with_name("77"))
    with open_slide(second) as slide:
        assert slide.sha256() != hashes[0]


def test_colour_profile(tmp_path, soft_picture):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(soft_picture).save(tmp_path / "picture.png", icc_profile=profile)
    tifffile.imwrite(
        tmp_path / "slide.tif", soft_picture, photometric="rgb", tile=(64, 64), iccprofile=profile
    )
    for name in ("picture.png", "slide.tif"):
        with open_slide(tmp_path / name) as slide:
            assert slide.icc == profile
            assert describe(slide)["icc"] is True
            pixels = slide.read(Box(0, 0, 50, 60))
            assert np.array_equal(pixels, soft_picture[:50, :60])  # not applied by itself
            assert np.abs(to_srgb(pixels, slide.icc).astype(int) - pixels).max() <= 2
    assert to_srgb(soft_picture, None) is soft_picture


def test_colour_profile_that_differs_changes_the_colours(soft_picture):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(SlideError, match="colour profile cannot be used"):
        to_srgb(soft_picture, lab)


def test_reference_opens_the_slide_in_another_process(make_slide, soft_picture):
    path = make_slide("png", soft_picture)
    with open_slide(path, um_per_px=0.5) as slide:
        ref = slide.ref
        here = float(slide.read(Box.of_shape(slide.shape)).mean())
    assert ref == SlideRef(path, 0.5)
    assert pickle.loads(pickle.dumps(ref)) == ref  # noqa: S301  our own bytes: spawn sends them so
    script = (
        "import sys; from pathlib import Path; from napari_her2.slides import SlideRef; "
        "from napari_her2.geometry import Box; s = SlideRef(Path(sys.argv[1]), 0.5).open(); "
        "print(float(s.read(Box.of_shape(s.shape)).mean()), s.um_per_px)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert tuple(map(float, told.stdout.split())) == (here, 0.5)


def test_the_room_is_light_to_import():
    heavy = (
        "cv2",
        "dask",
        "openslide",
        "PIL",
        "tifffile",
        "zarr",
        "wsidicom",
        "pydicom",
        "imagecodecs",
        "scipy",
    )
    script = f"import sys, napari_her2.slides; print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_exports_are_what_the_room_names():
    public = {name for name, value in vars(room).items() if not name.startswith("_") and callable(value)}
    assert public == set(room.__all__)


def test_associated_images_are_named_and_read_on_request_only(tmp_path: Path, soft_picture):
    path = tmp_path / "slide.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(soft_picture, photometric="rgb", tile=(64, 64), metadata={"axes": "YXS", "Name": "slide"})
        tiff.write(soft_picture[:50, :60], photometric="rgb", metadata={"axes": "YXS", "Name": "label"})
    with open_slide(path) as slide:
        assert slide.associated == ("label",)
        assert np.array_equal(slide.associated_image("label"), soft_picture[:50, :60])
        assert describe(slide)["associated"] == ["label"]
        with pytest.raises(SlideError, match="no associated image 'macro': it has label"):
            slide.associated_image("macro")
