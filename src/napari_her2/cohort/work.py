"""What a worker of the cluster does: one case from its slides to its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.cohort.rows import CohortRow
from napari_her2.errors import Her2Error, OutputError
from napari_her2.events import StageDone
from napari_her2.pipeline import score_case

if TYPE_CHECKING:
    from napari_her2.case import Report
    from napari_her2.cohort.manifest import CohortCase
    from napari_her2.pipeline import CaseRequest

__all__ = ["Job", "score_one"]


@dataclass(frozen=True, slots=True)
class Job:
    """A case and what is asked of it."""

    case: CohortCase
    request: CaseRequest


def score_one(job: Job) -> CohortRow:
    """Score a case; what is wrong with it becomes its row.

    Raises
    ------
    OutputError
        If its folder cannot be written now, as while a run that was given up still ends: worth a retry.
    """
    try:
        report, reused = _scored(job.request)
    except OutputError:
        raise
    except Her2Error as error:
        return CohortRow.failed(job.case, str(error))
    return CohortRow.of(job.case, report, reused=reused)


def _scored(request: CaseRequest) -> tuple[Report, bool]:
    """Return the report, and whether nothing had to be done for it."""
    steps = score_case(request)
    worked = False
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            report: Report = stop.value
            return report, not worked
        worked = worked or not (isinstance(event, StageDone) and event.reused)
