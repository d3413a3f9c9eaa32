"""Who confirms a call: the rule on plain scores, the sample it rests on, and a run with known models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.pipeline.steadfast import steadfast
from tests.pipeline.test_pipeline_case import request as request_of

from napari_her2.case import read_case
from napari_her2.case.report import CallAgreement
from napari_her2.errors import SlideError, UsageError
from napari_her2.events import drain
from napari_her2.pipeline import agreement_with, choosing, score_case
from napari_her2.pipeline.agreeing import Opinion, agreement_of, opinion_of, percent_rule
from napari_her2.pipeline.sampling import draw, kinds_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.vocabulary import Score


def says(name: str, score: str | None) -> Opinion:
    return Opinion(name=name, score=score)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "patches", "pixels", "state"),
    [
        ("2+", "2+", "2+", "agree"),
        ("2+", "3+", "2+", "disagree"),
        ("2+", "1+", "2+", "disagree"),
        ("2+", None, "2+", "disagree"),
        ("2+", "2+", None, "disagree"),
        ("2+", "2+", "3+", "agree"),
        ("1+", "1+", "3+", "disagree"),
        ("1+", "1+", "2+", "disagree"),
        ("2+", "2+", "1+", "agree"),
        ("0", "0", "1+", "agree"),
        (None, "3+", None, "disagree"),
        (None, None, None, "not_checked"),
    ],
)
def test_patches_must_say_the_same_and_pixels_nearly(
    cells: str | None, patches: str | None, pixels: str | None, state: str
) -> None:
    found = agreement_of(says("cells", cells), [says("patches", patches), says("pixels", pixels)])
    assert found.state == state
    assert bool(found.reason) == (state != "agree")
    assert [one.name for one in found.scorers] == ["cells", "patches", "pixels"]


def test_where_nobody_looked_the_reason_is_told() -> None:
    found = agreement_of(says("cells", "2+"), [], "torch is not installed.")
    assert (found.state, found.reason) == ("not_checked", "torch is not installed.")


@pytest.mark.parametrize(
    ("shares", "score", "share"),
    [
        ({"0": 0.88, "3+": 0.12}, "3+", 0.12),
        ({"0": 0.88, "2+": 0.07, "3+": 0.05}, "2+", 0.12),
        ({"0": 0.95, "1+": 0.05}, "0", 0.05),
        ({"1+": 1.0}, "1+", 1.0),
    ],
)
def test_a_share_is_of_the_score_or_stronger(shares: dict[Score, float], score: str, share: float) -> None:
    found = opinion_of("patches", shares, 50, percent_rule("asco-cap-breast-2023"))
    assert (found.score, found.share) == (score, share)
    assert found.interval is not None
    assert found.interval[0] < share <= found.interval[1]


@pytest.mark.parametrize("rule", ["gastric-biopsy", "gastric-resection", "asco-cap-breast-2023", "paper-max"])
def test_one_strong_patch_of_many_is_no_three_plus(rule: str) -> None:
    assert opinion_of("patches", {"0": 0.98, "3+": 0.02}, 50, percent_rule(rule)).score != "3+"


def test_who_judged_nothing_has_no_answer() -> None:
    nothing: dict[Score, float] = {"0": 0.0, "3+": 0.0}
    assert opinion_of("pixels", nothing, 0, percent_rule("paper-max")).score is None


def test_after_a_persons_verdicts_the_others_are_asked_about_the_new_score() -> None:
    before = CallAgreement.model_validate(
        {"state": "agree", "scorers": [{"name": "cells", "score": "2+"}, {"name": "patches", "score": "2+"}]}
    )
    assert agreement_with(before, "2+").state == "agree"
    assert agreement_with(before, "3+").state == "disagree"
    assert agreement_with(CallAgreement(), "3+").state == "not_checked"


def test_a_sample_holds_every_kind_and_stands_for_all() -> None:
    rng = np.random.default_rng(1)
    dab, kind = rng.uniform(0, 0.04, 4000), np.zeros(4000, np.int64)
    dab[:5], kind[:5] = 0.9, -1
    kinds = kinds_of(dab, kind)
    drawn = draw(kinds, 100)
    assert np.array_equal(drawn.index, draw(kinds, 100).index), "seeded"
    assert len(drawn.index) <= 105
    assert (drawn.index < 5).sum() == 2, "the small strong part is seen"
    assert drawn.weight.sum() == pytest.approx(4000)
    assert (drawn.weight * (dab[drawn.index] > 0.5)).sum() == pytest.approx(5), "and weighs what it is"
    assert 0 < drawn.number <= len(drawn.index)
    assert np.array_equal(draw(kinds[:50], 100).index, np.arange(50)), "all of a small picture"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("models")
    return {
        "stain_model": str(steadfast(folder / "l", "ordinal", 3)),
        "segment_model": str(steadfast(folder / "m", "segment", 3)),
    }


def request(pair: Path, out: Path, **options: Any) -> Any:
    return request_of(pair, out, he=False, **{"engine": "auto", "device": "cpu"} | options)


def test_l_and_m_look_beside_the_cells_by_default(pair: Path, models: dict[str, str], tmp_path: Path) -> None:
    report = drain(score_case(request(pair, tmp_path / "case", engine=None, **models)))
    assert report.call.score == "2+", "the cells make the call"
    assert report.call.agreement.state == "disagree"
    cells, patches, pixels = report.call.agreement.scorers
    assert (cells.score, patches.score, pixels.score) == ("2+", "3+", "2+")
    assert patches.share == 1
    assert patches.places
    assert "say 3+" in report.call.agreement.reason
    assert "scorers_disagree" in report.call.flags
    assert report.agreement == {}, "nobody judged the whole area"
    assert sum(report.patches.ihc.by_score.values()) > report.patches.ihc.by_score["3+"], "of cells"
    assert not (tmp_path / "case" / "rasters" / "segmentation.zarr").exists()
    assert [model.name for model in report.models] == ["steady-stain", "steady-segment"]
    assert drain(score_case(request(pair, tmp_path / "case", engine=None, **models))) == report
    page = (tmp_path / "case" / "report.html").read_text()
    assert "A second scorer does not confirm the call." in page


def test_the_packages_own_models_look(pair: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    report = drain(score_case(request(pair, tmp_path / "case")))
    assert report.call.agreement.state in ("agree", "disagree")
    assert [one.name for one in report.call.agreement.scorers] == ["cells", "patches", "pixels"]
    assert all(one.interval is not None for one in report.call.agreement.scorers if one.score)


def test_without_torch_nobody_checks_and_nothing_fails(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    report = drain(score_case(request(pair, tmp_path / "case")))
    assert report.call.score == "2+"
    assert report.call.agreement.state == "not_checked"
    assert "torch" in report.call.agreement.reason
    assert report.models == ()


@pytest.mark.parametrize("options", [{"engine": "classical"}, {"rule": "paper-max"}])
def test_some_are_not_checked(options: dict[str, str], pair: Path, tmp_path: Path) -> None:
    report = drain(score_case(request(pair, tmp_path / "case", **options)))
    assert report.call.agreement.state == "not_checked"
    assert report.call.agreement.reason
    assert "scorers_disagree" not in read_case(tmp_path / "case").report.call.flags


def test_a_named_model_that_cannot_serve_is_told(pair: Path, tmp_path: Path) -> None:
    coarse = str(steadfast(tmp_path / "m", "segment", 0, um_per_px=0.1))
    with pytest.raises(SlideError, match="too coarse"):
        next(score_case(request(pair, tmp_path / "case", segment_model=coarse)))


def test_the_tumour_model_needs_the_transformer_engine(pair: Path, tmp_path: Path) -> None:
    c = str(steadfast(tmp_path / "c", "classify", 1))
    with pytest.raises(UsageError, match="--engine transformer"):
        next(score_case(request(pair, tmp_path / "case", tumour_model=c)))
