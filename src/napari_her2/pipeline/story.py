"""One case from files to report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_her2.events import Notice
from napari_her2.pipeline.assemble import Findings, make_report
from napari_her2.pipeline.beside import look_beside, opinions
from napari_her2.pipeline.calibrating import set_thresholds
from napari_her2.pipeline.correcting import correct_cells
from napari_her2.pipeline.deliver import deliver, write_evidence
from napari_her2.pipeline.finding import find_cells, measure_stain, measure_unread
from napari_her2.pipeline.gate import Gate
from napari_her2.pipeline.pair import check_slides
from napari_her2.pipeline.pixels import segment_tumour
from napari_her2.pipeline.run import open_run
from napari_her2.pipeline.sizing import hold_size
from napari_her2.pipeline.steps import (
    align,
    find_tissues,
    find_tumour,
    look_at_patches,
    name_pieces,
    read_drawn,
)
from napari_her2.pipeline.stress import stress_test
from napari_her2.pipeline.verdict import Beside, judge

if TYPE_CHECKING:
    from napari_her2.case import Report
    from napari_her2.events import Steps
    from napari_her2.pipeline.request import CaseRequest

__all__ = ["score_case"]


def score_case(request: CaseRequest) -> Steps[Report]:
    """Score one case.

    Parameters
    ----------
    request : CaseRequest
        Slides, folder and wishes.

    Yields
    ------
    Progress, StageDone, Notice
        Stop iterating to cancel; what was finished is kept and the same request goes on from there.

    Returns
    -------
    Report
        Also written to ``request.out``, last of all. A case that cannot be scored is a report, too.

    Raises
    ------
    Her2Error
        If a slide, a wish or the folder cannot be used.
    """
    with open_run(request) as run:
        yield from (Notice(words) for words in run.notices)
        if run.finished is not None:
            return run.finished
        looks = check_slides(run.ihc, run.he)
        drawn = read_drawn(run)
        tissue = yield from find_tissues(run)
        mapping = yield from align(run, tissue)
        tumour = yield from find_tumour(run, tissue, drawn, mapping)
        pieces = yield from name_pieces(run, tissue, mapping)
        gate = Gate.of(pieces, drawn, tumour, mapping, run.said)
        stain = yield from measure_stain(run, pieces)
        yield from set_thresholds(run, pieces, stain)
        counted = yield from correct_cells(run, gate, (yield from find_cells(run, gate, stain)))
        cells = counted.cells
        patches = yield from look_at_patches(run, gate, cells, tissue.get("he"))
        pixels = yield from segment_tumour(run, gate)
        looks = replace(looks, size=(yield from hold_size(run, gate, cells, stain)))
        second = yield from look_beside(run, gate, cells, stain)
        unread = yield from measure_unread(run, gate, stain, cells)
        beside = Beside(unread=unread, pixels=pixels, opinions=opinions(run, second, patches["ihc"], pixels))
        stress = yield from stress_test(run, gate, cells, stain)
        verdict = judge(run, cells, patches["ihc"], gate, looks, beside)
        areas_mm2 = yield from write_evidence(run, gate, counted, patches, verdict)
        found = Findings(
            gate=gate, stain=stain, cells=cells, patches=patches, pixels=pixels, verdict=verdict, looks=looks,
            areas_mm2=areas_mm2, edits=counted.edits, stress=stress,
        )  # fmt: skip
        report = make_report(run, found)
        deliver(run, report, gate, cells)
        return report
