"""The page of a reader study: agreement as tables, percentages as Bland-Altman plots."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from napari_her2.report.plots import bland_altman_plot, confusion_table
from napari_her2.report.tables import document, section, table
from napari_her2.vocabulary import DISCLAIMER, SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["render_readers"]

TITLE: Final = "Reader study"


def render_readers(study: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    study : mapping
        Plain values, as ``readers.json`` holds them.
    """
    body = "\n".join(
        [
            f'<h1>{TITLE}</h1>\n<p class="soft">{escape(DISCLAIMER)}</p>',
            section("All readers", _all(study)),
            section("Kappa, quadratic weights", _matrix(study)),
            *(_pair(pair, referred=study["reference"] is not None) for pair in study["pairs"]),
            f"<footer>{escape(DISCLAIMER)}</footer>",
        ]
    )
    return document(TITLE, body)


def _all(study: Mapping[str, Any]) -> str:
    reference = study["reference"]
    said = f"{len(study['readers'])} readers, {len(study['cases'])} cases read by at least two. "
    said += f"Measured against {reference}." if reference else "No reader is the reference."
    rows = [(reader, study["unscored"].get(reader, 0)) for reader in study["readers"]]
    not_blind = study.get("not_blind") or []
    warned = (
        f'<div class="banner">{escape(", ".join(not_blind))}: had seen a result before reading at least one '
        "case. Agreement with it means little.</div>"
        if not_blind
        else ""
    )
    fleiss = f"<p>Fleiss' kappa of all readers: {escape(_estimate(study['fleiss']))}</p>"
    head = ("Reader", "cases called not scorable")
    return f'{warned}<p class="soft">{escape(said)}</p>{fleiss}{table(rows, head, numbers=(1,))}'


def _matrix(study: Mapping[str, Any]) -> str:
    """Kappas of all pairs at a glance."""
    readers = study["readers"]
    found = {}
    for pair in study["pairs"]:
        kappa = next(e for e in pair["estimates"] if e["name"] == "kappa, quadratic weights")
        found[pair["one"], pair["other"]] = found[pair["other"], pair["one"]] = kappa["value"]
    rows = [
        (one, *("" if one == other else _number(found.get((one, other))) for other in readers))
        for one in readers
    ]
    return table(rows, ("", *readers), numbers=tuple(range(1, len(readers) + 1)))


def _pair(pair: Mapping[str, Any], *, referred: bool) -> str:
    rows = [(f"{e['name']} {e['of']}".strip(), _estimate(e), e["note"]) for e in pair["estimates"]]
    counts = f"<p>{pair['cases']} cases. Rows: {escape(pair['one'])}; columns: {escape(pair['other'])}.</p>"
    parts = (
        counts + confusion_table(pair["table"], SCORES, f"{pair['one']}, {pair['other']}"),
        table(rows, ("Agreement", "value (95 % interval)", "to be aware of"), numbers=(1,)),
        _percent(pair),
    )
    what = " against the reference " if referred else " and "
    names = (pair["other"], pair["one"]) if referred else (pair["one"], pair["other"])
    return section(what.join(names), "\n".join(part for part in parts if part))


def _percent(pair: Mapping[str, Any]) -> str:
    if not pair["percent"]:
        return ""
    rows = [
        (
            b["of"],
            b["n"],
            f"{b['bias']:+.1f}",
            _ends(b["bias_ci95"]),
            _ends((b["low"], b["high"])),
        )
        for b in pair["percent"]
    ]
    head = ("Class", "cases", "bias (points)", "its 95 % interval", "limits of agreement")
    words = f"{pair['other']} less {pair['one']}, against their mean; dashed: bias and 95 % limits."
    figures = "".join(
        f"<figure>{bland_altman_plot(b)}<figcaption><b>{escape(b['of'])}</b>. {escape(words)}"
        "</figcaption></figure>"
        for b in pair["percent"]
        if b["n"] > 1
    )
    drawn = f'<div class="pictures">{figures}</div>' if figures else ""
    return f"<h3>Percentages</h3>{table(rows, head, numbers=(1, 2, 3, 4))}{drawn}"


def _ends(ends: tuple[float | None, float | None] | list[float | None]) -> str:
    low, high = ends
    return "-" if low is None or high is None else f"{low:+.1f} to {high:+.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _estimate(e: Mapping[str, Any]) -> str:
    if e["value"] is None:
        return "-"
    interval = "" if e["low"] is None else f" ({e['low']:.2f} to {e['high']:.2f})"
    return f"{e['value']:.2f}{interval}"
