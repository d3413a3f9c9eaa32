"""``cohort``: many cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2.cli.console import Answer, follow
from napari_her2.cohort import CohortRequest, Crew, run_cohort
from napari_her2.pipeline import Wishes

if TYPE_CHECKING:
    import argparse

    from napari_her2.cohort import CohortSummary

__all__ = ["run"]

NOTHING_USABLE: Final = 3
WISHES: Final = ("white_ihc", "white_he", "rule", "engine", "device", "min_cells")


def run(arguments: argparse.Namespace) -> Answer:
    """Score the cohort; cases that fail are rows, and only a cohort of nothing else ends with 3."""
    request = CohortRequest(
        manifest=arguments.manifest,
        out=arguments.out,
        options=Wishes(
            **{name: getattr(arguments, name) for name in WISHES},
            corrections=False if arguments.without_corrections else None,
        ),
        crew=Crew(arguments.scheduler, arguments.workers, arguments.retries),
        restart=arguments.restart,
    )
    summary = follow(run_cohort(request), quiet=arguments.json)
    code = NOTHING_USABLE if summary.states["failed"] == summary.cases else 0
    page = arguments.out / "cohort.html"
    return Answer({**summary.to_dict(), "out": str(arguments.out)}, f"{_words(summary)}\n{page}", code)


def _words(summary: CohortSummary) -> str:
    states = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in summary.states.items() if n)
    scores = ", ".join(f"{n} x {score}" for score, n in summary.scores.items() if n)
    lines = [f"{summary.cases} cases: {states}"]
    lines += [f"scores: {scores}"] if scores else []
    if summary.agreement:
        whole = summary.agreement[0]
        lines.append(f"{whole.equal} of {whole.cases} equal their reference score")
    if summary.tissue_mm2:
        lines.append(f"{summary.tissue_mm2:.1f} mm² of IHC tissue, {summary.seconds_per_mm2:.1f} s per mm²")
    return "\n".join(lines)
