"""A case from end to end: the bundle, the same again, after a kill, with other wishes, other slides."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2.case import CaseFiles, Report, is_case, read_case, seal_case, seal_of
from napari_her2.errors import CaseError, OutputError, UsageError
from napari_her2.events import StageDone, drain
from napari_her2.pipeline import CaseRequest, Wishes, score_case
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path

STAGES = ["tissue_he", "tissue_ihc", "mapping", "tumour", "stain", "cell_table"]


def request(pair: Path, out: Path, *, he: bool = True, restart: bool = False, **options: Any) -> CaseRequest:
    return CaseRequest(
        ihc=pair / "ihc.ome.tif",
        he=pair / "he.ome.tif" if he else None,
        out=out,
        options=Wishes(**{"min_cells": 20, "engine": "classical", **options}),
        preferences=Wishes(),
        restart=restart,
    )


def scored(wanted: CaseRequest) -> tuple[Report, dict[str, bool]]:
    """Score; also say of each stored stage whether it was taken again."""
    reused: dict[str, bool] = {}
    steps = score_case(wanted)
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            return stop.value, reused
        if isinstance(event, StageDone):
            reused[event.stage] = event.reused


def timeless(report: Report) -> dict[str, Any]:
    plain = report.to_dict()
    del plain["provenance"]["started"], plain["provenance"]["seconds"]
    return plain


@pytest.fixture(scope="module")
def case(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished case; not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "case"
    drain(score_case(request(pair, out)))
    return out


def copied(case: Path, tmp_path: Path) -> Path:
    return shutil.copytree(case, tmp_path / "case")


def test_the_score_is_that_of_the_truth(case: Path, pair: Path) -> None:
    report = read_case(case).report
    truth = json.loads((pair / "truth.json").read_text())
    assert report.call.score == truth["score"] == "2+"
    assert report.provisional
    assert report.mapping is not None
    assert not report.mapping.needs_review
    assert report.cells.evaluable >= 20


def test_the_bundle_holds_what_is_promised(case: Path) -> None:
    names = {path.name for path in case.iterdir() if not path.name.startswith(".")}
    assert names == {
        "case.json", "report.json", "report.html", "mapping.json", "mapping.field.npz", "cells.parquet",
        "patches.parquet", "rasters", "annotations.geojson", "review.jsonl", "run.json",
    }  # fmt: skip
    assert {path.name for path in (case / "rasters").iterdir()} == {
        "tumour.zarr",
        "her2.zarr",
        "mapping_error.zarr",
    }
    manifest = json.loads((case / "case.json").read_text())
    assert [slide["role"] for slide in manifest["slides"]] == ["he", "ihc"]
    assert "report.json" in manifest["files"]
    for path in case.rglob("*.json"):
        assert str(case.parent) not in path.read_text(), f"{path.name} names a folder"


def test_hashes_of_the_manifest_are_those_of_the_files(case: Path) -> None:
    from napari_her2.store import sha256_of

    manifest = json.loads((case / "case.json").read_text())
    assert {name: sha256_of(case / name) for name in manifest["files"]} == manifest["files"]


def test_tables_have_the_promised_columns_and_agree_with_the_report(case: Path) -> None:
    from pyarrow import parquet

    bundle = read_case(case)
    assert parquet.read_schema(case / "cells.parquet").names == [
        "x", "y", "class", "completeness", "intensity_od", "membrane_width_um", "nucleus_area_um2",
        "in_tumour", "excluded", "epithelial", "source",
    ]  # fmt: skip
    assert parquet.read_schema(case / "patches.parquet").names == [
        "slide", "row", "col", "x", "y", "width", "height", "um_per_px", "tissue_fraction",
        "tumour_probability", "p0", "p1", "p2", "p3", "score", "matched_row", "matched_col", "residual_um",
        "excluded",
    ]  # fmt: skip
    cells, report = bundle.cells(), bundle.report
    assert int(cells.evaluable.sum()) == report.cells.evaluable
    assert cells.counts() == report.cells.by_class
    assert cells.excluded_counts() == report.cells.excluded
    assert (np.diff(cells.row_px) >= 0).all()
    assert sum(report.percent.values()) == pytest.approx(100, abs=0.01)
    assert sum(report.coverage.values()) == pytest.approx(100, abs=0.01)
    patches = bundle.patches()
    ihc = patches.select(patches.slide == "ihc")
    assert {s: int((ihc.score == s).sum()) for s in ("0", "1+", "2+", "3+")} == report.patches.ihc.by_score


def test_rasters_are_ome_zarr_on_their_slides(case: Path, pair: Path) -> None:
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel

    from napari_her2.slides import open_slide

    bundle = read_case(case)
    for name, model, role in (
        ("tumour", Image, "he"),
        ("mapping_error", Image, "ihc"),
        ("her2", ImageLabel, "ihc"),
    ):
        path = case / "rasters" / f"{name}.zarr"
        model.from_zarr(zarr.open_group(path, mode="r"))
        raster = bundle.raster(name)  # type: ignore[arg-type]
        assert raster is not None
        assert raster.metadata["napari-her2"]["slide"] == role
        with open_slide(pair / f"{role}.ome.tif") as slide:
            size_um = np.array(slide.shape) * slide.um_per_px
        extent = np.array(raster.shape) * raster.um_per_px
        assert (extent >= size_um - 1e-6).all()
        assert (extent < size_um + raster.um_per_px).all()


def test_annotations_open_in_other_programs(case: Path) -> None:
    from napari_her2.exchange import read_areas

    found = read_areas(case / "annotations.geojson")
    assert {(area.name, area.slide) for area in found} == {
        ("Tumor", "he"),
        ("Tumor", "ihc"),
        ("Tissue", "ihc"),
    }


def test_an_equal_run_is_returned_at_once(case: Path, pair: Path, tmp_path: Path) -> None:
    out = copied(case, tmp_path)
    before = {
        path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != "lock"
    }
    steps = score_case(request(pair, out))
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == read_case(case).report
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_runs_differ_only_in_time(case: Path, pair: Path, tmp_path: Path) -> None:
    report, reused = scored(request(pair, tmp_path / "other"))
    assert not any(reused.values())
    assert timeless(report) == timeless(read_case(case).report)
    for name in ("cells.parquet", "patches.parquet", "mapping.json", "annotations.geojson"):
        assert (tmp_path / "other" / name).read_bytes() == (case / name).read_bytes(), name


@pytest.mark.parametrize("stage", ["mapping", "evidence"])
def test_a_stopped_run_shows_no_result_and_goes_on(
    stage: str, case: Path, pair: Path, tmp_path: Path
) -> None:
    out = tmp_path / "case"
    steps = score_case(request(pair, out))
    for event in steps:
        if isinstance(event, StageDone) and event.stage == stage:
            break
    steps.close()
    assert not (out / "report.json").exists()
    assert not is_case(out)
    with pytest.raises(CaseError, match="not finished"):
        read_case(out)
    report, reused = scored(request(pair, out))
    done = STAGES[: STAGES.index(stage) + 1] if stage in STAGES else STAGES
    assert [name for name in STAGES if reused[name]] == done
    assert timeless(report) == timeless(read_case(case).report)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX word")
def test_kill_9_leaves_no_report_and_no_lock(case: Path, pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "case"
    words = [
        "score",
        "--ihc",
        pair / "ihc.ome.tif",
        "--he",
        pair / "he.ome.tif",
        "--out",
        out,
        "--min-cells",
        "20",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "napari_her2", *map(str, words)], stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (out / ".stages" / "tissue_ihc").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not (out / "report.json").exists()
    report, reused = scored(request(pair, out))
    assert reused["tissue_he"]
    assert timeless(report) == timeless(read_case(case).report)


def test_sigterm_ends_with_130_and_can_be_resumed(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "case"
    words = ["score", "--ihc", pair / "ihc.ome.tif", "--he", pair / "he.ome.tif", "--out", out, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "napari_her2", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (out / ".stages" / "case.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(said)["error"]["code"] == 130
    assert errors.strip().count("\n") == 0
    assert not (out / "report.json").exists()


def test_other_wishes_redo_only_what_depends_on_them(case: Path, pair: Path, tmp_path: Path) -> None:
    out = copied(case, tmp_path)
    report, reused = scored(request(pair, out, rule="gastric-resection"))
    assert report.call.rule.name == "gastric-resection"
    assert all(reused[name] for name in STAGES)
    (tmp_path / "l.csv").write_text((pair / "truth_landmarks.csv").read_text())
    _, reused = scored(request(pair, out, landmarks=tmp_path / "l.csv"))
    assert [name for name in STAGES if reused[name]] == ["tissue_he", "tissue_ihc", "tumour", "stain"]


def test_a_failed_run_leaves_no_report(case: Path, pair: Path, tmp_path: Path) -> None:
    out = copied(case, tmp_path)
    roi = tmp_path / "roi.geojson"
    roi.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(CaseError, match="no polygon"):
        drain(score_case(request(pair, out, roi=roi)))
    assert not (out / "report.json").exists()
    assert not (out / "report.html").exists()


def test_a_folder_of_other_slides_is_refused_unless_restarted(case: Path, pair: Path, tmp_path: Path) -> None:
    out = copied(case, tmp_path)
    before = (out / "report.json").read_bytes()
    with pytest.raises(UsageError, match="--restart"):
        drain(score_case(request(pair, out, he=False)))
    assert (out / "report.json").read_bytes() == before, "what was there is untouched"
    report, reused = scored(request(pair, out, he=False, restart=True))
    assert not any(reused.values())
    assert "no_tumour_gate" in report.call.flags
    assert not (out / "mapping.json").exists()
    assert not (out / "rasters" / "mapping_error.zarr").exists()


def test_a_sealed_case_is_scored_anew_on_request_only(case: Path, pair: Path, tmp_path: Path) -> None:
    out = copied(case, tmp_path)
    seal = seal_case(read_case(out), reader="Dr A")
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert scored(request(pair, out))[0] == read_case(case).report, "an equal run is no offence"
    with pytest.raises(CaseError, match=r"sealed by Dr A, .*--restart"):
        drain(score_case(request(pair, out, rule="gastric-biopsy")))
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    drain(score_case(request(pair, out, rule="gastric-biopsy", restart=True)))
    assert not seal_of(CaseFiles(out))
    broken = ReviewLog(out / "review.jsonl").entries[-1]
    assert (broken["act"], broken["before"]) == ("unseal", seal)


def test_a_damaged_manifest_holds_no_seal(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text("{")
    assert seal_of(CaseFiles(tmp_path)) == {}
    assert seal_of(CaseFiles(tmp_path / "nowhere")) == {}


@pytest.mark.parametrize("name", ["mapping.json", "case.json", "report.html"])
def test_files_of_others_are_not_overwritten(name: str, pair: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"of": "others"}')
    with pytest.raises(UsageError, match=f"holds {name}"):
        drain(score_case(request(pair, tmp_path)))
    assert (tmp_path / name).read_text() == '{"of": "others"}'
    assert not (tmp_path / "report.json").exists()


def test_a_case_that_was_handed_on_without_its_stages_is_known(
    case: Path, pair: Path, tmp_path: Path
) -> None:
    out = copied(case, tmp_path)
    shutil.rmtree(out / ".stages")
    assert scored(request(pair, out)) == (read_case(case).report, {})
    with pytest.raises(UsageError, match="--restart"):
        drain(score_case(request(pair, out, he=False)))


def test_two_runs_at_once_are_refused(pair: Path, tmp_path: Path) -> None:
    first = score_case(request(pair, tmp_path / "case"))
    next(first)
    with pytest.raises(OutputError, match="another run"):
        next(score_case(request(pair, tmp_path / "case")))
    first.close()


def test_what_was_entered_for_a_case_stays_with_it(pair: Path, tmp_path: Path) -> None:
    wanted = request(pair, tmp_path / "case", he=False)
    entered = CaseRequest(
        ihc=wanted.ihc,
        out=wanted.out,
        options=wanted.options,
        preferences=Wishes(rule="paper-max"),
        recipe=Wishes(rule="gastric-resection", specimen={"antibody_clone": "4B5"}),
    )
    first, _ = scored(entered)
    again, _ = scored(
        CaseRequest(ihc=wanted.ihc, out=wanted.out, options=wanted.options, preferences=Wishes())
    )
    assert first == again
    assert again.specimen.antibody_clone == "4B5"
    assert again.provenance.settings["rule"] == {"value": "gastric-resection", "source": "case"}


def test_an_area_of_a_person_confirms_the_tumour(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "roi.geojson").write_text(
        '{"type": "Polygon", "coordinates": [[[200,200], [1000,200], [1000,1100], [200,1100], [200,200]]]}'
    )
    report, _ = scored(request(pair, tmp_path / "case", roi=tmp_path / "roi.geojson"))
    assert "tumour_unconfirmed" not in report.call.flags
    assert not report.provisional
    assert report.cells.excluded["outside_roi"] > 0
    assert "unsure_gate" not in report.cells.excluded
    cells = read_case(tmp_path / "case").cells()
    kept = cells.select(cells.evaluable)
    assert ((kept.col_px > 200) & (kept.col_px < 1000) & (kept.row_px > 200) & (kept.row_px < 1100)).all()
    assert report.provenance.settings["roi"] == {"value": "roi.geojson", "source": "option"}
