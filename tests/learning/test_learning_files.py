"""Patches in folders, tables and case bundles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.case.example import report_dict
from tests.learning.tiny_recipes import content

from napari_her2.cells import CellTable
from napari_her2.errors import CaseError, Her2Error, UsageError
from napari_her2.events import drain
from napari_her2.learning import Recipe
from napari_her2.learning.bundles import case_patches
from napari_her2.learning.data import prepare
from napari_her2.learning.folders import labelled_patches
from napari_her2.learning.patch import HE_CODES
from napari_her2.learning.phantom_data import draw_block
from napari_her2.phantom import PhantomScene, PhantomSpec

if TYPE_CHECKING:
    from pathlib import Path


def put(path: Path, level: int, side: int = 224) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((side, side, 3), level, np.uint8)
    cv2.imencode(".png", pixels)[1].tofile(path)


def of_files(task: str, **patches: Any) -> Recipe:
    return Recipe.model_validate(content(task) | {"data": {"patches": patches, "validation_share": 0.5}})


def listed(recipe: Recipe) -> list[Any]:
    assert recipe.data.patches is not None
    return list(labelled_patches(recipe.data.patches, recipe))


def test_a_sub_folder_is_a_class_and_the_name_begins_with_the_case(tmp_path: Path) -> None:
    for k, name in enumerate(["tumour/A_1.png", "tumour/A_2.png", "other/B_1.png", "other/ä_1.png"]):
        put(tmp_path / name, 50 + k)
    (tmp_path / "other" / "notes.txt").write_text("no picture")
    patches = listed(of_files("tumour", folder=str(tmp_path)))
    assert [(p.case, p.label) for p in patches] == [("B", 0), ("ä", 0), ("A", 1), ("A", 1)]
    read = patches[2].read()
    assert read.target.tolist() == [0, 1]
    assert read.labels is None
    assert read.pixels.mean() == 50


def test_a_table_names_patch_case_and_label(tmp_path: Path) -> None:
    put(tmp_path / "x" / "1.png", 10)
    put(tmp_path / "x" / "2.png", 20)
    (tmp_path / "t.csv").write_text("\ufeffpatch,case,label\nx/1.png,P1,2+\nx/2.png,P2,0\n", encoding="utf-8")
    patches = listed(of_files("stain", folder=str(tmp_path), table=str(tmp_path / "t.csv")))
    assert [(p.case, p.label, p.read().target.argmax()) for p in patches] == [("P1", 2, 2), ("P2", 0, 0)]


def test_the_segmenter_reads_pictures_of_labels(tmp_path: Path) -> None:
    put(tmp_path / "1.png", 120, 512)
    put(tmp_path / "1_labels.png", 3, 512)
    (tmp_path / "t.csv").write_text("patch,case,label\n1.png,P1,1_labels.png\n", encoding="utf-8")
    patch = listed(of_files("segment", folder=str(tmp_path), table=str(tmp_path / "t.csv")))[0].read()
    assert patch.labels is not None
    assert (patch.labels == 3).all()
    assert patch.target.tolist() == [0, 0, 0, 1, 0]


def refused(tmp_path: Path, name: str) -> Any:
    folder = tmp_path / "patches"
    folder.mkdir()
    table: dict[str, Any] = {}
    if name == "wrong class":
        put(folder / "maybe" / "A_1.png", 9)
    elif name == "wrong size":
        put(folder / "tumour" / "A_1.png", 9, 100)
        put(folder / "other" / "B_1.png", 8)
    elif name == "no picture":
        put(folder / "other" / "B_1.png", 8)
        (folder / "tumour").mkdir()
        (folder / "tumour" / "A_1.png").write_bytes(b"text")
    elif name == "one case":
        put(folder / "other" / "A_1.png", 8)
        put(folder / "tumour" / "A_2.png", 9)
    elif name == "twins in two cases":
        put(folder / "other" / "A_1.png", 9)
        put(folder / "tumour" / "B_1.png", 9)
    elif name in ("no columns", "no case"):
        text = "file,label\n1.png,tumour\n" if name == "no columns" else "patch,case,label\n1.png,,tumour\n"
        (folder / "t.csv").write_text(text, encoding="utf-8")
        table = {"table": str(folder / "t.csv")}
    return of_files("tumour", folder=str(folder), **table)


SAID = {
    "wrong class": "maybe",
    "wrong size": "100 x 100",
    "no picture": "A_1.png",
    "one case": "1 case",
    "twins in two cases": "byte for byte",
    "no columns": "patch,case,label",
    "no case": "row without",
    "empty": "no pictures",
}


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_data_that_cannot_be_used(tmp_path: Path, name: str, said: str) -> None:
    recipe = refused(tmp_path, name)
    with pytest.raises(UsageError, match=said.replace("+", r"\+")):
        drain(prepare(recipe))


# ------------------------------------------------------------------ case bundles


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of H&E tissue, 1024 px at 0.25 µm/px."""
    scene = PhantomScene(PhantomSpec(seed=4, size_um=(420, 420)))
    folder = tmp_path_factory.mktemp("slide")
    cv2.imwrite(str(folder / "he.png"), draw_block(scene, "he", (512, 512), 1024).pixels[..., ::-1])
    return folder / "he.png"


def case(folder: Path, slide: Path, features: list[dict[str, Any]], cells: CellTable | None = None) -> Path:
    """Return a finished case with the picture as both slides."""
    from napari_her2.case import write_cells

    folder.mkdir()
    slides = [
        {"role": role, "name": slide.name, "sha256": "0" * 64, "um_per_px": 0.25} for role in ("he", "ihc")
    ]
    manifest = {"schema": "napari-her2/case/1", "slides": slides, "settings": {}, "files": {}}
    (folder / "case.json").write_text(json.dumps(manifest))
    (folder / "report.json").write_text(json.dumps(report_dict()))
    (folder / "annotations.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    (folder / slide.name).write_bytes(slide.read_bytes())
    if cells is not None:
        write_cells(folder / "cells.parquet", cells)
    return folder


def outline(name: str, box: tuple[int, int, int, int], **facts: Any) -> dict[str, Any]:
    left, top, right, bottom = box
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": name}, "slide": "he", **facts},
    }


def of_cases(task: str, *folders: Path) -> Recipe:
    data = {"cases": {"folders": [str(folder) for folder in folders]}}
    return Recipe.model_validate(content(task) | {"data": data})


def found(recipe: Recipe) -> list[Any]:
    assert recipe.data.cases is not None
    return list(case_patches(recipe.data.cases, recipe))


def test_outlines_of_a_person_become_labels(tmp_path: Path, slide: Path) -> None:
    drawn = [outline("Tumor", (0, 0, 448, 1024), confirmed=True), outline("In situ", (0, 0, 448, 200))]
    patches = found(of_cases("tumour", case(tmp_path / "one", slide, drawn)))
    assert {(p.box.row, p.box.col) for p in patches} <= {(0, 0), (0, 448), (448, 0), (448, 448)}
    by_place = {(p.box.row, p.box.col): p.read() for p in patches}
    left = by_place[448, 0]
    assert left.pixels.shape == (224, 224, 3)
    assert left.target.tolist() == [0, 1]
    assert left.labels is not None
    assert (left.labels == HE_CODES["invasive"]).all()
    assert by_place[448, 448].target.tolist() == [1, 0]
    upper = by_place[0, 0].labels
    assert upper is not None
    assert (upper == HE_CODES["in_situ"]).mean() == pytest.approx(200 / 448, abs=0.02)


@pytest.mark.parametrize("features", [[], [outline("Tumor", (0, 0, 448, 1024), confirmed=False)]])
def test_what_the_program_guessed_does_not_teach_it(
    features: list[dict[str, Any]], tmp_path: Path, slide: Path
) -> None:
    with pytest.raises(UsageError, match="confirmed"):
        found(of_cases("tumour", case(tmp_path / "one", slide, features)))


def carpet() -> CellTable:
    """Cells every 10 µm: 3+ on the left, 0 on the right; the lowest rows are excluded."""
    steps = np.arange(20.0, 1020.0, 40.0)
    row, col = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
    n = len(row)
    plain = dict.fromkeys(
        ("completeness", "intensity_od", "membrane_width_um", "nucleus_area_um2", "epithelial")
    )
    return CellTable(
        row_px=row, col_px=col, class_code=np.where(col < 448, 3, 0).astype(np.uint8),
        **{name: np.full(n, 0.5, np.float32) for name in plain},
        in_tumour=np.ones(n, bool), excluded=np.where(row > 850, 1, 0).astype(np.uint8),
        source=np.zeros(n, np.uint8),
    )  # fmt: skip


def test_cells_become_territories(tmp_path: Path, slide: Path) -> None:
    patches = found(of_cases("stain", case(tmp_path / "one", slide, [], carpet())))
    by_place = {(p.box.row, p.box.col): p.read() for p in patches}
    assert len(by_place) == 16
    assert by_place[224, 0].target.argmax() == 3
    assert by_place[224, 672].target.argmax() == 0
    lowest = by_place[672, 0].labels  # rows 672 to 896; cells from 860 on are excluded
    assert lowest is not None
    assert lowest[148, 8] == 4
    assert (lowest[-1] == 0).all()


def test_a_case_without_its_slide_says_so(tmp_path: Path, slide: Path) -> None:
    folder = case(tmp_path / "one", slide, [outline("Tumor", (0, 0, 448, 1024))])
    (folder / slide.name).unlink()
    with pytest.raises(CaseError, match="not found"):
        found(of_cases("tumour", folder))


def test_two_cases_train_and_validate(tmp_path: Path, slide: Path) -> None:
    drawn = [outline("Tumor", (0, 0, 448, 1024))]
    recipe = of_cases("tumour", case(tmp_path / "a", slide, drawn), case(tmp_path / "b", slide, drawn))
    with pytest.raises(Her2Error, match="byte for byte"):  # both cases hold the same slide
        drain(prepare(recipe))
