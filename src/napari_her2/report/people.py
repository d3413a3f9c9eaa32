"""What people did to a case, in plain words: what is in the numbers, and everything else that was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.report.blocks import Rows, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_her2.case import Report
    from napari_her2.report.blocks import Block

__all__ = ["ACT_WORDS", "CORRECTION_WORDS", "SLIDE_WORDS", "people_blocks"]

SLIDE_WORDS: Final = {"he": "H&E", "ihc": "IHC"}
MASK_WORDS: Final = {"her2": "HER2 classes", "tumour": "tumour area", "exclusions": "exclusions"}

ACT_WORDS: Final[dict[str, str]] = {
    "paint": "painted",
    "undo": "took back",
    "redo": "did again",
    "areas": "drew or changed areas",
    "cells": "judged cells",
    "undo-cells": "took back a verdict on cells",
    "field": "looked at a field of the review",
    "sign": "signed",
    "unseal": "broke the seal to score anew",
    "tumour_area": "confirmed or drew the tumour area",
    "landmarks": "corrected the alignment by pairs of places",
    "import": "imported annotations",
    "reading": "read the case (imported)",
    "override": "overrode the score",
}
"""Acts of ``review.jsonl`` for a person."""

CORRECTION_WORDS: Final[dict[str, str]] = {
    "tumour_area": "Tumour area, drawn or confirmed",
    "cells": "Verdicts on cells",
    **{f"{role}_areas": f"Areas drawn on the {slide}" for role, slide in SLIDE_WORDS.items()},
    **{
        f"{role}_{kind}": f"Mask of {words} on the {slide}"
        for role, slide in SLIDE_WORDS.items()
        for kind, words in MASK_WORDS.items()
    },
}
"""Kinds of corrections of ``provenance.edits`` for a person."""

VERDICT_WORDS: Final = {
    "exclude": "left out",
    "include": "counted",
    "model": "as the program says",
    "excluded": "left out",
    "changed": "given another class",
}
NOT_NAMED: Final = "not named"


def people_blocks(report: Report, entries: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    """Return what people corrected that is in the numbers, then one line per person and kind of act.

    Parameters
    ----------
    report : Report
    entries : sequence of mapping
        Of ``review.jsonl``, the oldest first.
    """
    return (*_in_the_numbers(report.provenance.edits), *_all_acts(entries))


def _in_the_numbers(edits: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    rows = []
    for edit in edits:
        what = str(edit.get("what", ""))
        by: Sequence[Mapping[str, Any]] = edit.get("by") or ({},)
        for k, one in enumerate(by):
            cells = edit.get("changed_cells") if k == len(by) - 1 else None
            rows.append(
                (
                    CORRECTION_WORDS.get(what, what.replace("_", " ")),
                    one.get("who") or NOT_NAMED,
                    one.get("acts", "-"),
                    _span(one.get("first", ""), one.get("last", "")),
                    "-" if cells is None else cells,
                )
            )
    if not rows:
        return ()
    head = ("In the numbers above", "by", "acts", "when (UTC)", "cells that count otherwise")
    return (Rows(tuple(rows), head, numbers=(2, 4)),)


def _all_acts(entries: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((str(entry.get("who") or NOT_NAMED), _act(entry)), []).append(entry)
    rows = tuple(
        (who, act, len(found), _span(found[0].get("time", ""), found[-1].get("time", "")), _said(found[-1]))
        for (who, act), found in groups.items()
    )
    if not rows:
        return ()
    head = ("All that was done, by", "what", "times", "when (UTC)", "the last time")
    note = "Read from the log of the case; what was done after the last score is not in the numbers yet."
    return Rows(rows, head, numbers=(2,)), Text(note, "soft")


def _act(entry: Mapping[str, Any]) -> str:
    """Return what an entry did, and on which mask or slide."""
    act = str(entry.get("act", ""))
    words = ACT_WORDS.get(act, act.replace("_", " ").replace("-", " "))
    role, _, kind = str(entry.get("mask", "")).partition("_")
    if kind:
        return f"{words}: {MASK_WORDS.get(kind, kind)} on the {SLIDE_WORDS.get(role, role)}"
    slide = SLIDE_WORDS.get(str(entry.get("areas", "")))
    return f"{words} on the {slide}" if slide else words


def _span(first: Any, last: Any) -> str:
    """Return from when to when, to the minute; one time where both are the same minute."""
    start, end = (str(time)[:16].replace("T", " ") for time in (first, last))
    if not start:
        return "-"
    if start == end:
        return start
    return f"{start} to {end[11:] if end[:10] == start[:10] else end}"


def _said(entry: Mapping[str, Any]) -> str:
    act, after = entry.get("act"), entry.get("after")
    if act == "cells":
        cells = int(entry.get("cells", 0))
        said = f"{cells} cell{'s' * (cells != 1)}: {_words(entry.get('before'))} → {_words(after)}"
    elif act in ("undo", "redo", "undo-cells"):
        said = "-"
    elif act == "paint":
        tool = str(entry.get("tool", "")).replace("_", " ")
        said = f"{tool}: {_names(after)}".removeprefix(": ")
    elif entry.get("before") not in (None, {}, []):
        said = f"{_words(entry['before'])} → {_words(after)}"
    else:
        said = _words(after)
    more = entry.get("reason") or entry.get("comment")
    return _cut(f"{said} ({more})" if more else said)


def _names(after: Any) -> str:
    return ", ".join(str(name) for name in after) if isinstance(after, dict) else _words(after)


def _words(value: Any) -> str:
    """Return a value of the log as words: ``{"score": "2+"}`` is ``score 2+``."""
    if value in (None, "", {}, []):
        return "-"
    if isinstance(value, dict):
        return ", ".join(_pair(name, one) for name, one in value.items() if one not in (None, {}, "", []))
    if isinstance(value, list):
        return f"{len(value)} areas" if len(value) > 1 else _area(value[0])
    return VERDICT_WORDS.get(str(value), str(value).replace("_", " "))


def _area(area: Any) -> str:
    if not isinstance(area, dict) or "mm2" not in area:
        return _words(area)
    return f"{area.get('class', '')} {float(area['mm2']):.3g} mm²".strip()


def _pair(name: str, value: Any) -> str:
    word = str(name).replace("_", " ")
    if isinstance(value, dict):
        return f"{word}: {_words(value)}"
    return f"{word} {_words(value)}"


def _cut(text: str) -> str:
    return text if len(text) <= 90 else text[:89] + "…"
