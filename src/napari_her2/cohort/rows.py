"""What is said about each case of a cohort: one flat row, whether it went well or not."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from napari_her2.case import Report
    from napari_her2.cohort.manifest import CohortCase

__all__ = ["CohortRow"]

State = Literal["done", "not_scorable", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One case of the summary.

    Attributes
    ----------
    case, he, ihc : str
        Name of the case and of its files; no paths.
    state : {"done", "not_scorable", "failed"}
    score, category, her2_status, rule : str
        Of the call; empty where it failed.
    reference_score, site, scanner : str
        From the manifest.
    final_score : str
        The reader's, where the case was read.
    borderline, needs_review, reused : bool
        ``reused``: an equal run had finished before.
    flags : str
        Separated by spaces.
    evaluable_cells : int
    percent_3, percent_2, percent_unusual, percent_1, percent_0 : float
        Of evaluable tumour cells; NaN where there is none.
    h_score, tissue_mm2, residual_um_p90 : float
        NaN where it does not apply.
    seconds : float
        All stages of the case, as measured when they ran.
    reason : str
        Why this call, or why there is none.
    """

    case: str
    ihc: str
    he: str = ""
    state: State = "failed"
    score: str = ""
    category: str = ""
    her2_status: str = ""
    rule: str = ""
    reference_score: str = ""
    final_score: str = ""
    site: str = ""
    scanner: str = ""
    borderline: bool = False
    needs_review: bool = False
    reused: bool = False
    flags: str = ""
    evaluable_cells: int = 0
    percent_3: float = math.nan
    percent_2: float = math.nan
    percent_unusual: float = math.nan
    percent_1: float = math.nan
    percent_0: float = math.nan
    h_score: float = math.nan
    tissue_mm2: float = math.nan
    residual_um_p90: float = math.nan
    seconds: float = math.nan
    reason: str = ""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Columns of the summary, in their order."""
        return tuple(f.name for f in fields(cls))

    @classmethod
    def failed(cls, case: CohortCase, reason: str) -> Self:
        """Return the row of a case that could not be worked on."""
        return cls(**_facts(case), reason=" ".join(reason.split()))

    @classmethod
    def of(cls, case: CohortCase, report: Report, *, reused: bool) -> Self:
        """Return the row of a case that has a report."""
        call, mapping = report.call, report.mapping
        percent: dict[str, Any] = {_column(name): report.percent.get(name, math.nan) for name in CELL_CLASSES}
        return cls(
            **_facts(case),
            **percent,
            state="done" if report.scorable else "not_scorable",
            score=call.score or "",
            category=call.category,
            her2_status=report.her2_status,
            rule=call.rule.name,
            final_score=(report.final.score or "") if report.final else "",
            borderline=call.borderline,
            needs_review="needs_review" in call.flags,
            reused=reused,
            flags=" ".join(call.flags),
            evaluable_cells=report.cells.evaluable,
            h_score=_number(report.h_score),
            tissue_mm2=report.qc.tissue_mm2,
            residual_um_p90=_number(mapping.residual_um_p90 if mapping else None),
            seconds=round(sum(report.provenance.seconds.values()), 3),
            reason=call.reason,
        )


def _facts(case: CohortCase) -> dict[str, Any]:
    return {
        "case": case.name,
        "he": case.he.name if case.he else "",
        "ihc": case.ihc.name,
        "reference_score": case.reference_score,
        "site": case.site,
        "scanner": case.scanner,
    }


def _column(name: str) -> str:
    return f"percent_{name.rstrip('+')}"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
