"""What the page of a case says, in the order in which a reader needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.report.blocks import Bars, Block, Bullets, CallBox, Pictures, Rows, Section, Sheet, Text
from napari_her2.report.origin import mapping_blocks, model_blocks, origin_blocks, quality_blocks
from napari_her2.report.people import people_blocks
from napari_her2.report.second import second_scorers
from napari_her2.report.template import template_blocks
from napari_her2.report.words import CATEGORY_WORDS, EXCLUDED_WORDS, FLAG_WORDS, PROVISIONAL, sampled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_her2.case import Agreement, Report
    from napari_her2.report.pictures import Picture

__all__ = ["PageParts", "sheet_of"]

IN_DOUBT: Final = "may be no invasive epithelium; the intervals include leaving them out"
MUCH_LEFT_OUT: Final = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageParts:
    """What a page shows besides the report.

    Attributes
    ----------
    maps : sequence of Picture
        Both slides with what was found on them.
    fields : sequence of Picture
        Places at higher magnification, IHC and H&E in turn.
    edits : sequence of mapping
        Entries of ``review.jsonl``.
    seal : str
        A sentence on whether the case is sealed; empty says nothing.
    """

    maps: Sequence[Picture] = ()
    fields: Sequence[Picture] = ()
    edits: Sequence[Mapping[str, Any]] = ()
    seal: str = ""


def sheet_of(report: Report, parts: PageParts) -> Sheet:
    """Return the page's content.

    Parameters
    ----------
    report : Report
    parts : PageParts
    """
    sections = (
        Section("", _call(report)),
        Section("Why", _path(report)),
        Section("Tumour cells by membrane staining", _percent(report)),
        Section("To be aware of", _flags(report)),
        Section("Pictures", _maps(parts.maps)),
        Section("Fields", _fields(parts.fields)),
        Section("Cells", _cells(report)),
        Section("In-situ hybridisation", _ish(report)),
        Section("Specimen and reader", _specimen(report)),
        Section("What people corrected and decided", people_blocks(report, parts.edits)),
        Section("Other views of the same staining", _others(report)),
        Section("Models that took part", model_blocks(report)),
        Section("Alignment of the two slides", mapping_blocks(report)),
        Section("Quality of the slide", quality_blocks(report)),
        Section("Elements of the CAP biomarker template that apply", template_blocks(report)),
        Section("Where the result comes from", origin_blocks(report, parts.seal)),
    )
    names = " and ".join(slide.name for slide in report.provenance.slides)
    score = report.call.score or "not scorable"
    return Sheet(
        title=f"HER2 {score} (research use only)",
        heading="HER2 report",
        subtitle=f"{names} · {report.disclaimer}",
        sections=tuple(section for section in sections if section.blocks),
        footer=report.disclaimer,
    )


def _call(report: Report) -> tuple[Block, ...]:
    call = report.call
    banner = (Text(PROVISIONAL, "banner"),) if report.provisional else ()
    box = CallBox(
        call.score,
        f"HER2 status: {report.her2_status}",
        (
            f"{CATEGORY_WORDS[call.category]} (treatment relevance; no result of the guideline)",
            f"{call.rule.name}, {call.rule.edition}",
            *_final(report),
        ),
    )
    near = "Borderline: within the interval the score could be another one."
    reflex = "The guideline asks for in-situ hybridisation."
    said = (call.reason, near if call.borderline else "", reflex if call.reflex_ish else "")
    return (*banner, box, *(Text(words) for words in said if words))


def _final(report: Report) -> tuple[str, ...]:
    """Return the reader's word, which stands beside the program's, never in its place."""
    if report.final is None:
        return ()
    return (f"Reader's final word: {report.final.score or 'not scorable'}, {report.final.her2_status}",)


def _path(report: Report) -> tuple[Block, ...]:
    rows = tuple(
        (
            step.test,
            "-" if step.value is None else f"{step.value:.4g}",
            f"{step.threshold:.4g}",
            "yes" if step.holds else "no",
        )
        for step in report.call.path
    )
    head = ("Test, in order", "value", "threshold", "holds")
    table = (Rows(rows, head, numbers=(1, 2), last_decides=True),) if rows else ()
    if not report.call.alternatives:
        return table
    shares = ", ".join(f"{score} {sampled(share)}" for score, share in report.call.alternatives.items())
    return (*table, Text(f"By sampling alone (errors of the scorer are not in it): {shares}", "soft"))


def _percent(report: Report) -> tuple[Block, ...]:
    if not report.cells.evaluable:
        return ()
    what = "whiskers are 95 % intervals, the dashed line is the 10 % threshold"
    percent = {str(name): value for name, value in report.percent.items()}
    intervals = {str(name): ends for name, ends in report.percent_ci95.items()}
    note = f"{report.cells.evaluable} evaluable tumour cells; {what}."
    return Bars(percent, intervals), Text(note, "soft")


def _flags(report: Report) -> tuple[Block, ...]:
    words = tuple(FLAG_WORDS.get(flag, flag) for flag in report.call.flags)
    return (Bullets(words),) if words else ()


def _maps(maps: Sequence[Picture]) -> tuple[Block, ...]:
    return (Pictures(tuple(maps), legend=True, columns=3 if len(maps) > 2 else 2),) if maps else ()


def _fields(fields: Sequence[Picture]) -> tuple[Block, ...]:
    if not fields:
        return ()
    note = (
        "Each place on the IHC with the same place of the H&E beside it, carried there by the alignment. "
        "The bar gives the scale; 10x and 20x are the usual names of 1 and 0.5 µm per pixel."
    )
    return Text(note, "soft"), Pictures(tuple(fields))


def _cells(report: Report) -> tuple[Block, ...]:
    cells = report.cells
    left_out = tuple((name, EXCLUDED_WORDS.get(name, ""), n) for name, n in cells.excluded.items())
    doubt = (("of these in doubt", IN_DOUBT, cells.in_doubt),) if cells.in_doubt else ()
    rows = (("counted", "", cells.evaluable), *doubt, *left_out)
    notes = (_mostly_left_out(report), _unsure_band(report))
    return (
        Rows(rows, ("Cells", "", "number"), numbers=(2,)),
        *(Text(note, "soft") for note in notes if note),
    )


def _mostly_left_out(report: Report) -> str:
    """Say so where more than a third of the nuclei in the tumour area do not count; else empty."""
    share = report.cells.not_epithelial_share
    if share is None or share <= MUCH_LEFT_OUT:
        return ""
    return (
        f"{100 * share:.0f} % of the nuclei in the scored area were left out as no invasive epithelium: "
        "look at them before you rely on the percentages."
    )


def _unsure_band(report: Report) -> str:
    """Say what lies around the edge of the carried area; empty where nothing does."""
    band = report.unsure_band
    if band is None:
        return ""
    said = [
        f"{what} " + ", ".join(f"{name} {n:{form}}" for name, n in reversed(found.items()) if n)
        for what, found, form in (
            ("cells", band.cells, "d"),
            ("patches", band.patches, "d"),
            ("pixels in mm²", band.pixels_mm2, ".3f"),
        )
        if any(found.values())
    ]
    if not said:
        return ""
    return f"At the edge of the tumour area, unsure and not counted: {'; '.join(said)}."


def _ish(report: Report) -> tuple[Block, ...]:
    if report.ish is None:
        return ()
    rows = tuple((name.replace("_", " "), value) for name, value in report.ish if value is not None)
    return (Rows(rows),)


def _specimen(report: Report) -> tuple[Block, ...]:
    rows = [(name.replace("_", " "), value) for name, value in report.specimen if value is not None]
    if report.reader is not None:
        rows += _reader(report.reader, report.provenance.started)
    return (Rows(tuple(rows)),) if rows else ()


READER_WORDS: Final = {
    "score": "Reader's score",
    "her2_status": "Reader's HER2 status",
    "reader": "Signed by",
    "time": "Signed at",
    "blind": "Before seeing the program's score",
    "reason": "Reason",
}


def _reader(reader: Any, started: str) -> list[tuple[str, Any]]:
    """Return the signature in words; one that is older than the numbers is said to be."""
    rows = []
    for name, value in reader:
        if value in (None, ""):
            continue
        said = {True: "yes", False: "no"}.get(value, value) if name == "blind" else value
        if name == "time":
            said = str(value)[:16].replace("T", " ")
            if str(value) < started:
                said += ", before this run: the numbers may have changed since"
        rows.append((READER_WORDS.get(name, name.replace("_", " ")), said))
    return rows


def _others(report: Report) -> tuple[Block, ...]:
    coverage = ", ".join(f"{score} {share:.1f} %" for score, share in report.coverage.items())
    rows: list[tuple[str, str]] = [("Area of the tumour cells by class", coverage)]
    if report.h_score is not None:
        rows.append(("H-score (0 to 300, auxiliary)", f"{report.h_score:.0f}"))
    if report.paper is not None:
        found = f"{report.paper.score or '-'} of {report.paper.n_patches} patches"
        rows.append(("Paper's rule (strongest patch)", found))
    rows += second_scorers(report)
    rows += [_agreement(pair) for pair in report.agreement.values()]
    p = report.patches
    rows.append(("Patches", f"H&E {p.he.n} ({p.he.tumour} tumour), IHC {p.ihc.n}; {p.matched} pairs"))
    return (Rows(tuple(rows)),)


def _agreement(pair: Agreement) -> tuple[str, str]:
    names, scores = " and ".join(pair.scores), " and ".join(score or "-" for score in pair.scores.values())
    share = pair.fraction_agreeing
    area = "no common area" if share is None else f"the same class on {share:.0%} of their common area"
    return names.capitalize(), f"{scores}; {area}"
