"""P9: cases per hour of two workers of a cohort against twice those of one."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_her2.cli.bench.setting import Verdict
from napari_her2.errors import InferenceError
from napari_her2.events import Progress, drain

if TYPE_CHECKING:
    from napari_her2.cli.bench.setting import BenchWishes

__all__ = ["two_workers"]

CASES: Final = 8
"""An even number, so that both workers have the same to do."""


def two_workers(wishes: BenchWishes) -> Verdict:
    """P9: equal cases, IHC alone, on one worker and on two, in turn.

    Workers start and import for the first of their cases: speed is taken from when each has finished one to
    the last. The whole times stand beside it.
    """
    from tempfile import TemporaryDirectory

    manifest = _manifest(wishes)
    steady: dict[int, list[float]] = {1: [], 2: []}
    whole: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(wishes.repeat):
        for workers in steady:
            with TemporaryDirectory() as out:
                times = _finished(manifest, Path(out) / "cohort", workers)
            steady[workers].append((CASES - workers) / (times[-1] - times[workers - 1]))
            whole[workers].append(times[-1])
    speed = {n: statistics.median(values) for n, values in steady.items()}
    seconds = {n: statistics.median(values) for n, values in whole.items()}
    return Verdict(
        value=speed[2] / (2 * speed[1]),
        unit="of twice the speed of one worker",
        budget=0.9,
        at_least=True,
        details={
            "cases": CASES,
            "cases_per_minute": {str(n): round(60 * value, 2) for n, value in speed.items()},
            "seconds_with_start": {str(n): round(value, 1) for n, value in seconds.items()},
            "phantom_um": wishes.phantom_um,
            "repeat": wishes.repeat,
        },
    )


def _manifest(wishes: BenchWishes) -> Path:
    """Return a manifest of equal cases on one phantom slide."""
    from napari_her2.phantom import PhantomSpec, render_phantom

    folder = wishes.work / f"cohort-{wishes.phantom_um:g}"
    if not (folder / "truth.json").is_file():
        side = (wishes.phantom_um, wishes.phantom_um)
        drain(render_phantom(PhantomSpec(seed=5, score="2+", size_um=side), folder))
    lines = ["case,he,ihc", *(f"case{k},,ihc.ome.tif" for k in range(CASES))]
    (folder / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "list.csv"


def _finished(manifest: Path, out: Path, workers: int) -> list[float]:
    """Seconds from the beginning to the end of each case."""
    from napari_her2.cohort import CohortRequest, Crew, run_cohort

    times: list[float] = []
    steps = run_cohort(CohortRequest(manifest=manifest, out=out, crew=Crew(workers=workers)))
    began = time.perf_counter()
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            summary = stop.value
            break
        if isinstance(event, Progress) and event.done > len(times):
            times.append(time.perf_counter() - began)
    if summary.states["failed"]:
        raise InferenceError(
            f"{summary.states['failed']} cases of the benchmark failed: {summary.rows[0].reason}"
        )
    return times
