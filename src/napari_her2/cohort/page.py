"""The cohort's page: how it went, how it agrees, and a line for every case that leads to its report."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from napari_her2.report.tables import document, section, table
from napari_her2.vocabulary import DISCLAIMER, SCORES

if TYPE_CHECKING:
    from napari_her2.cohort.rows import CohortRow
    from napari_her2.cohort.summary import Agreement, CohortSummary

__all__ = ["render_cohort"]

STATES: Final = {
    "done": "scored",
    "not_scorable": "not scorable",
    "failed": "could not be worked on",
    "open": "still open",
}
TITLE: Final = "Cohort"


def render_cohort(summary: CohortSummary) -> str:
    """Return the page as HTML, complete in itself; links lead to the cases' own pages beside it."""
    body = "\n".join(
        [
            f'<h1>{TITLE} of {summary.cases} cases</h1>\n<p class="soft">{escape(DISCLAIMER)}</p>',
            _overview(summary),
            section("Agreement with the reference scores", _agreement(summary)),
            section("Could not be worked on", _failures(summary)),
            section("Cases", _cases(summary)),
            f"<footer>{escape(DISCLAIMER)}</footer>",
        ]
    )
    return document(TITLE, body)


def _overview(summary: CohortSummary) -> str:
    states = [(STATES[state], count) for state, count in summary.states.items() if count]
    scores = [(f"HER2 {score}", count) for score, count in summary.scores.items()]
    cost = "" if math.isnan(summary.seconds_per_mm2) else f"{summary.seconds_per_mm2:.1f} s per mm²"
    work = [("IHC tissue", f"{summary.tissue_mm2:.1f} mm²"), ("work, one worker", cost)]
    return section("Overview", table([*states, *scores, *work], numbers=(1,)))


def _agreement(summary: CohortSummary) -> str:
    if not summary.agreement:
        return ""
    head = ("cases", "compared", "equal", "95 % interval", "weighted kappa")
    rows = [_agreement_row(one) for one in summary.agreement]
    grid = [(score, *(_count(summary, score, other) for other in SCORES)) for score in SCORES]
    return (
        table(rows, head, numbers=(1, 2, 3, 4))
        + "<h3>Call (rows) against reference (columns)</h3>"
        + table(grid, ("", *SCORES), numbers=(1, 2, 3, 4))
        + "<p class='soft'>Reference scores are compared, never used. A call and a reader's word differ at"
        " the 0 / 1+ border even between readers.</p>"
    )


def _agreement_row(one: Agreement) -> tuple[str, ...]:
    low, high = one.percent_ci95
    kappa = "-" if math.isnan(one.kappa) else f"{one.kappa:.2f}"
    share = f"{one.equal} ({100 * one.equal / one.cases:.0f} %)"
    return one.group, str(one.cases), share, f"{low:.0f} to {high:.0f} %", kappa


def _count(summary: CohortSummary, score: str, reference: str) -> int:
    return sum(row.score == score and row.reference_score == reference for row in summary.rows)


def _failures(summary: CohortSummary) -> str:
    return table([(row.case, row.reason) for row in summary.rows if row.state == "failed"])


def _cases(summary: CohortSummary) -> str:
    head = ("case", "score", "reference", "3+ %", "2+ %", "1+ %", "0 %", "cells", "mm²", "look at")
    head_line = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "\n".join(_case(row) for row in summary.rows if row.state != "failed")
    return f"<table><tr>{head_line}</tr>\n{lines}</table>" if lines else ""


def _case(row: CohortRow) -> str:
    link = f'<a href="{quote(row.case)}/report.html">{escape(row.case)}</a>'
    shares = (row.percent_3, row.percent_2, row.percent_1, row.percent_0)
    numbers = [*(_percent(share) for share in shares), str(row.evaluable_cells), f"{row.tissue_mm2:.2f}"]
    doubts = [*(["borderline"] * row.borderline), *(flag.replace("_", " ") for flag in row.flags.split())]
    words = [escape(row.score or "not scorable"), escape(row.reference_score)]
    cells = "".join(f"<td>{word}</td>" for word in (link, *words))
    cells += "".join(f'<td class="n">{number}</td>' for number in numbers)
    return f"<tr>{cells}<td>{escape(', '.join(doubts))}</td></tr>"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
