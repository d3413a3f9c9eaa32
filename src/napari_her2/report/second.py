"""Who says what beside the cells and under stress, and whether that confirms the call, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2.case import Report
    from napari_her2.case.report import ScorerSays

__all__ = ["second_scorers", "stress_strip"]

STATE_WORDS: Final = {
    "agree": "The second scorers confirm the call.",
    "disagree": "A second scorer does not confirm the call.",
    "not_checked": "No second scorer checked the call.",
}


def second_scorers(report: Report) -> Iterator[tuple[str, str]]:
    """Give a row for the agreement and one for each scorer that looked beside the cells."""
    found = report.call.agreement
    yield "Second scorers", f"{STATE_WORDS[found.state]} {found.reason}".rstrip()
    for one in found.scorers:
        if one.name != "cells":
            yield f"{one.name.capitalize()} say", _says(one)
    if report.stress:
        yield "Stress test", stress_strip(report)


def stress_strip(report: Report) -> str:
    """Return a mark for each change of the picture: a dot where the call stays, else the other score."""
    called = report.call.score
    marks = ("•" if mark.score == called else mark.score or "none" for mark in report.stress)
    strip = "  ".join(f"{mark} {one.what}" for mark, one in zip(marks, report.stress, strict=True))
    flips = sum(mark.score != called for mark in report.stress)
    return f"{flips} of {len(report.stress)} changes flip the call:  {strip}"


def _says(one: ScorerSays) -> str:
    if one.score is None:
        return "no answer"
    words: str = one.score
    if one.share is not None:
        words += f"; {one.share:.0%} of what they judged is so or stronger"
    if one.interval is not None:
        words += f" (95 %: {one.interval[0]:.0%} to {one.interval[1]:.0%}, of sampling)"
    return words if one.looked is None else f"{words}; looked at {one.looked:.0%} of the places"
