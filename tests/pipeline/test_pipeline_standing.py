"""Calls that people vouched for stay when an engine of another version would answer, until they ask."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.case.example import report_dict

from napari_her2.case import CaseFiles, Report, read_case, seal_case, seal_of
from napari_her2.errors import CaseError
from napari_her2.events import Notice, drain
from napari_her2.pipeline import CaseRequest, Wishes, score_case, standing
from napari_her2.pipeline.corrections import Corrections
from napari_her2.pipeline.engine import ENGINE_VERSION
from napari_her2.pipeline.plan import Plan, Setting, SlideFacts

if TYPE_CHECKING:
    from pathlib import Path

READER = {"score": "2+", "her2_status": "equivocal", "reader": "Dr A", "time": "2026-11-22T10:00:00+00:00",
          "blind": False, "reason": ""}  # fmt: skip


def of_first_engine(out: Path, *, signed: bool) -> dict[str, Any]:
    """Make a finished case what 0.1.0 left; return its report."""
    files = CaseFiles(out)
    plain = json.loads(files.report.read_text())
    del plain["stress"], plain["call"]["agreement"]
    for name in ("unread_stain", "white", "pixel_size"):
        del plain["qc"][name]
    del plain["provenance"]["versions"]["engine"]
    plain["schema"] = "napari-her2/report/1"
    if signed:
        plain["reader"], plain["final"] = READER, {name: READER[name] for name in ("score", "her2_status")}
    files.report.write_text(json.dumps(plain))
    run = json.loads(files.run.read_text())
    files.run.write_text(json.dumps({**run, "key": "of the first engine"}))
    return plain


@pytest.fixture
def finished(pair: Path, tmp_path: Path) -> Path:
    out = tmp_path / "case"
    drain(score_case(wanted(pair, out)))
    return out


def wanted(pair: Path, out: Path, **options: Any) -> CaseRequest:
    restart = options.pop("restart", False)
    return CaseRequest(
        ihc=pair / "ihc.ome.tif",
        out=out,
        options=Wishes(**{"min_cells": 20, "engine": "classical", **options}),
        preferences=Wishes(),
        restart=restart,
    )


def answered(request: CaseRequest) -> tuple[Report, list[str]]:
    steps, notices = score_case(request), []
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            return stop.value, notices
        if isinstance(event, Notice):
            notices.append(event.text)


def test_a_sealed_call_of_the_first_engine_stays_until_a_person_scores_again(
    finished: Path, pair: Path
) -> None:
    before = of_first_engine(finished, signed=False)
    seal_case(read_case(finished), reader="Dr A")
    bytes_before = (finished / "report.json").read_bytes()
    report, notices = answered(wanted(pair, finished))
    assert report.call.score == before["call"]["score"]
    assert report.call.agreement.state == "not_checked"
    assert "earlier engine" in notices[0]
    assert "--restart" in notices[0]
    assert (finished / "report.json").read_bytes() == bytes_before
    with pytest.raises(CaseError, match="sealed by Dr A"):
        drain(score_case(wanted(pair, finished, rule="gastric-biopsy")))
    again, _ = answered(wanted(pair, finished, restart=True))
    assert again.provenance.versions["engine"] == str(ENGINE_VERSION)
    assert not seal_of(CaseFiles(finished))


def test_what_nobody_vouched_for_is_scored_again(finished: Path, pair: Path) -> None:
    of_first_engine(finished, signed=False)
    report, notices = answered(wanted(pair, finished))
    assert report.provenance.versions["engine"] == str(ENGINE_VERSION)
    assert not any("earlier engine" in words for words in notices)


PLAN = Plan(
    ihc=SlideFacts("ihc.ome.tif", "1" * 64, 0.25),
    he=SlideFacts("he.ome.tif", "0" * 64, 0.25),
    settings={"rule": Setting("asco-cap-breast-2023", "default"), "engine": Setting("classical", "default")},
)


def standing_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plan: Plan, *entries: dict[str, Any], **report: Any
) -> bool:
    bundle = SimpleNamespace(report=Report.model_validate(report_dict(**report)))
    monkeypatch.setattr(standing, "read_case", lambda folder: bundle)
    said = Corrections(entries=entries)
    return standing.standing_report(CaseFiles(tmp_path), plan, said) is not None


def edited(**changes: Any) -> Plan:
    return replace(PLAN, **changes)


WISHED = {"rule": Setting("gastric-biopsy", "option")}
SAME = {"rule": Setting("asco-cap-breast-2023", "option")}
LATER, EARLIER = "2026-11-23T00:00:00+00:00", "2026-11-21T00:00:00+00:00"


@pytest.mark.parametrize(
    ("plan", "entries", "reader", "stands"),
    [
        pytest.param(PLAN, (), READER, True, id="signed, another engine"),
        pytest.param(PLAN, (), None, False, id="nobody vouched"),
        pytest.param(edited(settings=WISHED), (), READER, False, id="another rule is wished for"),
        pytest.param(edited(settings=SAME), (), READER, True, id="the same rule is wished for"),
        pytest.param(edited(he=None), (), READER, False, id="other slides"),
        pytest.param(PLAN, ({"act": "mask", "time": LATER},), READER, False, id="corrected since"),
        pytest.param(PLAN, ({"act": "mask", "time": EARLIER},), READER, True, id="corrected before"),
        pytest.param(PLAN, ({"act": "sign", "time": LATER},), READER, True, id="looked at since"),
    ],
)
def test_what_makes_a_call_stand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plan: Plan, entries: Any, reader: Any, stands: bool
) -> None:
    assert standing_for(monkeypatch, tmp_path, plan, *entries, reader=reader) is stands


def test_a_call_of_this_engine_needs_no_standing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = {**report_dict()["provenance"], "versions": {"engine": str(ENGINE_VERSION)}}
    assert not standing_for(monkeypatch, tmp_path, PLAN, reader=READER, provenance=made)
