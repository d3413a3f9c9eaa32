"""The elements that pathologists' HER2 reports have, filled as far as they are known.

After the list of elements in the CAP's biomarker reporting template for the breast, in our own words.
What nobody entered is said to be missing: it is never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2.report.blocks import Block, Rows, Text

if TYPE_CHECKING:
    from napari_her2.case import Report

__all__ = ["template_blocks"]

MISSING: Final = "not entered"
ZERO: Final = {
    "null": "score 0 without membrane staining",
    "ultralow": "score 0 with faint incomplete staining in up to 10 %",
}


def template_blocks(report: Report) -> tuple[Block, ...]:
    """Return the elements as a table with where each comes from."""
    rows = (*_result(report), *_ish(report), *_methods(report), *_before(report), *_additions(report))
    note = "No identifiers of patient, block or laboratory are kept: add them in the laboratory's own system."
    return Rows(rows, ("Element", "value", "from")), Text(note, "soft")


def _result(report: Report) -> tuple[tuple[str, str, str], ...]:
    call = report.call
    said = report.final.score if report.final is not None else call.score
    by = "reader" if report.final is not None else "program"
    intense = report.percent.get("3+")
    complete = "-" if intense is None else f"{intense + report.percent.get('2+', 0.0):.1f} %"
    uneven = "heterogeneous" in call.flags
    return (
        ("HER2 by immunohistochemistry", _words(said, call.reason), by),
        ("Staining of a score 0", ZERO.get(call.category, "does not apply"), "program"),
        ("Cells with intense complete membrane staining", _percent(intense, report, "3+"), "program"),
        ("Cells with complete membrane staining", complete, "program"),
        ("Distribution", "uneven: clusters of strong cells" if uneven else "no clusters found", "program"),
        ("Invasive cells evaluated", str(report.cells.evaluable), "program"),
    )


def _words(score: str | None, reason: str) -> str:
    names = {"0": "negative", "1+": "negative", "2+": "equivocal", "3+": "positive"}
    return f"cannot be determined: {reason}" if score is None else f"{names[score]} (score {score})"


def _percent(value: float | None, report: Report, name: str) -> str:
    if value is None:
        return "-"
    ends = {str(k): v for k, v in report.percent_ci95.items()}.get(name)
    return f"{value:.1f} %" if ends is None else f"{value:.1f} % ({ends[0]:.1f} to {ends[1]:.1f})"


def _ish(report: Report) -> tuple[tuple[str, str, str], ...]:
    ish = report.ish
    if ish is None:
        wanted = "asked for by the guideline, " if report.call.reflex_ish else ""
        return (("HER2 by in-situ hybridisation", f"{wanted}{MISSING}", "-"),)
    number = {
        "HER2 copies per cell": ish.her2_copies,
        "ratio to the centromere of chromosome 17": ish.ratio,
        "cells counted": ish.cells,
        "group": ish.group,
    }
    counted = ", ".join(f"{name} {value:g}" for name, value in number.items() if value is not None)
    again = ", recounted" if ish.recounted else ""
    return (("HER2 by in-situ hybridisation", f"{ish.probe} probe: {counted or MISSING}{again}", "reader"),)


def _methods(report: Report) -> tuple[tuple[str, str, str], ...]:
    found = report.specimen
    controls = {True: "adequate", False: "not adequate", None: MISSING}[found.controls_adequate]
    if "control_inadequate" in report.call.flags:
        controls += "; a control on the slide does not show its expected score"
    version = report.provenance.versions.get("napari-her2", "-")
    models = ", ".join(model.name for model in report.models) or "classical engine"
    return (
        ("Antibody clone", found.antibody_clone or MISSING, "reader"),
        ("Controls", controls, "reader"),
        ("Scanner", found.scanner or MISSING, "reader"),
        ("Image analysis", f"performed: napari-her2 {version}, {models}; research use only", "program"),
        ("Guideline", f"{report.call.rule.name}, {report.call.rule.edition}", "program"),
    )


def _before(report: Report) -> tuple[tuple[str, str, str], ...]:
    found = report.specimen
    kind = ", ".join(word for word in (found.specimen, found.site) if word) or MISSING
    return (("Specimen", kind, "reader"), ("Fixation", found.fixation or MISSING, "reader"))


def _additions(report: Report) -> tuple[tuple[str, str, str], ...]:
    left_out = sum(report.qc.excluded_mm2.values())
    error = None if report.mapping is None else report.mapping.residual_um_p90
    aligned = "one slide only" if report.mapping is None else "-" if error is None else f"{error:.1f} µm"
    return (
        ("Tissue used and left out", f"{report.qc.tissue_mm2:.2f} and {left_out:.2f} mm²", "program"),
        ("Error of the alignment, nine in ten places", aligned, "program"),
    )
