"""The page a person reads: one file, printable, with nothing from outside and every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from napari_her2.report.bars import percent_bars
from napari_her2.report.tables import document, section, table
from napari_her2.report.words import CATEGORY_WORDS, EXCLUDED_WORDS, FLAG_WORDS, PROVISIONAL
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_her2.case import Agreement, Report
    from napari_her2.report.pictures import Picture

__all__ = ["render_page"]


def render_page(report: Report, pictures: Sequence[Picture] = ()) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    report : Report
    pictures : sequence of Picture
    """
    sections = (
        _head(report),
        _banner(report),
        _call(report),
        section("Why", _path(report) + _alternatives(report)),
        section("Tumour cells by membrane staining", _percent(report)),
        section("To be aware of", _flags(report)),
        section("Pictures", _pictures(pictures)),
        section("Cells", _cells(report)),
        section("In-situ hybridisation", _ish(report)),
        section("Specimen and reader", _specimen(report)),
        section("Other views of the same staining", _others(report)),
        section("Models that took part", _models(report)),
        section("Alignment of the two slides", _mapping(report)),
        section("Quality of the slide", _qc(report)),
        section("Where the result comes from", _provenance(report)),
        f"<footer>{escape(report.disclaimer)}</footer>",
    )
    body = "\n".join(part for part in sections if part)
    return document(_title(report), body)


def _title(report: Report) -> str:
    score = report.call.score or "not scorable"
    return f"HER2 {score} (research use only)"


def _head(report: Report) -> str:
    names = " and ".join(escape(slide.name) for slide in report.provenance.slides)
    return f'<h1>HER2 report</h1>\n<p class="soft">{names} · {escape(report.disclaimer)}</p>'


def _banner(report: Report) -> str:
    return f'<div class="banner">{escape(PROVISIONAL)}</div>' if report.provisional else ""


def _call(report: Report) -> str:
    call = report.call
    score = (
        f'<div class="score">{escape(call.score)}</div>'
        if call.score
        else '<div class="score none">not scorable</div>'
    )
    near = "<p>Borderline: within the interval the score could be another one.</p>" if call.borderline else ""
    reflex = "<p>The guideline asks for in-situ hybridisation.</p>" if call.reflex_ish else ""
    return (
        f'<div class="call">{score}<div><div class="headline">HER2 status: {escape(report.her2_status)}</div>'
        f"<p>{escape(CATEGORY_WORDS[call.category])} <small>(treatment relevance; no result of the guideline)"
        "</small></p>"
        f"<p>{escape(call.rule.name)}, {escape(call.rule.edition)}</p></div></div>\n"
        f"<p>{escape(call.reason)}</p>{near}{reflex}"
    )


def _path(report: Report) -> str:
    steps = report.call.path
    rows = [
        (
            step.test,
            "-" if step.value is None else f"{step.value:.4g}",
            f"{step.threshold:.4g}",
            "yes" if step.holds else "no",
        )
        for step in steps
    ]
    return table(rows, ("Test, in order", "value", "threshold", "holds"), numbers=(1, 2), last_decides=True)


def _alternatives(report: Report) -> str:
    if not report.call.alternatives:
        return ""
    shares = ", ".join(f"{score} {share:.0%}" for score, share in report.call.alternatives.items())
    return f'<p class="soft">Model confidence (not calibrated on real cases): {escape(shares)}</p>'


def _percent(report: Report) -> str:
    if not report.cells.evaluable:
        return ""
    what = "whiskers are 95 % intervals, the dashed line is the 10 % threshold"
    note = f'<p class="soft">{report.cells.evaluable} evaluable tumour cells; {what}.</p>'
    percent = {str(name): value for name, value in report.percent.items()}
    intervals = {str(name): ends for name, ends in report.percent_ci95.items()}
    return percent_bars(percent, intervals) + note


def _flags(report: Report) -> str:
    words = [f"<li>{escape(FLAG_WORDS.get(flag, flag))}</li>" for flag in report.call.flags]
    return f"<ul>{''.join(words)}</ul>" if words else ""


def _pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    figures = "".join(
        f'<figure><img alt="{escape(p.title)}" src="{p.data_uri()}">'
        f"<figcaption><b>{escape(p.title)}</b>. {escape(p.caption)}</figcaption></figure>"
        for p in pictures
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in COLOURS.items()
    )
    return f'<div class="pictures">{figures}</div><p class="legend">{legend}</p>'


def _cells(report: Report) -> str:
    cells = report.cells
    counted = [("counted", "", cells.evaluable)]
    left_out = [(name, EXCLUDED_WORDS.get(name, ""), n) for name, n in cells.excluded.items()]
    return table([*counted, *left_out], ("Cells", "", "number"), numbers=(2,))


def _ish(report: Report) -> str:
    if report.ish is None:
        return ""
    return table([(name.replace("_", " "), value) for name, value in report.ish if value is not None])


def _specimen(report: Report) -> str:
    rows = [(name.replace("_", " "), value) for name, value in report.specimen if value is not None]
    if report.reader is not None:
        rows += [(f"reader: {name}", value) for name, value in report.reader if value is not None]
    return table(rows)


def _others(report: Report) -> str:
    coverage = ", ".join(f"{score} {share:.1f} %" for score, share in report.coverage.items())
    rows: list[tuple[str, str]] = [("Area of the tumour cells by class", coverage)]
    if report.h_score is not None:
        rows.append(("H-score (0 to 300, auxiliary)", f"{report.h_score:.0f}"))
    if report.paper is not None:
        rows.append(
            (
                "Paper's rule (strongest patch)",
                f"{report.paper.score or '-'} of {report.paper.n_patches} patches",
            )
        )
    rows += [_agreement(pair) for pair in report.agreement.values()]
    p = report.patches
    rows.append(("Patches", f"H&E {p.he.n} ({p.he.tumour} tumour), IHC {p.ihc.n}; {p.matched} pairs"))
    return table(rows)


def _agreement(pair: Agreement) -> tuple[str, str]:
    names, scores = " and ".join(pair.scores), " and ".join(score or "-" for score in pair.scores.values())
    share = pair.fraction_agreeing
    area = "no common area" if share is None else f"the same class on {share:.0%} of their common area"
    return names.capitalize(), f"{scores}; {area}"


def _models(report: Report) -> str:
    rows = [
        (model.name, f"{model.um_per_px:g}", model.trained_on, model.licence, _metrics(model.metrics))
        for model in report.models
    ]
    return table(rows, ("Model", "µm/px", "trained on", "licence", "measured (95 % interval)"), numbers=(1,))


def _metrics(metrics: Mapping[str, Any]) -> str:
    said = (
        f"{name} {value[0]:.3g} ({value[1]:.3g} to {value[2]:.3g})"
        for name, value in metrics.items()
        if isinstance(value, list | tuple) and len(value) == 3
    )
    return "; ".join(said) or "nothing"


def _mapping(report: Report) -> str:
    quality = report.mapping
    if quality is None:
        return ""
    values = (
        ("kind", quality.kind),
        ("estimated error, median", _um(quality.residual_um_p50)),
        ("estimated error, nine in ten places", _um(quality.residual_um_p90)),
        ("shared tissue", "-" if quality.overlap_fraction is None else f"{quality.overlap_fraction:.0%}"),
        ("needs review", "yes" if quality.needs_review else "no"),
        ("because", quality.reason or "-"),
    )
    return table(values)


def _um(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} µm"


def _qc(report: Report) -> str:
    qc = report.qc
    left_out = ", ".join(f"{name} {area:.2f}" for name, area in qc.excluded_mm2.items() if area) or "none"
    rows = [("Usable tissue on the IHC (mm²)", f"{qc.tissue_mm2:.2f}"), ("Left out (mm²)", left_out)]
    if qc.focus is not None:
        rows.append(("Tissue in focus", f"{qc.focus:.0%}"))
    if qc.stain_drift is not None:
        rows.append(("Stain colours away from the usual ones", f"{qc.stain_drift:.0f}°"))
    return table(rows)


def _provenance(report: Report) -> str:
    source = report.provenance
    slides = table(
        [(s.name, f"{s.um_per_px:g} µm/px", s.sha256) for s in source.slides], ("Slide", "pixel", "SHA-256")
    )
    settings = table(
        [
            (name, _value(s["value"]), s["source"])
            for name, s in source.settings.items()
            if s["value"] is not None
        ],
        ("Setting", "value", "from"),
    )
    made = ", ".join(f"{name} {version}" for name, version in source.versions.items())
    return f'{slides}{settings}<p class="soft">Started {escape(source.started)}. {escape(made)}.</p>'


def _value(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
