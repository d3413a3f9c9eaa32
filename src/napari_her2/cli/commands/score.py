"""``score``: the main job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2.cli.console import Answer, follow
from napari_her2.pipeline import CaseRequest, Wishes, score_case

if TYPE_CHECKING:
    import argparse

    from napari_her2.case import Report

__all__ = ["NOT_SCORABLE", "report_text", "run"]

NOT_SCORABLE: Final = 5
WISHES: Final = (
    "um_per_px_ihc",
    "um_per_px_he",
    "white_ihc",
    "white_he",
    "roi",
    "rule",
    "ish",
    "engine",
    "tumour_model",
    "stain_model",
    "segment_model",
    "device",
    "min_cells",
    "pieces",
    "calibrate",
    "exhaustive",
    "stress",
)


def run(arguments: argparse.Namespace) -> Answer:
    """Score the case; one that cannot be scored has a report, too, and ends with 5."""
    request = CaseRequest(
        ihc=arguments.ihc,
        he=arguments.he,
        out=arguments.out,
        options=Wishes(
            **{name: getattr(arguments, name) for name in WISHES},
            corrections=False if arguments.without_corrections else None,
        ),
        restart=arguments.restart,
    )
    report = follow(score_case(request), quiet=arguments.json)
    text = f"{report_text(report)}\n{arguments.out / 'report.html'}"
    return Answer(report.to_dict(), text, 0 if report.scorable else NOT_SCORABLE)


def report_text(report: Report) -> str:
    """Return a report for a person at a terminal."""
    call = report.call
    head = "not scorable" if call.score is None else f"HER2 {call.score}, {report.her2_status}"
    n = report.cells.evaluable
    shares = ", ".join(f"{name} {share:.1f} %" for name, share in report.percent.items())
    lines = [
        f"{head} (provisional: tumour area not confirmed)" if report.provisional else head,
        call.reason,
        f"{n} evaluable cells: {shares}" if n else "no evaluable cells",
        *(["borderline: within the uncertainty the cells could also mean another score"] * call.borderline),
        *([f"flags: {', '.join(call.flags)}"] if call.flags else []),
        report.disclaimer,
    ]
    return "\n".join(lines)
