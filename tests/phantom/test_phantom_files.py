"""The folder of a phantom: every file of the contract, and all of them tell the same truth."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import tifffile

from napari_her2.errors import OutputError
from napari_her2.events import Progress, StageDone, drain
from napari_her2.geometry import Box, from_xy
from napari_her2.phantom import PhantomSpec, PhantomTruth, render_phantom
from napari_her2.phantom.scene import PhantomScene
from napari_her2.phantom.writer import SlideFile, write_slide
from napari_her2.store import read_multiscale
from napari_her2.vocabulary import RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.events import Event, Steps

SPEC = PhantomSpec(
    seed=12,
    mix={"3+": 20, "2+": 20, "unusual": 10, "1+": 20, "0": 30},
    size_um=(330.0, 260.0),
    in_situ=0.15,
    control=True,
    levels=2,
    rotate_deg=30,
    missing=0.1,
    pen=True,
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomTruth]:
    folder = tmp_path_factory.mktemp("phantom") / "case"
    return folder, drain(render_phantom(SPEC, folder))


def cells_of(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "truth_cells.parquet")
    return {name: table[name].to_numpy() for name in table.column_names}


def test_the_folder_holds_the_files_of_the_contract_and_nothing_else(case: tuple[Path, PhantomTruth]) -> None:
    wanted = {"he.ome.tif", "ihc.ome.tif", "truth.json", "truth_cells.parquet", "truth_landmarks.csv"}
    assert {path.name for path in case[0].iterdir()} == wanted | {
        "truth_segmentation.zarr",
        "truth_tumour.zarr",
    }


@pytest.mark.parametrize("stain", ["he", "ihc"])
def test_slides_are_pyramids_with_a_pixel_size(case: tuple[Path, PhantomTruth], stain: Any) -> None:
    scene = PhantomScene(SPEC)
    with tifffile.TiffFile(case[0] / f"{stain}.ome.tif") as tif:
        assert tif.is_ome
        levels = tif.series[0].levels
        assert levels[0].shape == (*scene.shape(stain), 3)
        for fine, coarse in pairwise(levels):
            assert coarse.shape == (fine.shape[0] // 2, fine.shape[1] // 2, 3)
        assert max(levels[-1].shape) <= 512
        page = tif.pages[0]
        assert page.is_tiled
        assert page.compression == tifffile.COMPRESSION.JPEG
        assert 'PhysicalSizeX="0.25"' in (tif.ome_metadata or "")
        assert page.tags["XResolution"].value[0] / page.tags["XResolution"].value[1] == 40_000
        pixels = [level.asarray().astype(float) for level in levels]
    for fine, coarse in pairwise(pixels):
        rows, cols = coarse.shape[:2]
        mean = fine[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2, 3).mean(axis=(1, 3))
        assert np.abs(mean - coarse).mean() < 4  # the levels share their corner; what is left is JPEG


def test_what_is_stored_is_what_the_scene_shows(case: tuple[Path, PhantomTruth]) -> None:
    stored = tifffile.imread(case[0] / "ihc.ome.tif", level=0)
    box = Box(300, 300, 500, 600)
    difference = stored[box.slices].astype(float) - PhantomScene(SPEC).ihc(box)
    assert np.abs(difference.mean()) < 1
    assert difference.std() < 9


def test_truth_json_states_score_mix_and_parameters(case: tuple[Path, PhantomTruth]) -> None:
    folder, truth = case
    content = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert content["score"] == truth.score == "3+"
    assert content["rule"] == "asco-cap-breast-2023"
    assert content["seed"] == 12
    assert content["parameters"]["rotate_deg"] == 30
    assert sum(content["percent"].values()) == pytest.approx(100)
    cells = cells_of(folder)
    counted = cells["class"][cells["in_tumour"]]
    assert {key: int((counted == key).sum()) for key in content["counts"]} == content["counts"]
    assert [piece["role"] for piece in content["ihc_pieces"]] == [
        "patient",
        "duplicate",
        "control",
        "control",
    ]
    assert [piece["expected_score"] for piece in content["ihc_pieces"]] == [None, None, "3+", "0"]
    assert set(content["artefacts"]["ihc"]) == {"pen"}


def test_only_the_patients_invasive_cells_count(case: tuple[Path, PhantomTruth]) -> None:
    folder, _ = case
    content = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    cells = cells_of(folder)
    for piece in content["ihc_pieces"]:
        x, _y, width, _height = piece["box_xywh"]
        here = (cells["x"] >= x) & (cells["x"] < x + width)
        assert here.sum() > 20
        if piece["role"] != "patient":
            assert not cells["in_tumour"][here].any()
        if piece["expected_score"]:
            assert set(cells["class"][here]) == {piece["expected_score"]}
    patient = cells["x"] < content["ihc_pieces"][1]["box_xywh"][0]
    assert 0.05 < (~cells["in_tumour"][patient]).mean() < 0.35  # in situ


def test_rasters_agree_with_the_table(case: tuple[Path, PhantomTruth]) -> None:
    folder, _ = case
    cells = cells_of(folder)
    segmentation, tumour = (
        read_multiscale(folder / f"truth_{name}.zarr") for name in ("segmentation", "tumour")
    )
    assert segmentation.um_per_px == tumour.um_per_px == 0.5
    rows, cols = PhantomScene(SPEC).shape("ihc")
    assert segmentation.shape == tumour.shape == (-(-rows // 2), -(-cols // 2))
    labels, inside = segmentation.levels[0][:], tumour.levels[0][:]
    row, col = (np.floor(cells[axis] / 2).astype(int) for axis in ("y", "x"))
    wanted = np.where(
        cells["in_tumour"], [RASTER_LABELS[name] for name in cells["class"]], RASTER_LABELS["unsure"]
    )
    assert (labels[row, col] == wanted).mean() > 0.97
    assert (inside[row, col] == cells["in_tumour"]).mean() > 0.97
    np.testing.assert_array_equal(inside > 0, (labels > 0) & (labels < 255))
    assert "image-label" in segmentation.metadata["ome"]


def test_membranes_are_where_the_raster_says(case: tuple[Path, PhantomTruth]) -> None:
    labels = read_multiscale(case[0] / "truth_segmentation.zarr").levels[0][:]
    stored = tifffile.imread(case[0] / "ihc.ome.tif", level=1).astype(float)
    rows, cols = min(labels.shape[0], stored.shape[0]), min(labels.shape[1], stored.shape[1])
    blue = stored[:rows, :cols, 2]
    mean = {
        name: blue[labels[:rows, :cols] == RASTER_LABELS[name]].mean() for name in ("0", "1+", "2+", "3+")
    }
    assert mean["3+"] < mean["2+"] - 15 < mean["1+"] - 15 < mean["0"]


def test_landmarks_follow_the_exact_map(case: tuple[Path, PhantomTruth]) -> None:
    lines = (case[0] / "truth_landmarks.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "he_x,he_y,ihc_x,ihc_y"
    table = np.array([[float(value) for value in line.split(",")] for line in lines[1:]])
    assert len(table) >= 40
    mapped = PhantomScene(SPEC).he_to_ihc(from_xy(table[:, :2]))
    assert np.abs(mapped - from_xy(table[:, 2:])).max() < 0.01


def heard(steps: Steps[PhantomTruth]) -> Iterator[Event]:
    truth = yield from steps
    assert truth.score == "0"


def test_a_second_run_writes_the_same_bytes_and_tells_its_progress(tmp_path: Path) -> None:
    spec = PhantomSpec(seed=2, score="0", size_um=(200.0, 200.0))
    events = list(heard(render_phantom(spec, tmp_path / "a", workers=1)))
    drain(render_phantom(spec, tmp_path / "b", workers=2))
    for name in ("he.ome.tif", "ihc.ome.tif", "truth.json", "truth_cells.parquet", "truth_landmarks.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    done = [event for event in events if isinstance(event, Progress) and event.stage == "draw ihc"]
    assert done[-1].done == done[-1].total == 4
    assert [event.stage for event in events if isinstance(event, StageDone)] == ["draw he", "draw ihc"]


def test_the_score_is_the_given_rules(tmp_path: Path) -> None:
    spec = PhantomSpec(seed=2, size_um=(200.0, 200.0))
    seen: list[dict[str, int]] = []

    def rule(counts: dict[str, int]) -> str:
        seen.append(counts)
        return "1+"

    truth = drain(render_phantom(spec, tmp_path, rule=rule))
    assert truth.score == "1+"
    assert seen == [truth.counts]


def test_a_cancelled_phantom_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    steps = render_phantom(PhantomSpec(seed=2, size_um=(400.0, 400.0)), tmp_path)
    while not (isinstance(event := next(steps), Progress) and event.stage == "draw ihc"):
        pass
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["he.ome.tif"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="case"):
        drain(render_phantom(PhantomSpec(size_um=(200.0, 200.0)), tmp_path / "file" / "case"))


def test_empty_glass_costs_next_to_nothing(tmp_path: Path) -> None:
    file = SlideFile(
        path=tmp_path / "big.tif",
        name="big.ome.tif",
        shape_px=(40_000, 40_000),
        um_per_px=0.25,
        quality=85,
        white=np.array([240, 241, 242], np.uint8),
    )
    before = psutil.Process().memory_info().rss
    *_, done = write_slide(file, lambda _row, _col: None)
    assert done == 79 * 79
    assert psutil.Process().memory_info().rss - before < 300 * 2**20
    with tifffile.TiffFile(file.path) as tif:
        assert len(tif.series[0].levels) == 8
        last = tif.series[0].levels[-1].asarray()
    assert np.abs(last.astype(int) - [240, 241, 242]).max() <= 1


def test_an_error_while_drawing_reaches_the_caller(tmp_path: Path) -> None:
    file = SlideFile(
        path=tmp_path / "x.tif",
        name="x.ome.tif",
        shape_px=(3000, 3000),
        um_per_px=0.25,
        quality=85,
        white=np.zeros(3, np.uint8),
    )

    def draw(row: int, _col: int) -> None:
        if row >= 1024:
            raise ValueError("no paint left")

    with pytest.raises(ValueError, match="no paint left"):
        list(write_slide(file, draw))


def test_a_disk_that_fails_ends_the_drawing_at_once(tmp_path: Path) -> None:
    file = SlideFile(
        path=tmp_path / "no" / "folder.tif",
        name="x.ome.tif",
        shape_px=(40_000, 600),
        um_per_px=0.25,
        quality=85,
        white=np.zeros(3, np.uint8),
    )
    rows: list[int] = []

    def draw(row: int, _col: int) -> None:
        rows.append(row)
        time.sleep(0.01)

    with pytest.raises(FileNotFoundError):
        list(write_slide(file, draw))
    assert len(rows) < 100
