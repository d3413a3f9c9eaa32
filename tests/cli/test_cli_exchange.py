"""Export and import of a finished case, through the command line."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.cli.running import Capture, run

from napari_her2.case import read_case
from napari_her2.exchange import Area, drawn_areas, read_areas, read_cell_features, write_areas

UM = 0.25


# ------------------------------------------------------------------ export


def test_geojson_holds_areas_and_cells(case: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "x.geojson.gz"
    found = run(capsys, "export", case, "--to", "geojson", "--out", out)
    cells = read_case(case).cells()
    assert found["cells"] == len(cells)
    back = read_cell_features(out)
    assert np.abs(back.points_px - cells.points_px).max() < 0.5
    areas = [a for a in read_areas(out) if a.kind == "annotation"]
    assert len(areas) == found["areas"] >= 1
    assert {a.slide for a in areas} == {"ihc"}
    script = (Path(__file__).parents[2] / "docs/qupath/import_her2.groovy").read_text(encoding="utf-8")
    known = set(re.findall(r'text\(it, "(\w+)"\) != null', script.split("earlier = ")[1]))
    for area in areas:
        assert known & set(area.properties or {}), "QuPath takes it out again before the next import"
    he = run(capsys, "export", case, "--to", "geojson", "--slide", "he", "--out", out)
    assert he["cells"] == 0


@pytest.mark.parametrize("layer", ["her2", "tumour"])
def test_rasters_keep_their_place(case: Path, tmp_path: Path, capsys: Capture, layer: str) -> None:
    import tifffile
    import zarr

    raster = read_case(case).raster(layer)  # type: ignore[arg-type]
    assert raster is not None
    tif, folder = tmp_path / "x.ome.tif", tmp_path / "x.zarr"
    found = run(capsys, "export", case, "--to", "ome-tiff", "--layer", layer, "--out", tif)
    run(capsys, "export", case, "--to", "ome-zarr", "--layer", layer, "--out", folder, "--ngff", "0.4")
    labels = tifffile.imread(tif)
    np.testing.assert_array_equal(labels, zarr.open_group(folder, mode="r")["0"][:])
    assert found["shape"] == list(labels.shape)
    assert found["slide"] == ("ihc" if layer == "her2" else "he")
    if layer == "her2":
        np.testing.assert_array_equal(labels, raster.levels[0][:])
    else:
        assert set(np.unique(labels)) <= {0, 1}


@pytest.mark.parametrize("name", ["cells.csv", "cells.csv.gz"])
def test_tables_as_csv(case: Path, tmp_path: Path, capsys: Capture, name: str) -> None:
    found = run(capsys, "export", case, "--to", "csv", "--out", tmp_path / name)
    text = (tmp_path / name).read_bytes()
    lines = (gzip.decompress(text) if name.endswith("gz") else text).decode().splitlines()
    assert len(lines) - 1 == found["rows"] == len(read_case(case).cells())
    assert {"x", "y", "class", "excluded"} <= set(lines[0].split(","))


def test_tables_as_parquet_are_read_by_pandas(case: Path, tmp_path: Path, capsys: Capture) -> None:
    pandas = pytest.importorskip("pandas")
    found = run(
        capsys, "export", case, "--to", "parquet", "--table", "patches", "--out", tmp_path / "p.parquet"
    )
    frame = pandas.read_parquet(tmp_path / "p.parquet")
    assert len(frame) == found["rows"] == len(read_case(case).patches())
    assert set(frame["slide"]) == {"he", "ihc"}


def test_coco_and_dicom_are_written(case: Path, tmp_path: Path, capsys: Capture) -> None:
    coco = run(capsys, "export", case, "--to", "coco", "--out", tmp_path / "c.json")
    data = json.loads((tmp_path / "c.json").read_text())
    assert len(data["annotations"]) == coco["annotations"]
    assert data["images"][0]["file_name"] == "ihc.ome.tif"
    pytest.importorskip("highdicom")
    found = run(capsys, "export", case, "--to", "dicom", "--out", tmp_path / "d")
    assert (tmp_path / "d" / found["segmentation"]).is_file()
    assert (tmp_path / "d" / found["annotations"]).is_file()


def test_tiles_come_from_reviewed_areas(case: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ("export", case, "--to", "tiles", "--out", tmp_path / "t", "--size-px", 128, "--um-per-px", 1)
    refused = run(capsys, *words, code=2)
    assert "no reviewed area" in refused["error"]["message"]
    ring = np.array([[30.0, 30.0], [30.0, 1100.0], [1100.0, 1100.0], [1100.0, 30.0]])
    write_areas(tmp_path / "seen.geojson", [Area(outline=ring, name="anything")])
    assert run(capsys, "import", case, tmp_path / "seen.geojson", "--reviewed")["areas"] == 1
    found = run(capsys, *words)
    assert found["tiles"] >= 4
    with (tmp_path / "t" / "tiles.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"] for row in rows} == {"case"}
    her2 = read_case(case).raster("her2")
    assert her2 is not None
    labels = her2.levels[0][:]
    labels[labels == 5] = 3
    for row in rows:  # 4 px of the slide are one of the raster, and of the tile
        mask = cv2.imread(str(tmp_path / "t" / "images" / row["label"]), cv2.IMREAD_UNCHANGED)
        top, left = (int(row["y"]) + 2) // 4, (int(row["x"]) + 2) // 4
        np.testing.assert_array_equal(mask, labels[top : top + 128, left : left + 128])


def test_tiles_hold_what_people_painted_and_drew(case: Path, tmp_path: Path, capsys: Capture) -> None:
    """Areas go before masks, masks before the model, and what was left out is unknown."""
    from napari_her2.annotation import EXCLUSIONS, HER2, EditableMask, MaskFacts, Stroke, to_codes
    from napari_her2.geometry import Box
    from napari_her2.review import ReviewLog

    bundle = read_case(case)
    slide = bundle.slide("ihc")
    assert slide is not None
    shape = bundle.report.provenance.slides[-1].levels[0]["shape"]
    for kind, box, value in ((HER2, Box(100, 100, 300, 300), 4), (EXCLUSIONS, Box(100, 300, 40, 40), 1)):
        facts = MaskFacts(kind=kind, slide="ihc", shape=tuple(shape), um_per_px=UM, sha256=slide.sha256)
        mask = EditableMask(case / "edits" / facts.name, facts, ReviewLog(case / "review.jsonl", "R"))
        codes = np.full((box.height, box.width), int(to_codes(value)), np.uint8)
        mask.paint(Stroke(box=box, codes=codes, changed=codes > 0))
        mask.close()
    square = np.array([[200.0, 100], [200, 200], [300, 200], [300, 100]])
    everything = np.array([[80.0, 80], [80, 420], [420, 420], [420, 80]])
    areas = [Area(outline=square, name="HER2 1+"), Area(outline=everything, name="Reviewed")]
    write_areas(tmp_path / "a.geojson", areas)
    run(capsys, "import", case, tmp_path / "a.geojson", "--reader", "R")
    words = ("--to", "tiles", "--out", tmp_path / "t", "--size-px", 170, "--um-per-px", 0.5)
    found = run(capsys, "export", case, *words)
    assert found["tiles"] == 1
    (name,) = (tmp_path / "t" / "masks").iterdir()
    mask_picture = cv2.imread(str(name), cv2.IMREAD_UNCHANGED)
    assert name.name == "case_80_80.png"

    def at(row: int, col: int) -> int:
        return int(mask_picture[(row - 80) // 2, (col - 80) // 2])

    assert at(150, 150) == 4
    assert at(250, 150) == 2
    assert at(120, 320) == 255
    assert (mask_picture[10:60, 10:110] == 4).all()
    assert run(capsys, "case", "verify", case)["intact"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", "nothing", "--out", "x"), 2),
        (("--to", "ome-tiff", "--layer", "segmentation", "--out", "x.tif"), 2),
        (("--to", "tiles", "--out", "t", "--overlap-px", 512), 2),
        (("--to", "geojson", "--out", "."), 2),
    ],
)
def test_wishes_that_cannot_be_met(case: Path, capsys: Capture, words: tuple[Any, ...], code: int) -> None:
    run(capsys, "export", case, *words, code=code)


def test_what_is_no_case_is_refused(tmp_path: Path, capsys: Capture) -> None:
    run(capsys, "export", tmp_path, "--to", "csv", "--out", tmp_path / "x.csv", code=3)


# ------------------------------------------------------------------ import


def test_areas_come_in_and_outlive_a_run(case: Path, tmp_path: Path, capsys: Capture) -> None:
    area = Area(outline=np.array([[100.0, 100], [100, 300], [250, 200]]), name="In situ")
    write_areas(tmp_path / "a.geojson", [area])
    assert run(capsys, "import", case, tmp_path / "a.geojson", "--reader", "R")["areas"] == 1
    run(capsys, "import", case, tmp_path / "a.geojson")  # the same file again replaces its areas
    (back,) = drawn_areas(read_case(case).files, "ihc")
    assert np.abs(back.outline - area.outline).max() < 0.5
    assert back.slide == "ihc"
    log = [json.loads(line) for line in (case / "review.jsonl").read_text().splitlines()]
    assert log[0]["who"] == "R"
    assert log[0]["after"]["areas"] == {"In situ": 1}
    words = ("--he", case.parent / "he.ome.tif", "--ihc", case.parent / "ihc.ome.tif", "--min-cells", 21)
    run(capsys, "score", *words, "--out", case)
    assert drawn_areas(read_case(case).files, "ihc")
    exported = run(capsys, "export", case, "--to", "geojson", "--out", tmp_path / "b.geojson")
    assert exported["areas"] >= 1


def test_cells_corrected_elsewhere_become_verdicts(case: Path, tmp_path: Path, capsys: Capture) -> None:
    from napari_her2.review import ReviewLog, read_cell_verdicts

    out = tmp_path / "x.geojson"
    run(capsys, "export", case, "--to", "geojson", "--out", out)
    data = json.loads(out.read_text())
    counted = [
        f for f in data["features"]
        if f["properties"]["objectType"] == "detection"
        and f["properties"]["classification"]["name"].startswith("Tumor: ")
    ]  # fmt: skip
    was = [f["properties"]["classification"]["name"] for f in counted[:2]]
    assert not any(name.endswith("3+") for name in was)
    for feature, name in zip(counted[:3], ("3+", "Tumor: 3+", "Excluded: reader: 0"), strict=True):
        feature["properties"]["classification"]["name"] = name
    out.write_text(json.dumps(data))
    found = run(capsys, "import", case, out, "--reader", "R")
    assert found["cells"] == 3
    assert found["cells_unmatched"] == 0
    verdicts = read_cell_verdicts(ReviewLog(case / "review.jsonl").entries)
    assert sorted(verdicts.class_code.tolist()) == [-1, 3, 3]
    assert sorted(verdicts.counts.tolist()) == [-1, -1, 0]


def test_label_rasters_come_in_as_areas(case: Path, tmp_path: Path, capsys: Capture) -> None:
    tif, folder = tmp_path / "x.ome.tif", tmp_path / "x.zarr"
    run(capsys, "export", case, "--to", "ome-tiff", "--layer", "her2", "--out", tif)
    run(capsys, "export", case, "--to", "ome-zarr", "--layer", "her2", "--out", folder)
    one = run(capsys, "import", case, tif)
    two = run(capsys, "import", case, folder)
    assert one["areas"] == two["areas"] > 3
    from napari_her2.annotation.painting import paint
    from napari_her2.geometry import Box

    raster = read_case(case).raster("her2")
    assert raster is not None
    labels = raster.levels[0][:]
    mask = np.zeros(labels.shape, bool)
    scale = raster.um_per_px / UM
    box = Box(0, 0, round(labels.shape[0] * scale), round(labels.shape[1] * scale))
    for area in drawn_areas(read_case(case).files, "ihc"):
        if area.name == "HER2 2+":
            mask |= paint((area.outline, *area.holes), box, labels.shape)
    overlap = (mask & (labels == 3)).sum() / (mask | (labels == 3)).sum()
    assert overlap > 0.9


def test_readings_and_cells_of_a_csv(case: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "r.csv").write_text("case,reader,score,percent_3+\ncase,R1,2+,5\nother,R1,0,\n,R2,1+,\n")
    assert run(capsys, "import", case, tmp_path / "r.csv")["readings"] == 2
    cells = read_case(case).cells()
    x, y = cells.col_px[5], cells.row_px[5]
    (tmp_path / "c.csv").write_text(f"x,y,class\n{x},{y},unusual\n1e6,1e6,0\n")
    found = run(capsys, "import", case, tmp_path / "c.csv")
    assert (found["cells"], found["cells_unmatched"]) == (1, 1)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.geojson", '{"type":"Polygon","coordinates":[[[1,1],[99999,1],[1,9]]]}', "outside the ihc slide"),
        ("a.csv", "a,b\n1,2\n", "neither cells"),
        ("a.csv", "score\n4+\n", "the score '4+'"),
        ("a.csv", "case,score\nother,1+\n", "no reading of case"),
        ("a.docx", "x", "cannot be imported"),
        ("a.json", '{"categories": [], "annotations": 3}', "no COCO file"),
    ],
)
def test_files_that_cannot_come_in(
    case: Path, tmp_path: Path, capsys: Capture, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    found = run(capsys, "import", case, tmp_path / name, code=3)
    assert why in found["error"]["message"]
    assert not (case / "edits").exists()
