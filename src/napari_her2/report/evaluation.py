"""The page of an evaluation: figures with their intervals, plots, and what they were measured on."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from napari_her2.report.plots import confusion_table, decision_plot, reliability_plot
from napari_her2.report.tables import document, section, table
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["render_evaluation"]

KINDS: Final = {
    "phantom": "Synthetic phantoms: nothing is said about patients.",
    "real": "Real images.",
    "unstated": "Whether these are phantoms or real images was not stated.",
}
PER_CLASS: Final = (
    "sensitivity", "specificity", "positive predictive value", "negative predictive value", "F1", "AUC",
    "IoU", "Dice",
)  # fmt: skip
Values = dict[tuple[str, str], dict[str, Any]]


def render_evaluation(parts: Sequence[Mapping[str, Any]], title: str = "Evaluation") -> str:
    """Return the page as HTML.

    Parameters
    ----------
    parts : sequence of mapping
        Plain values of evaluations, as ``evaluation.json`` holds them; shown one after the other, never
        in one column.
    title : str
    """
    body = "\n".join(
        [
            f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(DISCLAIMER)}</p>',
            *(_part(part) for part in parts),
            f"<footer>{escape(DISCLAIMER)}</footer>",
        ]
    )
    return document(title, body)


def _part(part: Mapping[str, Any]) -> str:
    found: Values = {(e["name"], e["of"]): e for e in part["estimates"]}
    noun = "patches" if part["unit"] == "pixels" else "samples"
    said = f"{KINDS[part['kind']]} {part['samples']} {noun} of {part['cases']} cases. "
    said += "Intervals are 95 %, by case."
    content = (
        f'<p class="soft">{escape(said)}</p>',
        _facts(part["facts"]),
        "<h3>Over all</h3>" + _overall(found, part["classes"]),
        "<h3>By class</h3>" + _by_class(found, part["classes"]),
        f"<h3>Confusion ({escape(part['unit'])})</h3>" + confusion_table(part["confusion"], part["classes"]),
        _plots(part),
        _compared(part),
    )
    return section(part["title"] or "Figures", "\n".join(piece for piece in content if piece))


def _facts(facts: Mapping[str, str]) -> str:
    return table(list(facts.items()))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _estimate(e: Mapping[str, Any] | None) -> str:
    if e is None or e["value"] is None:
        return "-"
    if e["low"] is None:
        return _number(e["value"])
    return f"{_number(e['value'])} ({_number(e['low'])} to {_number(e['high'])})"


def _overall(found: Values, classes: Sequence[str]) -> str:
    rows = [
        (f"{name} {of}".strip(), _estimate(e), e["note"])
        for (name, of), e in found.items()
        if not (name in PER_CLASS and of in classes) and not name.startswith("boundary F1")
    ]
    return table(rows, ("Measure", "value", "to be aware of"), numbers=(1,))


def _by_class(found: Values, classes: Sequence[str]) -> str:
    outline = sorted({name for name, _ in found if name.startswith("boundary F1")})
    names = [name for name in (*PER_CLASS, *outline) if any((name, of) in found for of in classes)]
    rows = [(of, *(_estimate(found.get((name, of))) for name in names)) for of in classes]
    return table(rows, ("Class", *names), numbers=tuple(range(1, len(names) + 1)))


def _plots(part: Mapping[str, Any]) -> str:
    figures = []
    if part["reliability"]:
        figures.append((reliability_plot(part["reliability"]), "Reliability of the class that was called."))
    if part["curve"]:
        event = " or ".join(part["event"])
        figures.append(
            (
                decision_plot(part["curve"], part["threshold"]),
                f"Net benefit of acting on {event}: model (blue), acting on all (red), none (grey); "
                f"threshold {part['threshold']:.2f}. Meaningful only if probabilities are calibrated.",
            )
        )
    drawn = "".join(
        f"<figure>{svg}<figcaption>{escape(words)}</figcaption></figure>" for svg, words in figures
    )
    return f'<div class="pictures">{drawn}</div>' if drawn else ""


def _compared(part: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{d['name']} {d['of']}".strip(),
            _estimate(d),
            "-" if d["p"] is None else f"{d['p']:.3f}",
            d["note"],
        )
        for d in part["compared"]
        if d["value"] is not None
    ]
    if not rows:
        return ""
    head = ("Measure", "this less the other", "p (two-sided)", "to be aware of")
    return f"<h3>Against {escape(part['against'])}, paired by case</h3>" + table(rows, head, numbers=(1, 2))
