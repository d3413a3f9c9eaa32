"""A cohort on two real worker processes: bad slides are rows, a killed worker loses nothing."""

from __future__ import annotations

import csv
import json

import psutil
import pytest

from napari_her2.cohort import CohortRequest, Crew, run_cohort
from napari_her2.errors import UsageError
from napari_her2.events import Notice, Progress, StageDone, drain
from napari_her2.phantom import PhantomSpec, render_phantom
from napari_her2.pipeline import Wishes

FILES = ("report.json", "cells.parquet")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Return a manifest of three cases that can be scored and two that cannot."""
    folder = tmp_path_factory.mktemp("slides")
    drain(render_phantom(PhantomSpec(seed=1, score="3+", size_um=(200.0, 200.0)), folder / "p"))
    (folder / "broken.svs").write_bytes(b"no slide at all")
    lines = ["case,he,ihc,reference_score,site"]
    lines += [f"good{number},,p/ihc.ome.tif,3+,North" for number in (1, 2, 3)]
    lines += ["broken,,broken.svs,3+,North", "missing,,elsewhere.svs,2+,South"]
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def workers():
    """Return the processes of a local cluster's workers."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def answers(out):
    """Return what was found, without what differs between two runs."""
    found = {}
    for report in sorted(out.glob("good*/report.json")):
        plain = json.loads(report.read_text("utf-8"))
        plain["provenance"].pop("started")
        plain["provenance"].pop("seconds")
        found[report.parent.name] = plain
    return found


@pytest.mark.timeout(600)
def test_a_killed_worker_loses_nothing_and_a_restart_goes_on(manifest, tmp_path):
    request = CohortRequest(
        manifest=manifest,
        out=tmp_path / "out",
        options=Wishes(engine="classical", min_cells=20),
        crew=Crew(workers=2),
    )
    steps, events, killed = run_cohort(request), [], 0
    while True:
        try:
            events.append(next(steps))
        except StopIteration as stop:
            summary = stop.value
            break
        if isinstance(events[-1], Progress) and events[-1].done == 1:
            for child in workers():
                child.kill()
                killed += 1
    assert killed == 2
    assert [row.case for row in summary.rows] == ["good1", "good2", "good3", "broken", "missing"]
    assert summary.states == {"done": 3, "not_scorable": 0, "failed": 2, "open": 0}, summary.rows
    assert summary.scores["3+"] == 3
    assert summary.agreement[0].equal == 3
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sorted(text.split(":")[0] for text in told) == ["broken", "missing"]
    assert events[-1].stage == "cohort"
    assert isinstance(events[-1], StageDone)
    assert "broken.svs" in summary.rows[3].reason
    assert str(tmp_path) not in "".join(row.reason for row in summary.rows)
    table = list(csv.DictReader((request.out / "cohort.csv").read_text("utf-8").splitlines()))
    assert [row["state"] for row in table] == ["done"] * 3 + ["failed"] * 2
    assert (request.out / "cohort.html").is_file()

    before = answers(request.out)
    (request.out / "good2" / "report.json").unlink()
    again = drain(run_cohort(request))
    assert [row.reused for row in again.rows[:3]] == [True, False, True]
    assert answers(request.out) == before


def test_a_scheduler_that_does_not_answer_is_told(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_her2.cohort.crew._PATIENCE", "1s")
    request = CohortRequest(manifest=manifest, out=tmp_path / "out", crew=Crew("tcp://127.0.0.1:9"))
    with pytest.raises(UsageError, match="no Dask scheduler answers"):
        drain(run_cohort(request))


def test_a_case_may_not_take_the_summarys_place(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("case,he,ihc\ncohort.csv,,b.svs\n")
    with pytest.raises(UsageError, match="rename it"):
        drain(run_cohort(CohortRequest(manifest=path, out=tmp_path / "out")))
