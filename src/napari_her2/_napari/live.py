"""The score as it would be with what a person has said so far: verdicts, excluded fields, ISH. No Qt.

Worked out in the background by the guideline itself; the case's report stays as it was scored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2._napari.faint import UNRESOLVED, FaintCell, faintest
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.score_view import ScoreView
    from napari_her2.case import CaseBundle, Report
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.pipeline import Recount
    from napari_her2.review import CellVerdicts, Field, FieldVerdicts
    from napari_her2.scoring import Call, Flip

__all__ = ["LiveScore", "flip_words", "ish_report", "read_live", "with_live"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveScore:
    """The score now.

    Attributes
    ----------
    report : Report
        Of the case, with call, percentages and status as they are after the verdicts; never written.
    changed : int
        Cells that count otherwise than in the report: verdicts that the last run knew are in its numbers.
    flips : tuple of Flip
        The least that would change the call, up and down.
    queue : tuple of Field
        What to look at, in the order that the program's own cells give it: it stays while a reader judges.
    verdicts : FieldVerdicts
        Of this reader.
    faint : tuple of FaintCell
        The faintest stained cells, where null or ultralow is open; else none.
    """

    report: Report
    changed: int
    flips: tuple[Flip, ...]
    queue: tuple[Field, ...]
    verdicts: FieldVerdicts
    faint: tuple[FaintCell, ...] = ()


def read_live(folder: Path, reader: str, ish: dict[str, Any] | None = None) -> Steps[LiveScore]:
    """Count a finished case anew with the verdicts of its log; for a background thread.

    Parameters
    ----------
    folder : Path
    reader : str
        Whose verdicts on fields are shown.
    ish : dict, optional
        In-situ hybridisation that was typed in; by default that of the report.

    Raises
    ------
    CaseError
        If the case is damaged.
    """
    from napari_her2.case import read_case
    from napari_her2.pipeline import judged_cells, recount
    from napari_her2.review import (
        ReviewLog,
        read_cell_verdicts,
        read_field_verdicts,
        review_queue,
    )
    from napari_her2.scoring import what_would_flip

    yield from ()
    bundle = read_case(folder)
    entries = ReviewLog(bundle.files.review).entries
    table, said = bundle.unjudged_cells(), read_cell_verdicts(entries)
    found = recount(bundle, table, said)
    rule, um = bundle.report.call.rule.name, _ihc_um(bundle)
    clusters = found.summary.clusters if bundle.report.call.score is not None else None
    report = _with_call(bundle.report, found.call, found.summary)
    return LiveScore(
        report=ish_report(report, ish),
        changed=_changed(judged_cells(table, said, um)[0], bundle.cells()),
        flips=what_would_flip(found.summary.counts, rule, clusters=clusters),
        queue=review_queue(table, um, rule, doubts=_doubts(bundle)),
        verdicts=read_field_verdicts(entries, reader or None),
        faint=faintest(table, _said_of(table, said, um), um) if _unresolved(bundle, found) else (),
    )


def _changed(now: CellTable, reported: CellTable) -> int:
    """Count the cells that count otherwise than in the report."""
    return int(((now.class_code != reported.class_code) | (now.evaluable != reported.evaluable)).sum())


def _said_of(table: CellTable, said: CellVerdicts, um_per_px: float) -> dict[int, str]:
    """Return by row of the table which class a person gave; ``out`` where they left the cell out."""
    from napari_her2.pipeline.recount import MATCH_UM
    from napari_her2.vocabulary import CELL_CLASSES

    rows = said.matched(table.points_px, MATCH_UM / um_per_px)
    words = {}
    for row, code, counts in zip(rows, said.class_code, said.counts, strict=True):
        if row >= 0 and counts == 0:
            words[int(row)] = "out"
        elif row >= 0 and code >= 0:
            words[int(row)] = CELL_CLASSES[code]
    return words


def _unresolved(bundle: CaseBundle, found: Recount) -> bool:
    """Whether null or ultralow is open, by the run or with the verdicts: the gallery stays."""
    return UNRESOLVED in (*bundle.report.call.flags, *found.call.flags)


def _ihc_um(bundle: CaseBundle) -> float:
    slide = bundle.slide("ihc")
    return slide.um_per_px if slide is not None else 1.0


def _with_call(report: Report, call: Call, summary: Any) -> Report:
    """Return the report with another call and other percentages."""
    from napari_her2.case import Report as ReportModel
    from napari_her2.pipeline import agreement_with

    standing = agreement_with(report.call.agreement, call.score)
    plain = {**call.to_json(), "agreement": standing.to_json()}
    flags = [flag for flag in plain["flags"] if flag != "scorers_disagree"]
    plain["flags"] = flags + ["scorers_disagree"] * (standing.state == "disagree")
    values = report.to_dict()
    values |= {"her2_status": plain.pop("her2_status"), "ish": plain.pop("ish"), "call": plain}
    values["percent"] = {name: float(value) for name, value in summary.percent.items()}
    values["percent_ci95"] = {
        name: [max(float(low), 0.0), min(float(high), 100.0)]
        for name, (low, high) in summary.percent_ci95.items()
    }
    values["cells"] = {**values["cells"], "evaluable": int(summary.counts.total)}
    return ReportModel.model_validate(values)


def ish_report(report: Report, ish: dict[str, Any] | None) -> Report:
    """Return the report with what ISH found, and the HER2 status that follows.

    Raises
    ------
    UsageError
        If the ISH cannot be used, e.g. a ratio without copies.
    """
    if not ish:
        return report
    from napari_her2.case import Report as ReportModel
    from napari_her2.scoring import Ish, load_rule
    from napari_her2.scoring.ish import her2_status

    taken = Ish.from_json(ish)
    values = report.to_dict()
    values["ish"] = taken.to_json()
    values["her2_status"], _ = her2_status(report.call.score, taken, load_rule(report.call.rule.name))
    return ReportModel.model_validate(values)


def _doubts(bundle: CaseBundle) -> Any:
    """Return where alignment or scorers are in doubt."""
    import numpy as np

    from napari_her2._napari.disagreement import disagreement
    from napari_her2.review import Doubts

    mapping = bundle.mapping()
    her2, pixels = bundle.raster("her2"), bundle.raster("segmentation")
    error = None if mapping is None else lambda points: mapping.error_um(points, "ihc")
    agreement = bundle.report.call.agreement
    against = agreement.scorers if agreement.state == "disagree" else ()
    places = {f"{one.name} contradict the cells here": one.places for one in against if one.places}
    if her2 is None or pixels is None:
        return Doubts(error_um=error, places=places)
    apart, um = disagreement(her2, pixels)
    scale = um / _ihc_um(bundle)

    def at(points: Any) -> Any:
        places = np.floor(np.asarray(points) / scale).astype(np.intp)
        row, col = np.clip(places, 0, np.array(apart.shape) - 1).T
        return apart[row, col]

    return Doubts(error_um=error, apart=at, places=places)


def flip_words(flips: tuple[Flip, ...]) -> tuple[str, ...]:
    """Say what would change the call, e.g. ``13 more cells of 3+ (now 2+) → 3+``."""
    return tuple(
        f"{flip.cells:,} cell{'s' * (flip.cells != 1)} taken for {_kind(flip.to)} instead of "
        f"{' or '.join(_kind(kind) for kind in flip.taken_from)} → {flip.score}"
        for flip in flips
    )


_KINDS = {
    "complete_intense": "complete, intense",
    "complete_weak_moderate": "complete, weak to moderate",
    "incomplete_moderate_intense": "incomplete, moderate to intense",
    "incomplete_moderate": "incomplete, moderate",
    "incomplete_intense": "incomplete, intense",
    "incomplete_faint": "incomplete, faint",
    "none": "no staining",
}


def _kind(name: str) -> str:
    return _KINDS.get(name, name.replace("_", " "))


def with_live(view: ScoreView, live: LiveScore | None) -> ScoreView:
    """Return what the score panel shows of a call after verdicts: said so in its heading."""
    if live is None or not live.changed:
        return view
    score = live.report.call.score
    said = f"ith your verdicts on {live.changed:,} cells"
    heading = f"{view.heading}; w{said}" if live.report.provisional else f"W{said}"
    return replace(view, heading=heading, colour=COLOURS.get(score or "", "#888888"))
