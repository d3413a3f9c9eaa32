"""The report in the words and figures that the panel shows; no Qt, no arithmetic of the guideline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.report.second import second_scorers
from napari_her2.report.words import sampled
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import Report
    from napari_her2.case.report import PathStep
    from napari_her2.vocabulary import Score

__all__ = ["Bar", "PathLine", "ScoreView", "sampled", "score_view"]

PROVISIONAL = "Provisional: tumour area not confirmed"

FLAG_WORDS = {
    "no_tumour_gate": "No H&E slide: all tissue counted as tumour unless it looked otherwise on the IHC.",
    "tumour_unconfirmed": "The tumour area is a proposal; draw or confirm it before relying on the score.",
    "few_cells": "Few tumour cells: the percentages are uncertain.",
    "needs_review": "Check by eye: the H&E and the IHC fit poorly, or pieces of tissue differ (a control?).",
    "unusual_pattern": "Unusual staining pattern (basolateral or lateral): ISH may be needed.",
    "mixture": "Clearly different populations of cells: look at each of them.",
    "null_ultralow_unresolved": "Null and ultralow cannot be told apart: look at the faintest cells.",
    "control_inadequate": "The control tissue does not show its expected score: the stain may have failed.",
    "coarse_pixels": "The pixels are too coarse to separate 0 from 1+.",
    "out_of_distribution": "The image is unlike those the program was made for.",
    "swapped_slides": "The two slides may be swapped: check which is the H&E.",
    "same_slide": "Both files show the same slide.",
    "unexpected_stain": "A slide does not look like the stain it was given as.",
    "lateral_intensity_unknown": "Lateral staining was not graded by intensity.",
    "clusters_assumed": "All stained cells were taken as one cluster.",
    "heterogeneous": "HER2 is unevenly distributed: see where the strong cells lie.",
    "scorers_disagree": "A second scorer does not confirm the call: look at the places where they differ.",
    "unread_stain": "Much membrane-like staining belongs to no counted cell: look at it first.",
    "intensity_uncalibrated": "The strongest membranes lie near a limit that nothing here calibrates.",
    "pixel_size_doubtful": "The pixel size does not fit what the tissue shows: check it.",
}

STATUS_WORDS = {
    "negative": "HER2 negative",
    "equivocal": "HER2 equivocal",
    "positive": "HER2 positive",
    "discordant": "HER2 discordant",
    "indeterminate": "HER2 indeterminate",
}

CATEGORY_WORDS = {
    "null": "HER2 null (additional information)",
    "ultralow": "HER2 ultralow (additional information)",
    "low": "HER2 low (additional information)",
}

EXCLUDED_WORDS = {
    "unsure_gate": "at the edge of the tumour area",
    "not_epithelial": "not epithelial",
    "in_situ": "in situ",
    "artefact": "in artefacts",
    "control": "in control tissue",
    "edge_of_region": "cut by the edge",
    "outside_roi": "outside the drawn area",
    "reader": "taken out by a reader",
}

BAR_WORDS = {
    "3+": "complete, intense",
    "2+": "complete, weak to moderate",
    "unusual": "incomplete, moderate to intense",
    "1+": "incomplete, faint",
    "0": "no staining",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A class of cells with its percentage and 95 % interval."""

    name: str
    words: str
    percent: float
    low: float
    high: float
    colour: str


@dataclass(frozen=True, slots=True)
class PathLine:
    """One test of the guideline, e.g. ``complete intense 12.4 % > 10 %``."""

    text: str
    holds: bool
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """What the panel shows of a report, ready to print."""

    call: str
    colour: str
    heading: str
    status: str
    category: str
    reason: str
    rule: str
    path: tuple[PathLine, ...]
    bars: tuple[Bar, ...]
    line_percent: float
    alternatives: tuple[tuple[str, float], ...]
    banners: tuple[str, ...]
    flags: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    disclaimer: str


def score_view(report: Report) -> ScoreView:
    """Put a report into words."""
    call = report.call
    return ScoreView(
        call=call.score or "Not scorable",
        colour=COLOURS.get(call.score or "", "#888888"),
        heading=_heading(report),
        status=STATUS_WORDS[report.her2_status],
        category=CATEGORY_WORDS.get(call.category, ""),
        reason=call.reason,
        rule=call.rule.edition,
        path=_path(report),
        bars=_bars(report),
        line_percent=10.0,
        alternatives=() if call.agreement.state == "disagree" else _alternatives(call.alternatives),
        banners=_banners(report),
        flags=tuple(FLAG_WORDS.get(flag, flag.replace("_", " ")) for flag in call.flags),
        facts=_facts(report),
        others=_others(report),
        disclaimer=report.disclaimer,
    )


def _alternatives(shares: Mapping[Score, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))


def _heading(report: Report) -> str:
    if report.final is not None:
        return f"Read by {report.reader.reader}" if report.reader else "Read by a person"
    if report.provisional:
        return PROVISIONAL
    return "Score of the program" if report.scorable else "No score"


def _path(report: Report) -> tuple[PathLine, ...]:
    score = report.call.score or "not scorable"
    last = len(report.call.path) - 1
    return tuple(
        PathLine(path_words(step), step.holds, f"→ {score}" if at == last and step.holds else "")
        for at, step in enumerate(report.call.path)
    )


def path_words(step: PathStep) -> str:
    """Return a test in short, e.g. ``complete, intense membrane staining 12.4 % > 10 %``."""
    if step.value is None:
        return step.test
    subject = _AMOUNT.split(step.test, maxsplit=1)[0]
    unit = next((unit for unit in (" %", " µm") if unit in step.test), " cells")
    strict = "more than" in step.test
    sign = {(True, True): ">", (True, False): "≤", (False, True): "≥", (False, False): "<"}[
        strict, step.holds
    ]
    return f"{subject} {number(step.value, step.threshold)}{unit} {sign} {step.threshold:.3g}{unit}"


_AMOUNT = re.compile(r" in (?=more than|fewer|at least|a cluster|all|\d)| of (?=more than)")


def number(value: float, beside: float | None = None) -> str:
    """Return a percentage or a count in short; never rounded onto the threshold ``beside`` it."""
    text = f"{value:.1f}"
    for digits in (2, 3):
        if beside is not None and value != beside and float(text) == beside:
            text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".")


def _bars(report: Report) -> tuple[Bar, ...]:
    bars = []
    for name, words in BAR_WORDS.items():
        if name in report.percent:
            low, high = report.percent_ci95.get(name, (report.percent[name],) * 2)
            bars.append(Bar(name, words, report.percent[name], low, high, COLOURS[name]))
    return tuple(bars)


def _banners(report: Report) -> tuple[str, ...]:
    banners = []
    if report.call.borderline:
        banners.append("Borderline: another score lies within the 95 % interval.")
    if report.call.reflex_ish:
        banners.append("Reflex ISH recommended.")
    return tuple(banners)


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    facts = [("Cells counted", f"{report.cells.evaluable:,}"), ("Cells left out", _left_out(report))]
    if report.h_score is not None:
        facts.append(("H-score", f"{report.h_score:.0f} of 300"))
    facts.append(("Tissue", f"{report.qc.tissue_mm2:.2f} mm²"))
    facts.append(("H&E to IHC", _mapping(report)))
    return tuple(facts)


def _others(report: Report) -> tuple[tuple[str, str], ...]:
    """Return what stands beside the call: the paper's rule, the area of each class, the scorers in pairs."""
    rows = []
    if report.paper is not None:
        n = report.paper.n_patches
        rows.append(("Paper's rule", f"{report.paper.score or 'no score'} (strongest of {n:,} patches)"))
    if report.coverage:
        shares = sorted(report.coverage.items(), reverse=True)
        together = (f"{score} {number(share)} %".replace(" ", "\u00a0") for score, share in shares)
        rows.append(("Tumour area", ", ".join(together)))
    for pair in report.agreement.values():
        one, other = pair.scores
        said = [pair.scores[name] or "not scorable" for name in (one, other)]
        same = "agree" if said[0] == said[1] else "differ"
        share = pair.fraction_agreeing
        area = "no area in common" if share is None else f"same class on {100 * share:.0f} % of the area"
        rows.append((f"{one.capitalize()}, {other}", f"{said[0]} and {said[1]}: {same}; {area}"))
    return (*rows, *second_scorers(report))


def _left_out(report: Report) -> str:
    """Return how many cells do not count, and why."""
    reasons = {name: n for name, n in report.cells.excluded.items() if n}
    words = [
        f"{n:,} {EXCLUDED_WORDS.get(name, name)}" for name, n in sorted(reasons.items(), key=lambda i: -i[1])
    ]
    total = f"{sum(reasons.values()):,}"
    return f"{total} ({', '.join(words)})" if words else total


def _mapping(report: Report) -> str:
    mapping = report.mapping
    if mapping is None:
        return "IHC alone"
    if mapping.residual_um_p50 is None or mapping.residual_um_p90 is None:
        return mapping.reason or "unknown"
    return f"{mapping.kind}, error {mapping.residual_um_p50:.0f} µm (90 %: {mapping.residual_um_p90:.0f} µm)"
