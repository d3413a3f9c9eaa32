"""The transformer engine, with models whose answer is known: what decides, what is said, what is redone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.pipeline.steadfast import steadfast, with_reference
from tests.pipeline.test_pipeline_case import request as request_of
from tests.pipeline.test_pipeline_case import scored

from napari_her2.case import Report, read_case
from napari_her2.errors import ModelError, SlideError, UsageError
from napari_her2.events import drain
from napari_her2.pipeline import CaseRequest, score_case

if TYPE_CHECKING:
    from pathlib import Path

ASKED = ("tumour", "patch_scores", "segmentation")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """C says tumour everywhere, L says 3+, M says 2+."""
    folder = tmp_path_factory.mktemp("models")
    paths = {
        "tumour_model": with_reference(steadfast(folder / "c", "classify", 1), familiar=True),
        "stain_model": with_reference(steadfast(folder / "l", "ordinal", 3), familiar=True),
        "segment_model": steadfast(folder / "m", "segment", 3),
    }
    return {name: str(path) for name, path in paths.items()}


def request(pair: Path, out: Path, **options: Any) -> CaseRequest:
    return request_of(pair, out, **{"device": "cpu"} | options)


@pytest.fixture(scope="module")
def classical(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return drain(score_case(request(pair, tmp_path_factory.mktemp("classical") / "case")))


@pytest.fixture(scope="module")
def case(pair: Path, models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("transformer") / "case"
    drain(score_case(request(pair, out, engine="transformer", **models)))
    return out


def test_every_scorer_says_its_own_and_cells_make_the_call(case: Path, classical: Report) -> None:
    report = read_case(case).report
    assert report.call.score == "2+", "the guideline on cells"
    assert report.call.rule == classical.call.rule
    assert report.paper is not None
    assert report.paper.score == "3+", "the paper's rule on the patches of L"
    assert report.patches.ihc.by_score == {"0": 0, "1+": 0, "2+": 0, "3+": report.patches.ihc.n}
    assert report.patches.ihc.n > 3
    assert report.coverage == {"3+": 0, "2+": 100, "1+": 0, "0": 0}, "the pixels of M"
    pairs = report.agreement
    assert pairs["cells-pixels"].scores == {"cells": "2+", "pixels": "2+"}
    assert pairs["cells-patches"].scores == {"cells": "2+", "patches": "3+"}
    assert pairs["patches-pixels"].fraction_agreeing == 0
    assert report.call.agreement.state == "disagree", "L says another score"
    assert [one.score for one in report.call.agreement.scorers] == ["2+", "3+", "2+"]
    assert "scorers_disagree" in report.call.flags
    assert classical.agreement == {}
    assert classical.call.agreement.state == "not_checked"
    assert classical.models == ()


def test_agreement_with_pixels_is_the_share_of_cells_of_their_class(case: Path) -> None:
    report = read_case(case).report
    found = report.agreement["cells-pixels"].fraction_agreeing
    assert found is not None
    share = report.percent["2+"] + report.percent["unusual"]
    assert 100 * found == pytest.approx(share, abs=6), "M says 2+ everywhere"


def test_the_report_names_its_models(case: Path) -> None:
    report = read_case(case).report
    assert [model.name for model in report.models] == ["steady-tumour", "steady-stain", "steady-segment"]
    assert all(model.sha256 and model.licence and model.trained_on for model in report.models)
    settings = report.provenance.settings
    assert settings["engine"] == {"value": "transformer", "source": "option"}
    assert settings["tumour_model"] == {"value": "steady-tumour", "source": "option"}
    assert "torch" in report.provenance.versions
    for name in ("report.json", "run.json", "case.json", "report.html"):
        assert str(case.parent.parent) not in (case / name).read_text(), "no folder of the user"
    run = json.loads((case / "run.json").read_text())
    assert run["models"]["tumour_model"]["share_unlike_training"] == 0
    assert run["models"]["segment_model"]["share_unlike_training"] is None


def test_the_page_shows_models_and_scorers(case: Path) -> None:
    page = (case / "report.html").read_text()
    for words in (
        "steady-tumour",
        "steady-segment",
        "nothing: random weights",
        "Cells and pixels",
        "HER2 pixels",
    ):
        assert words in page


def test_rasters_lie_where_they_should(case: Path, pair: Path) -> None:
    import zarr
    from ome_zarr_models.v05 import ImageLabel

    from napari_her2.slides import open_slide

    bundle = read_case(case)
    tumour, segmentation = bundle.raster("tumour"), bundle.raster("segmentation")
    assert tumour is not None
    assert tumour.metadata["napari-her2"]["method"] == "steady-tumour"
    probability = np.asarray(tumour.levels[0])
    assert set(np.unique(probability.round(4))) <= {0, 1}
    assert segmentation is not None
    ImageLabel.from_zarr(zarr.open_group(case / "rasters" / "segmentation.zarr", mode="r"))
    with open_slide(pair / "ihc.ome.tif") as slide:
        size_um = np.array(slide.shape) * slide.um_per_px
    assert (np.array(segmentation.shape) * segmentation.um_per_px >= size_um - 1e-6).all()
    labels = np.asarray(segmentation.levels[0])
    assert set(np.unique(labels)) == {0, 3, 255}
    report = bundle.report
    assert report.qc.tissue_mm2 > 0
    inside_mm2 = (labels == 3).sum() * segmentation.um_per_px**2 / 1e6
    assert 0.2 * report.qc.tissue_mm2 < inside_mm2 <= report.qc.tissue_mm2


def test_changing_the_engine_redoes_only_what_depends_on_it(
    case: Path, pair: Path, models: dict[str, str], tmp_path: Path, classical: Report
) -> None:
    import shutil

    out = shutil.copytree(case, tmp_path / "case")
    wanted = request(pair, out, engine="transformer", **models)
    assert drain(score_case(wanted)) == read_case(case).report, "an equal run is returned"
    back, reused = scored(request(pair, out))
    assert [name for name in ("tissue_he", "tissue_ihc", "mapping", "stain") if reused[name]] == [
        "tissue_he", "tissue_ihc", "mapping", "stain",
    ]  # fmt: skip
    assert not reused["tumour"]
    assert not set(ASKED[1:]) & set(reused)
    assert back.call == classical.call
    assert back.coverage == classical.coverage
    assert not (out / "rasters" / "segmentation.zarr").exists()
    other = str(steadfast(tmp_path / "m", "segment", 4, name="other-segment"))
    again, _ = scored(request(pair, out, engine="transformer", **models))
    report, reused = scored(request(pair, out, engine="transformer", **{**models, "segment_model": other}))
    assert reused["tumour"]
    assert reused["patch_scores"]
    assert not reused["segmentation"]
    assert report.coverage["3+"] == 100
    assert report.call.score == again.call.score == "2+"


def test_a_model_that_sees_no_tumour_leaves_nothing_to_score(
    pair: Path, models: dict[str, str], tmp_path: Path
) -> None:
    blind = str(with_reference(steadfast(tmp_path / "c", "classify", 0), familiar=True))
    wanted = request(pair, tmp_path / "case", engine="transformer", **{**models, "tumour_model": blind})
    report = drain(score_case(wanted))
    assert report.call.score is None
    assert report.cells.evaluable == 0
    assert report.patches.ihc.n == 0
    assert report.agreement["cells-pixels"].fraction_agreeing is None


@pytest.mark.parametrize("familiar", [False, None])
def test_outside_its_training_data_a_model_does_not_gate_silently(
    familiar: bool | None, pair: Path, models: dict[str, str], tmp_path: Path
) -> None:
    path = steadfast(tmp_path / "c", "classify", 1, name="gate")
    if familiar is not None:
        with_reference(path, familiar=familiar)
    wanted = request(pair, tmp_path / "case", engine="transformer", **{**models, "tumour_model": str(path)})
    report = drain(score_case(wanted))
    assert "needs_review" in report.call.flags
    assert ("out_of_distribution" in report.call.flags) == (familiar is False)
    assert "trained on" in report.call.reason
    assert report.call.score == "2+"


def test_familiar_patches_raise_no_alarm(case: Path) -> None:
    report = read_case(case).report
    assert not {"needs_review", "out_of_distribution"} & set(report.call.flags)


def test_ducts_are_left_out_though_the_model_takes_them_for_tumour(
    models: dict[str, str], tmp_path: Path
) -> None:
    """From inside a duct a patch looks invasive: here C calls all tissue tumour."""
    from tests.pipeline.phantoms import render

    pair = render(tmp_path / "ducts", seed=902, score="1+", in_situ=0.25, size_um=(550.0, 500.0))
    report = drain(score_case(request(pair, tmp_path / "case", engine="transformer", **models)))
    truth = json.loads((pair / "truth.json").read_text())
    assert report.cells.excluded["in_situ"] > 50
    assert report.call.score == truth["score"] == "1+"


def test_the_edge_of_the_area_is_looked_at_and_told_and_does_not_count(
    pair: Path, models: dict[str, str], tmp_path: Path
) -> None:
    """A person's area on a part of the H&E: L and M see it and its margin of error, and no more."""
    from napari_her2.slides import open_slide

    with open_slide(pair / "he.ome.tif") as slide:
        (rows, cols), drawn = slide.shape, tmp_path / "area.geojson"
    ring = [[0, 0], [cols / 2, 0], [cols / 2, rows], [0, rows], [0, 0]]
    area = {
        "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"slide": "he", "classification": {"name": "Tumor"}},
    }  # fmt: skip
    drawn.write_text(json.dumps({"type": "FeatureCollection", "features": [area]}))
    wanted = request(pair, tmp_path / "case", engine="transformer", roi=drawn, **models)
    report = drain(score_case(wanted))
    band, bundle = report.unsure_band, read_case(tmp_path / "case")
    assert band is not None
    cells, raster = bundle.cells(), bundle.raster("segmentation")
    assert raster is not None
    labels, mm2 = np.asarray(raster.levels[0]), raster.um_per_px**2 / 1e6
    assert (
        0
        < sum(band.cells.values())
        == report.cells.excluded["unsure_gate"] - ((cells.excluded == 1) & ~cells.in_tumour).sum()
    )
    assert {name for name, found in band.pixels_mm2.items() if found} == {"2+"}
    assert 0 < band.pixels_mm2["2+"] <= (labels == 255).sum() * mm2, "marked as what does not count"
    counted = json.loads((tmp_path / "case" / "run.json").read_text())["models"]["segment_model"]["patches"]
    whole = request(pair, tmp_path / "whole", he=False, engine="transformer", **models)
    drain(score_case(whole))
    everything = json.loads((tmp_path / "whole" / "run.json").read_text())["models"]
    assert 0 < counted < 0.8 * everything["segment_model"]["patches"]
    assert "unsure and not counted" in (tmp_path / "case" / "report.html").read_text()


@pytest.mark.parametrize(("spare", "threads"), [(0, 8), (1, 7)])
def test_a_window_is_left_a_core(
    spare: int,
    threads: int,
    pair: Path,
    models: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os

    from napari_her2.inference import PlanWishes
    from napari_her2.pipeline.asking import prepare
    from napari_her2.pipeline.run import open_run

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    wanted = request(pair, tmp_path / "case", engine="transformer", **models)
    with open_run(replace(wanted, spare_cores=spare)) as run:
        asking = prepare(run, "stain_model", PlanWishes(), cells=np.empty((0, 2), np.int64))
        assert asking.plan.threads == run.own_threads == threads


def test_ihc_alone_needs_no_tumour_model(pair: Path, models: dict[str, str], tmp_path: Path) -> None:
    two = {name: path for name, path in models.items() if name != "tumour_model"}
    report = drain(score_case(request(pair, tmp_path / "case", he=False, engine="transformer", **two)))
    assert [model.name for model in report.models] == ["steady-stain", "steady-segment"]
    assert "no_tumour_gate" in report.call.flags
    assert report.agreement["cells-pixels"].scores["pixels"] == "2+"


def test_the_papers_rule_counts_the_patches_of_the_model(
    pair: Path, models: dict[str, str], tmp_path: Path
) -> None:
    wanted = request(pair, tmp_path / "case", engine="transformer", rule="paper-max", **models)
    report = drain(score_case(wanted))
    assert report.call.score == "3+"
    assert report.agreement["cells-patches"].scores == {"cells": "2+", "patches": "3+"}


@pytest.mark.parametrize(
    ("setting", "task", "changes", "error", "says"),
    [
        ("tumour_model", "classify", {"um_per_px": 0.1}, SlideError, "too coarse"),
        ("segment_model", "segment", {"um_per_px": 0.1}, SlideError, "too coarse"),
        ("tumour_model", "ordinal", {}, ModelError, "IHC slides"),
        ("stain_model", "segment", {}, ModelError, "task is segment"),
        ("tumour_model", "classify", {"classes": ["cat", "dog"]}, ModelError, "called tumour"),
        ("segment_model", "segment", {"classes": ["none", "0", "1+", "2+", "3+"]}, ModelError, "classes"),
    ],
)
def test_what_cannot_serve_is_told_before_anything_runs(
    setting: str,
    task: str,
    changes: dict[str, Any],
    error: type[Exception],
    says: str,
    pair: Path,
    models: dict[str, str],
    tmp_path: Path,
) -> None:
    path = str(steadfast(tmp_path / "model", task, 0, **changes))
    out = tmp_path / "case"
    wanted = request(pair, out, engine="transformer", **{**models, setting: path})
    with pytest.raises(error, match=says):
        next(score_case(wanted))
    assert not out.exists()


def test_a_model_without_the_engine_is_no_use(pair: Path, models: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--engine transformer"):
        next(score_case(request(pair, tmp_path / "case", stain_model=models["stain_model"])))


def test_a_missing_device_is_told_before_anything_runs(
    pair: Path, models: dict[str, str], tmp_path: Path
) -> None:
    wanted = request(pair, tmp_path / "case", engine="transformer", **models, device="cuda:99")
    with pytest.raises(UsageError, match="cuda:99"):
        next(score_case(wanted))
    assert not (tmp_path / "case" / "report.json").exists()
