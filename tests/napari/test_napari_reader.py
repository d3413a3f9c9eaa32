"""What the reader takes, what it leaves to others, and the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from tests.napari import handmade

from napari_her2._napari.preferences import CATEGORIES, Preferences
from napari_her2._napari.reader import get_reader, read_slides

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "src" / "napari_her2" / "napari.yaml"


def small_tiff(path: Path) -> Path:
    """Write an ordinary picture."""
    import tifffile

    tifffile.imwrite(path, handmade.picture("he", (300, 400)), photometric="rgb")
    return path


def grey_stack(path: Path) -> Path:
    """Write what a microscope makes: 16 bit, several planes."""
    import tifffile

    tifffile.imwrite(path, np.zeros((5, 64, 64), np.uint16), photometric="minisblack")
    return path


def png(path: Path) -> Path:
    """Write a PNG."""
    from skimage.io import imsave

    imsave(path, handmade.picture("he", (300, 400)), check_contrast=False)
    return path


def text(path: Path) -> Path:
    """Write text under another name."""
    path.write_text("not a picture")
    return path


def folder(path: Path) -> Path:
    """Make a folder with a picture in it."""
    path.mkdir()
    png(path / "a.png")
    return path


def whole_slide(path: Path) -> Path:
    """Write a pyramid."""
    return handmade.write_slide(path, handmade.picture("he"))


READER_CASES: list[tuple[str, Callable[[Path], Path], bool]] = [
    ("pyramid.tif", whole_slide, True),
    ("pyramid.TIFF", whole_slide, True),
    ("small.tif", small_tiff, False),
    ("stack.tif", grey_stack, False),
    ("picture.png", png, False),
    ("text.tif", text, False),
    ("folder", folder, False),
    ("folder.zarr", folder, False),
    ("missing.svs", lambda path: path, False),
]


@pytest.mark.parametrize(("name", "make", "taken"), READER_CASES, ids=[case[0] for case in READER_CASES])
def test_what_the_reader_takes(tmp_path: Path, name: str, make: Callable[[Path], Path], taken: bool) -> None:
    path = make(tmp_path / name)
    assert (get_reader(str(path)) is not None) == taken
    assert (get_reader([str(path)]) is not None) == taken


def test_vendor_slide_is_taken_whatever_its_inside(tmp_path: Path) -> None:
    assert get_reader(str(text(tmp_path / "broken.svs"))) is not None, "so that the error names the reason"


def test_case_folder_is_taken(case: Path) -> None:
    reader: Any = get_reader(str(case))
    layers = reader(str(case))
    assert [kind for _, _, kind in layers] == ["image", "image", "image", "shapes", "shapes", "points"]
    assert [meta["name"] for _, meta, _ in layers] == [
        "IHC  block_ihc.tif",
        "H&E  block_he.tif",
        "tumour heat map",
        "tumour area, H&E",
        "tumour area, IHC",
        "cells",
    ]
    assert all(tuple(map(str, meta["units"])) == ("um", "um") for _, meta, _ in layers)
    assert layers[1][1]["affine"][1, 2] < 0, "the H&E stands left of the IHC"


def test_slide_comes_in_um_with_true_pixels(pair: tuple[Path, Path]) -> None:
    ((levels, meta, kind),) = read_slides(str(pair[0]))
    assert kind == "image"
    assert meta["scale"] == (0.5, 0.5)
    assert meta["translate"] == (0.25, 0.25)
    assert meta["units"] == ("um", "um")
    assert levels[0].shape == (*handmade.SHAPE, 3)
    np.testing.assert_array_equal(levels[0][100:300, 500:900], handmade.picture("he")[100:300, 500:900])


def test_slide_without_pixel_size_comes_in_pixels(without_size: Path) -> None:
    ((_, meta, _),) = read_slides(str(without_size))
    assert meta["units"] == ("pixel", "pixel")
    assert meta["scale"] == (1.0, 1.0)


def test_real_slide(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("slides/CMU-1-Small-Region.svs")
    reader: Any = get_reader(str(path))
    ((levels, meta, _),) = reader(str(path))
    assert levels[0].shape == (2967, 2220, 3)
    assert meta["scale"][0] == pytest.approx(0.499, abs=1e-4)
    assert "macro" not in str(meta)


def test_real_dicom_folder(shared_data: Callable[[str], Path]) -> None:
    pytest.importorskip("wsidicom", reason="needs the extra dicom")
    path = shared_data("slides/cmu-1-small-region-dicom")
    assert get_reader(str(path)) is not None


def test_manifest_at_the_root_is_the_packaged_one() -> None:
    assert (ROOT / "napari.yaml").read_bytes() == MANIFEST.read_bytes()


def test_recipe_of_the_sample_is_the_packaged_one() -> None:
    packaged = ROOT / "src" / "napari_her2" / "_napari" / "phantom_case.yaml"
    assert (ROOT / "sample_data" / "phantom_case.yaml").read_bytes() == packaged.read_bytes()


def test_recipe_can_be_drawn() -> None:
    from napari_her2._napari.sample import sample_spec

    spec = sample_spec()
    assert sum(spec.percent.values()) == pytest.approx(100)
    assert max(spec.size_um) <= 1500, "small enough to be made while a person waits"


def test_manifest_is_valid_and_its_commands_exist() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert [widget.display_name for widget in manifest.contributions.widgets or ()] == [
        "HER2 case",
        "HER2 worklist",
        "Correct masks",
        "Navigator",
        "Review queue",
        "Analyse parts",
        "Tumour heat map",
        "Stain classes",
        "MaskFormer overlay",
        "Linked H&E ↔ IHC view",
        "HER2 help",
    ]
    assert [sample.display_name for sample in manifest.contributions.sample_data or ()] == [
        "HER2 phantom case"
    ]


def test_preferences_equal_the_manifest() -> None:
    from napari_her2.scoring import list_rules

    declared = yaml.safe_load(MANIFEST.read_text())["contributions"]["configurations"]
    assert set(declared) == set(CATEGORIES)
    properties = {name: one for category in declared.values() for name, one in category["properties"].items()}
    default = Preferences()
    assert {name: one["default"] for name, one in properties.items()} == {
        name: getattr(default, name) for name in Preferences.__slots__
    }
    assert set(properties["rule"]["enum"]) == {rule.name for rule in list_rules()}
