"""The call after a person's verdicts on cells, and that a new run leaves the work of people alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.case import CaseFiles, read_case
from napari_her2.events import drain
from napari_her2.pipeline import CaseRequest, Wishes, recount, score_case
from napari_her2.pipeline.run import _keep_work_of_people
from napari_her2.review import ReviewLog, cell_entry
from napari_her2.store import write_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def case(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recount") / "case"
    options = Wishes(engine="classical", min_cells=20)
    drain(score_case(CaseRequest(ihc=pair / "ihc.ome.tif", out=out, options=options, preferences=Wishes())))
    return out


def test_without_verdicts_it_is_the_report_s_call(case: Path) -> None:
    bundle = read_case(case)
    found = recount(bundle)
    call, report = found.call, bundle.report
    assert (found.changed, found.lost) == (0, 0)
    assert (call.score, call.category, call.her2_status) == (
        report.call.score, report.call.category, report.her2_status,
    )  # fmt: skip
    assert call.reason == report.call.reason
    assert call.flags == report.call.flags
    assert found.summary.percent == pytest.approx(report.percent, abs=1e-4)


def test_verdicts_change_the_call_and_never_the_case(case: Path) -> None:
    bundle = read_case(case)
    before = (case / "cells.parquet").read_bytes(), (case / "report.json").read_bytes()
    cells = bundle.cells()
    counted = cells.select(cells.evaluable)
    log = ReviewLog(case / "review.jsonl", "A. Reader")
    log.append(cell_entry(counted.points_px, "3+", ["2+"] * len(counted)))
    found = recount(bundle)
    assert found.call.score == "3+"
    assert found.summary.percent["3+"] == 100
    assert found.changed == int((counted.class_code != 3).sum())
    log.append(cell_entry(counted.points_px, "exclude", ["3+"] * len(counted)))
    empty = recount(bundle)
    assert empty.call.score is None
    assert empty.call.category == "not_scorable"
    log.append(cell_entry(np.array([(-500.0, -500.0)]), "exclude", ["0"]))
    assert recount(bundle).lost == 1
    assert before == ((case / "cells.parquet").read_bytes(), (case / "report.json").read_bytes())


@pytest.mark.parametrize(("ihc", "stays"), [("a" * 64, True), ("b" * 64, False)])
def test_a_new_run_deletes_nothing_that_people_did(tmp_path: Path, ihc: str, stays: bool) -> None:
    files = CaseFiles(tmp_path / "case")
    write_json(files.stages / "case.json", {"slides": {"ihc": "a" * 64}, "settings": {}})
    (files.stages / "cells").mkdir()
    (files.edits / "ihc_her2").mkdir(parents=True)
    ReviewLog(files.review).append({"act": "cells"})
    said = files.review.read_bytes()
    _keep_work_of_people(files, ihc)
    aside = files.folder / "review.jsonl.old-1"
    assert files.review.exists() == files.edits.exists() == stays
    assert (files.review if stays else aside).read_bytes() == said
    if not stays:
        assert (files.folder / "edits.old-1" / "ihc_her2").is_dir()
