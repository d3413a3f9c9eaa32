"""The story of a cohort: manifest in, a case's folder and a summary row each out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from napari_her2.cohort.crew import Crew
from napari_her2.cohort.manifest import read_manifest
from napari_her2.cohort.summary import CohortSummary
from napari_her2.cohort.work import Job
from napari_her2.errors import OutputError
from napari_her2.events import Notice, Progress, StageDone
from napari_her2.pipeline import CaseRequest, Wishes, read_preferences
from napari_her2.store import writable_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_her2.cohort.manifest import CohortCase
    from napari_her2.cohort.rows import CohortRow
    from napari_her2.events import Steps

__all__ = ["CohortRequest", "run_cohort"]

STAGE: Final = "cohort"
_WRITE_EVERY_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRequest:
    """A cohort to score.

    Attributes
    ----------
    manifest : Path
    out : Path
        Each case gets a folder of its name in it; the summary lies beside them.
    options : Wishes
        Said for all cases of this run; they go before what the manifest says.
    crew : Crew
    restart : bool
        Forget what the cases' folders hold.
    """

    manifest: Path
    out: Path
    options: Wishes = field(default_factory=Wishes)
    crew: Crew = field(default_factory=Crew)
    restart: bool = False


def run_cohort(request: CohortRequest) -> Steps[CohortSummary]:
    """Score all cases of a manifest.

    What is finished is taken up as it is, so that the same command goes on after any interruption.
    The summary is written while the work goes on and at its end.

    Raises
    ------
    Her2Error
        If the manifest, the folder or the cluster cannot be used. A case that cannot is a row.
    """
    began = time.perf_counter()
    cases = read_manifest(request.manifest)
    out = writable_folder(request.out).absolute()
    _check_apart(request.manifest, out, cases)
    jobs = _jobs(request, out, cases)
    yield Progress(STAGE, 0, len(jobs), "cases")
    rows: list[CohortRow] = []
    written = began
    for row in request.crew.rows(jobs):
        rows.append(row)
        if row.state == "failed":
            yield Notice(f"{row.case}: {row.reason}")
        yield Progress(STAGE, len(rows), len(jobs), "cases")
        if time.perf_counter() - written > _WRITE_EVERY_S:
            written = time.perf_counter()
            _summed(cases, rows, written - began).write(out)
    summary = _summed(cases, rows, time.perf_counter() - began)
    summary.write(out)
    yield StageDone(STAGE, summary.seconds)
    return summary


def _jobs(request: CohortRequest, out: Path, cases: Sequence[CohortCase]) -> list[Job]:
    preferences = read_preferences()
    return [
        Job(
            case,
            CaseRequest(
                ihc=case.ihc,
                he=case.he,
                out=out / case.name,
                options=request.options,
                recipe=case.wishes,
                preferences=preferences,
                restart=request.restart,
            ),
        )
        for case in cases
    ]


def _check_apart(manifest: Path, out: Path, cases: Sequence[CohortCase]) -> None:
    """Refuse names of cases that the summary's own files have."""
    from napari_her2.cohort.summary import FILES

    taken = next((case.name for case in cases if case.name.casefold() in FILES), None)
    if taken is not None:
        raise OutputError(
            f"{manifest.name} has a case named {taken}, as a file of the summary in {out.name}: rename it"
        )


def _summed(cases: Sequence[CohortCase], rows: Sequence[CohortRow], seconds: float) -> CohortSummary:
    """Return the rows in the manifest's order, whatever the order they came in."""
    place = {case.name: number for number, case in enumerate(cases)}
    ordered = tuple(sorted(rows, key=lambda row: place[row.case]))
    return CohortSummary(rows=ordered, cases=len(cases), seconds=round(seconds, 3))
