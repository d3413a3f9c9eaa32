"""The case's folder filled: tables, rasters, areas, page, manifest, and last of all the report."""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import TYPE_CHECKING

from napari_her2.case import CaseSlide, seal, write_cells, write_patches
from napari_her2.case.tables import PatchTable
from napari_her2.events import Progress
from napari_her2.exchange import write_areas
from napari_her2.pipeline.fields import choose_fields, field_pictures
from napari_her2.pipeline.memory import plain_wishes
from napari_her2.pipeline.outlines import clone_areas, piece_areas, tumour_areas
from napari_her2.pipeline.pictures import case_pictures
from napari_her2.pipeline.rasters import write_her2, write_mapping_error, write_tumour
from napari_her2.report import PageParts, render_page
from napari_her2.review import ReviewLog
from napari_her2.store import write_bytes, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import Report
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.pipeline.correcting import Corrected
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.pipeline.verdict import Verdict

__all__ = ["deliver", "write_evidence"]

RUN_SCHEMA = "napari-her2/run/1"


def write_evidence(
    run: Run, gate: Gate, counted: Corrected, patches: Mapping[str, PatchTable], verdict: Verdict
) -> Steps[dict[str, float]]:
    """Write tables, areas and rasters.

    Returns
    -------
    dict
        Area in mm² of the evaluable cells of each class.
    """
    began, cells = perf_counter(), counted.cells
    yield Progress("evidence", 0, 3, "files")
    write_cells(run.files.cells, cells)
    if len(run.said.verdicts):
        write_cells(run.files.unjudged, counted.unjudged)
    write_patches(
        run.files.patches, PatchTable.concat([patches[role] for role in ("he", "ihc") if role in patches])
    )
    clones = clone_areas(verdict.summary.heterogeneity.clones, run.plan.ihc.um_per_px)
    write_areas(run.files.annotations, [*tumour_areas(gate), *piece_areas(gate), *clones])
    yield Progress("evidence", 1, 3, "files")
    write_tumour(run.files.raster("tumour"), gate)
    if gate.mapping is not None:
        write_mapping_error(run.files.raster("mapping_error"), gate.mapping)
    yield Progress("evidence", 2, 3, "files")
    areas = write_her2(run.files.raster("her2"), run.ihc, cells)
    yield run.took("evidence", began)
    return areas


def _parts(run: Run, gate: Gate, cells: CellTable) -> PageParts:
    fields = choose_fields(cells, run.ihc.um_per_px, run.ihc.shape)
    return PageParts(
        maps=case_pictures(run, gate),
        fields=field_pictures(fields, run.ihc, run.he, gate.mapping),
        edits=ReviewLog(run.files.review).entries,
    )


def deliver(run: Run, report: Report, gate: Gate, cells: CellTable) -> None:
    """Write the page, the log, the manifest and, last and by rename, the report."""
    files = run.files
    files.review.touch()
    write_bytes(files.page, render_page(report, parts=_parts(run, gate, cells)).encode("utf-8"))
    run_facts = {
        "schema": RUN_SCHEMA,
        "key": run.plan.key,
        "settings": run.plan.to_json(),
        "started": report.provenance.started,
        "seconds": report.provenance.seconds,
        "versions": report.provenance.versions,
        "models": {name: asked.to_json() for name, asked in run.asked.items()},
    }
    write_json(files.run, run_facts)
    slides = [CaseSlide(role, s.name, s.sha256, s.um_per_px) for role, s in run.plan.slides.items()]
    text = report.to_json().encode("utf-8")
    seal(
        files,
        slides,
        settings=plain_wishes(run.entered),
        others={files.report.name: hashlib.sha256(text).hexdigest()},
    )
    write_bytes(files.report, text)
