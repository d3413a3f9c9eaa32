"""The call of a finished case after a person's verdicts on its cells: same guideline, same limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.cells import (
    COARSEST_FAINT_UM_PER_PX,
    FALSE_FAINT_PERCENT,
    FALSE_FAINT_UPPER_PERCENT,
    CellSettings,
)
from napari_her2.errors import CaseError
from napari_her2.pipeline.counting import count_cells
from napari_her2.pipeline.doubts import hardly_her2, unusual_pattern
from napari_her2.pipeline.limits import as_flagged
from napari_her2.review import ReviewLog, read_cell_verdicts
from napari_her2.scoring import apply_rule, load_rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.case import CaseBundle
    from napari_her2.cells import CellTable
    from napari_her2.review import CellVerdicts
    from napari_her2.scoring import Call, CellSummary

__all__ = ["MATCH_UM", "Recount", "judged_cells", "recount"]

MATCH_UM: Final = 4.0
"""A verdict belongs to the cell whose middle lies so near: less than the radius of a tumour nucleus."""

OF_CELLS: Final = ("unusual_pattern", "out_of_distribution", "heterogeneous", "mixture", "few_cells")
"""Flags that follow from the cells and are found anew; all others are taken from the report."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recount:
    """What the verdicts lead to.

    Attributes
    ----------
    call : Call
    summary : CellSummary
    changed : int
        Cells about which a person's word differs from the program's.
    lost : int
        Verdicts that found no cell in the table.
    """

    call: Call
    summary: CellSummary
    changed: int
    lost: int


def judged_cells(cells: CellTable, verdicts: CellVerdicts, um_per_px: float) -> tuple[CellTable, int]:
    """Return the cells with the verdicts on them, and how many verdicts found no cell.

    Parameters
    ----------
    cells : CellTable
    verdicts : CellVerdicts
    um_per_px : float
        Of the IHC.
    """
    index = verdicts.matched(cells.points_px, MATCH_UM / um_per_px)
    return _as_said(cells, verdicts, index), int((index < 0).sum())


def _as_said(cells: CellTable, verdicts: CellVerdicts, index: NDArray[np.int64]) -> CellTable:
    """Return the cells with the verdicts on them; ``index`` is the cell of each verdict, -1 where none is."""
    code, tumour, excluded = verdicts.applied(cells.class_code, cells.in_tumour, cells.excluded, index)
    return cells.with_(class_code=code, in_tumour=tumour, excluded=excluded)


def recount(
    bundle: CaseBundle, cells: CellTable | None = None, verdicts: CellVerdicts | None = None
) -> Recount:
    """Apply the case's guideline to its cells after a person's verdicts; the case itself is not touched.

    Parameters
    ----------
    bundle : CaseBundle
    cells : CellTable, optional
        Of the case, without verdicts on single cells; read if not given.
    verdicts : CellVerdicts, optional
        Read from ``review.jsonl`` if not given.

    Raises
    ------
    CaseError
        If the case has no IHC, or its rule does not count cells.
    """
    ihc, report = bundle.slide("ihc"), bundle.report
    if ihc is None:
        raise CaseError(f"{bundle.folder.name} has no IHC slide: score it again")
    rule = load_rule(report.call.rule.name)
    if rule.counted == "patches":
        raise CaseError(f"{rule.name} counts patches, not cells: verdicts on cells do not change it")
    table = bundle.unjudged_cells() if cells is None else cells
    said = read_cell_verdicts(ReviewLog(bundle.files.review).entries) if verdicts is None else verdicts
    index = said.matched(table.points_px, MATCH_UM / ihc.um_per_px)
    judged = _as_said(table, said, index)
    known = np.zeros(len(table), bool)
    known[index[index >= 0]] = True
    summary = count_cells(
        judged,
        ihc.um_per_px,
        CellSettings(),
        intensity_open="intensity_uncalibrated" in report.call.flags,
        judged=known,
    )
    differs = (judged.class_code != table.class_code) | (judged.evaluable != table.evaluable)
    call = _call(bundle, summary, judged, rule)
    return Recount(call=call, summary=summary, changed=int(differs.sum()), lost=int((index < 0).sum()))


def _call(bundle: CaseBundle, summary: CellSummary, cells: CellTable, rule: Any) -> Call:
    report = bundle.report
    settings = report.provenance.settings
    flags = [flag for flag in report.call.flags if flag not in OF_CELLS]
    flags += ["unusual_pattern"] * unusual_pattern(summary.percent)
    flags += ["out_of_distribution"] * hardly_her2(summary.percent)
    evidence = summary.evidence(
        false_faint_percent=FALSE_FAINT_PERCENT,
        false_faint_upper_percent=FALSE_FAINT_UPPER_PERCENT,
        control_adequate=_controls_adequate(bundle),
        flags=tuple(flag for flag in flags if flag != "control_inadequate"),
    )
    call = apply_rule(
        summary.counts,
        rule,
        ish=_value(settings, "ish"),
        min_cells=int(_value(settings, "min_cells") or 100),
        clusters=summary.clusters if rule.by_clusters else None,
        evidence=evidence,
    )
    ihc = bundle.slide("ihc")
    if ihc is not None and call.score in ("0", "1+") and ihc.um_per_px > COARSEST_FAINT_UM_PER_PX:
        return replace(
            call, score=None, category="not_scorable", her2_status="indeterminate", alternatives={},
            reason=f"not scorable: pixels of {ihc.um_per_px:.2f} µm are too coarse to tell 0 from 1+.",
        )  # fmt: skip
    return as_flagged(call)


def _controls_adequate(bundle: CaseBundle) -> bool | None:
    """Return what the run found of its controls: only inadequate ones left a trace."""
    return False if "control_inadequate" in bundle.report.call.flags else None


def _value(settings: dict[str, Any], name: str) -> Any:
    found = settings.get(name)
    return found.get("value") if isinstance(found, dict) and "value" in found else found
