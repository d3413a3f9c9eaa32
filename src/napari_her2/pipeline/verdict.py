"""From judged cells to the call: counts, intervals, controls, flags, and what pixels cannot tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.cells import (
    COARSEST_FAINT_UM_PER_PX,
    FALSE_FAINT_PERCENT,
    FALSE_FAINT_UPPER_PERCENT,
    separates_faint,
)
from napari_her2.pipeline.agreeing import Standing
from napari_her2.pipeline.beside import standing_of
from napari_her2.pipeline.counting import count_cells
from napari_her2.pipeline.doubts import hardly_her2, unusual_pattern
from napari_her2.pipeline.limits import near_intense, resolved, withheld
from napari_her2.pipeline.patches import patch_counts
from napari_her2.pipeline.scorers import GATING, model_doubts, scorer_scores
from napari_her2.scoring import CellCounts, PathEntry, apply_rule, control_call, load_rule
from napari_her2.vocabulary import EXCLUDED_REASONS, ordered_flags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import PatchTable
    from napari_her2.cells import CellTable, Unread
    from napari_her2.pipeline.agreeing import Opinion
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.pair import Looks
    from napari_her2.pipeline.pixels import PixelsFound
    from napari_her2.pipeline.run import Run
    from napari_her2.scoring import Call, CellSummary, ControlResult
    from napari_her2.tissue import TissueMask
    from napari_her2.vocabulary import Score

__all__ = ["Beside", "Verdict", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """The call with what it rests on.

    Attributes
    ----------
    call : Call
    summary : CellSummary
        Of the evaluable cells.
    controls : tuple of ControlResult
        One for each control piece.
    scores : mapping of scorer to score
        Of cells, patches and pixels, where models judged the whole area.
    standing : Standing
        Whether those who looked beside the cells confirm the call.
    unread : Unread or None
        Stain that no counted cell explains.
    """

    call: Call
    summary: CellSummary
    controls: tuple[ControlResult, ...] = ()
    scores: Mapping[str, Score | None] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    unread: Unread | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beside:
    """What was seen beside the cells; it never decides.

    Attributes
    ----------
    pixels : PixelsFound or None
        What the segmentation of the whole area found.
    opinions : tuple of Opinion
        Of patches and pixels.
    unread : Unread or None
        Stain that no counted cell explains; it may withhold a call.
    """

    pixels: PixelsFound | None = None
    opinions: tuple[Opinion, ...] = ()
    unread: Unread | None = None


def judge(
    run: Run, cells: CellTable, patches: PatchTable, gate: Gate, looks: Looks, beside: Beside
) -> Verdict:
    """Apply the guideline to the evaluable cells (or patches, for the paper's rule).

    Parameters
    ----------
    run : Run
    cells : CellTable
        With the gate applied.
    patches : PatchTable
        Of the IHC.
    gate : Gate
    looks : Looks
        What the thumbnails say.
    beside : Beside
    """
    # Open where the strongest membranes lie near *intense*, and nothing calibrates it.
    intensity_open = not run.plan["calibrate"] and near_intense(cells, run.cell_settings)
    summary = count_cells(cells, run.plan.ihc.um_per_px, run.cell_settings, intensity_open=intensity_open)
    controls = _controls(run, cells, gate.tissue)
    adequate = all(control.adequate for control in controls) if controls else None
    rule = load_rule(run.plan["rule"])
    counts = patch_counts(patches) if rule.counted == "patches" else summary.counts
    evidence = summary.evidence(
        false_faint_percent=FALSE_FAINT_PERCENT,
        false_faint_upper_percent=FALSE_FAINT_UPPER_PERCENT,
        control_adequate=adequate,
        flags=(
            *looks.flags,
            *_flags(run, gate, summary, cells, intensity_open),
            *(looks.size.flags if looks.size else ()),
        ),
    )
    call = apply_rule(
        counts,
        rule,
        ish=run.plan["ish"],
        min_cells=1 if rule.counted == "patches" else run.plan["min_cells"],
        clusters=summary.clusters if rule.by_clusters else None,
        evidence=evidence,
    )
    empty = gate.tissue.reason and f"{run.ihc.name}: {gate.tissue.reason}"
    call = _as_far_as_seen(run, call, gate, empty or looks.reason)
    call = resolved(call, beside.unread if rule.counted != "patches" else None, controls)
    doubt = () if looks.size is None else looks.size.words(call.score)
    call = replace(call, reason=" ".join([call.reason, *doubt]))
    scores = scorer_scores(run, call, summary, patches, beside.pixels)
    standing = standing_of(run, call, summary, beside.opinions)
    call = _with_models(run, call, standing)
    return Verdict(
        call=call, summary=summary, controls=controls, scores=scores, standing=standing, unread=beside.unread
    )


def _with_models(run: Run, call: Call, standing: Standing) -> Call:
    """Add what is doubtful about the models that took part."""
    doubts = model_doubts(run.asked, run.models)
    found = {
        "needs_review": bool(doubts),
        "out_of_distribution": GATING in run.asked and run.asked[GATING].unlike,
        "scorers_disagree": standing.state == "disagree",
    }
    flags = ordered_flags((*call.flags, *(flag for flag, holds in found.items() if holds)))
    return replace(call, flags=flags, reason=" ".join([call.reason, *doubts]))


def _controls(run: Run, cells: CellTable, tissue: TissueMask) -> tuple[ControlResult, ...]:
    """Score each control piece apart."""
    epithelial = cells.epithelial >= run.cell_settings.epithelial_from
    chosen = (cells.excluded == EXCLUDED_REASONS.index("control")) & epithelial
    labels = np.where(chosen, tissue.piece_at(cells.points_px), 0)
    return tuple(
        control_call(
            CellCounts.from_codes(cells.class_code[labels == piece.label]), piece.expected_score or "3+"
        )
        for piece in tissue.piece_list
        if piece.role == "control"
    )


def _flags(
    run: Run, gate: Gate, summary: CellSummary, cells: CellTable, intensity_open: bool
) -> tuple[str, ...]:
    """Return the flags that follow from how the cells were found."""
    doubtful = gate.mapping.needs_review if gate.mapping is not None else _pieces_differ(cells, gate.tissue)
    found = {
        "no_tumour_gate": run.he is None,
        "tumour_unconfirmed": not gate.confirmed,
        "needs_review": doubtful,
        "coarse_pixels": not separates_faint(run.ihc),
        "unusual_pattern": unusual_pattern(summary.percent),
        "intensity_uncalibrated": intensity_open,
        "out_of_distribution": hardly_her2(summary.percent),
    }
    return tuple(flag for flag, holds in found.items() if holds)


def _pieces_differ(cells: CellTable, tissue: TissueMask) -> bool:
    """Whether pieces that count have different scores, so that a control may be among them.

    With an H&E a control is told by its missing counterpart; on the IHC alone only a person can say it.
    """
    asked = [piece.label for piece in tissue.piece_list if piece.counts and not piece.confirmed]
    labels = np.where(cells.evaluable, tissue.piece_at(cells.points_px), 0)
    calls = [
        apply_rule(CellCounts.from_codes(cells.class_code[labels == label]), min_cells=20).score
        for label in asked
    ]
    return len({score for score in calls if score is not None}) > 1


def _as_far_as_seen(run: Run, call: Call, gate: Gate, reason: str) -> Call:
    """Withhold what the image cannot tell: 0 from 1+ in coarse pixels, anything without tissue or stain."""
    if reason:
        return withheld(call, f"{reason}.")
    if call.score is None and gate.mapping is not None and gate.mapping.needs_review:
        return replace(call, reason=f"{call.reason} The alignment needs review: {gate.mapping.reason}.")
    if call.score not in ("0", "1+") or separates_faint(run.ihc):
        return call
    why = f"pixels of {run.ihc.um_per_px:.2f} µm are too coarse to tell 0 from 1+"
    return withheld(call, f"there is no strong staining, and {why}.", _path_to_coarse(run, call))


def _path_to_coarse(run: Run, call: Call) -> tuple[PathEntry, ...]:
    """Return the tests of the strong scores, none of which holds, then the size of pixels, which decides."""
    strong = {test.test for test in load_rule(run.plan["rule"]).tests if test.score not in ("0", "1+")}
    size = PathEntry(
        f"pixels with a side of more than {COARSEST_FAINT_UM_PER_PX:g} µm, too coarse to tell 0 from 1+",
        run.ihc.um_per_px,
        COARSEST_FAINT_UM_PER_PX,
        holds=True,
    )
    return (*(entry for entry in call.path if entry.test in strong), size)
