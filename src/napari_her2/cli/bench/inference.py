"""P1, P3, P6, P7: patch inference over a whole slide against its parts, its memory and its finish."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.cli.bench.setting import Verdict
from napari_her2.cli.bench.slides import large_slide
from napari_her2.errors import InferenceError
from napari_her2.events import Progress
from napari_her2.geometry import Box
from napari_her2.inference import (
    Agenda,
    BatchDone,
    PlanWishes,
    camera_first,
    load_planned,
    pick_device,
    resolve,
    run,
)
from napari_her2.inference.device import begin_worker, threads_put_back
from napari_her2.models import find_model
from napari_her2.patches import read_patch
from napari_her2.slides import open_slide, set_tile_cache_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2.cli.bench.setting import BenchWishes
    from napari_her2.inference import Plan
    from napari_her2.models import PatchModel
    from napari_her2.slides import Slide

__all__ = ["finish", "first_pixels", "memory", "whole_slide"]

CACHE_BYTES: Final = 256 * 2**20
MOST_CALLS: Final = 24
"""Calls of the model for its floor: its speed does not depend on how many there are."""


class _Bench:
    """A slide, a plan over all of it, and the models, ready."""

    def __init__(self, wishes: BenchWishes, slide: Slide) -> None:
        entry = find_model(wishes.model)
        asked = PlanWishes(least_tissue=0.0, precision=wishes.precision)  # type: ignore[arg-type]
        device = pick_device(wishes.device)
        plan = resolve(asked, slide, entry.spec, device, weights_bytes=entry.weights_bytes)
        self.slide = slide
        self.plan, self.models = load_planned(plan, slide, entry)


def whole_slide(wishes: BenchWishes) -> Verdict:
    """P1: patches per second of a run against the floor of its parts."""
    with open_slide(large_slide(wishes.work, wishes.size_px)) as slide:
        bench = _Bench(wishes, slide)
        plan = bench.plan
        parts: dict[str, Callable[[], tuple[float, int]]] = {
            "model": lambda: _model_alone(plan, bench.models, slide),
            "read": lambda: _read_alone(plan, slide),
            "run": lambda: _run(plan, bench.models, slide),
        }
        rates: dict[str, list[float]] = {name: [] for name in parts}
        work: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(wishes.repeat):
            for name, measure in parts.items():
                set_tile_cache_bytes(0)
                set_tile_cache_bytes(CACHE_BYTES)
                began = time.process_time()
                speed, n = measure()
                rates[name].append(speed)
                work[name].append((time.process_time() - began) / n)
    rate = {name: statistics.median(values) for name, values in rates.items()}
    cost = {name: statistics.median(values) for name, values in work.items()}
    on_card = plan.device.startswith("cuda")
    both = min(rate["model"], rate["read"]) if on_card else 1 / (1 / rate["model"] + 1 / rate["read"])
    return Verdict(
        value=rate["run"] / both,
        unit="of the floor",
        budget=0.85 if on_card else 0.9,
        at_least=True,
        details={
            "patches_per_s": {name: round(value, 2) for name, value in rate.items()},
            "floor_patches_per_s": round(both, 2),
            "cpu_s_per_patch": {name: round(value, 5) for name, value in cost.items()},
            "parts_of_the_runs_cpu_time": round((cost["model"] + cost["read"]) / cost["run"], 3),
            "size_px": wishes.size_px,
            "plan": plan.record(),
            "workers": plan.workers,
            "repeat": wishes.repeat,
        },
    )


def _model_alone(plan: Plan, models: tuple[PatchModel, ...], slide: Slide) -> tuple[float, int]:
    """Patches per second of the workers, with patches at hand; and how many they were asked in all."""
    cells = plan.cells[: plan.call_size]
    batch = np.stack([read_patch(slide, plan.grid, plan.read, row, col) for row, col in cells])
    calls = max(min(-(-len(plan) // plan.call_size), MOST_CALLS), plan.workers)
    with (
        threads_put_back(),
        ThreadPoolExecutor(plan.workers, "her2-bench", begin_worker, (plan.device,)) as pool,
    ):
        list(pool.map(models[0].predict, [batch] * plan.workers))
        began = time.perf_counter()
        list(pool.map(models[0].predict, [batch] * calls))
        rate = calls * len(batch) / (time.perf_counter() - began)
    return rate, (calls + plan.workers) * len(batch)


def _read_alone(plan: Plan, slide: Slide) -> tuple[float, int]:
    """Patches per second that all readers give, in the run's order."""
    pieces = [plan.cells[k : k + plan.call_size] for k in range(0, len(plan), plan.call_size)]

    def read(cells: Any) -> None:
        for row, col in cells:
            read_patch(slide, plan.grid, plan.read, row, col)

    cores = max(plan.readers, plan.workers)
    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(read, pieces))
    return len(plan) / (time.perf_counter() - began), len(plan)


def _run(plan: Plan, models: tuple[PatchModel, ...], slide: Slide) -> tuple[float, int]:
    began = time.perf_counter()
    for _ in run(plan, slide=slide, model=models):
        pass
    return len(plan) / (time.perf_counter() - began), len(plan)


def first_pixels(wishes: BenchWishes) -> Verdict:
    """P3 without a window: time to the first answers in the visible region, in calls of the model."""
    with open_slide(large_slide(wishes.work, wishes.size_px)) as slide:
        bench = _Bench(wishes, slide)
        plan, models = bench.plan, bench.models
        side = wishes.size_px // 2
        view = Box(side, side, min(1024, side), min(1024, side))
        waits, calls = [], []
        for _ in range(wishes.repeat):
            calls.append(plan.call_size * plan.workers / _model_alone(plan, models, slide)[0])
            set_tile_cache_bytes(0)
            set_tile_cache_bytes(CACHE_BYTES)
            agenda = Agenda(plan.cells)
            agenda.reorder(camera_first(plan.grid, view))
            began = time.perf_counter()
            events = run(plan, slide=slide, model=models, agenda=agenda)
            first = next(events)
            waits.append(time.perf_counter() - began)
            if not (isinstance(first, BatchDone) and plan.grid.box(*first.cells[0].tolist()).intersect(view)):
                raise InferenceError("the first answers are not of the visible region: report this")
            events.close()  # type: ignore[attr-defined]
    wait, call = statistics.median(waits), statistics.median(calls)
    return Verdict(
        value=wait / call,
        unit="times a call of the model that all workers make at once",
        budget=2.0,
        at_least=False,
        details={"seconds": round(wait, 3), "call_s": round(call, 3), "call_size": plan.call_size},
    )


PROBE: Final = """
import resource, sys
from pathlib import Path
import numpy, torch, zarr, scipy.ndimage, skimage, cv2, tifffile, timm
from napari_her2 import inference, models, pipeline, slides
from napari_her2.events import drain
models.load_model(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
request = pipeline.PredictRequest(
    slide=Path(sys.argv[1]), model=sys.argv[2], out=Path(sys.argv[3]), device=sys.argv[4],
    wishes=inference.PlanWishes(least_tissue=0.0),
)
drain(pipeline.predict_slide(request))
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(wishes: BenchWishes) -> Verdict:
    """P6: most memory of `predict` above the imports, on a slide and on one of a sixteenth of its area.

    A slide that is named is measured as well.
    """
    if sys.platform == "win32":
        return Verdict(value=None, unit="GiB above imports", budget=2.0, at_least=False, details={})
    sizes = (wishes.size_px // 4, wishes.size_px)
    small, large = (_memory(large_slide(wishes.work, size), wishes) for size in sizes)
    named = {} if wishes.he is None else {wishes.he.name: _memory(wishes.he, wishes)}
    return Verdict(
        value=max(small, large, *named.values()),
        unit="GiB above imports",
        budget=2.0,
        at_least=False,
        details={
            "gib_by_size_px": {str(size): round(n, 3) for size, n in zip(sizes, (small, large), strict=True)},
            "growth_sixteenfold_area": round(large / max(small, 1e-9), 3),
            **({"gib_by_slide": {name: round(n, 3) for name, n in named.items()}} if named else {}),
        },
    )


def _memory(slide: Path, wishes: BenchWishes) -> float:
    """GiB of a process of its own, at its highest, above what it needed for imports and the model."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as out:
        words = [sys.executable, "-c", PROBE, str(slide), wishes.model, out, wishes.device]
        said = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    before, most = (int(word) for word in said.stdout.split()[-2:])
    return (most - before) / (2**30 if sys.platform == "darwin" else 2**20)


def finish(wishes: BenchWishes) -> Verdict:
    """P7: what `predict` does after its last patch (table, rasters, record), against the patches."""
    from tempfile import TemporaryDirectory

    from napari_her2.pipeline import PredictRequest, predict_slide

    path = large_slide(wishes.work, wishes.size_px)
    with TemporaryDirectory() as out:
        request = PredictRequest(
            slide=path, model=wishes.model, out=wishes.work.__class__(out), device=wishes.device,
            wishes=PlanWishes(least_tissue=0.0),
        )  # fmt: skip
        first = last = 0.0
        steps = predict_slide(request)
        while True:
            try:
                event = next(steps)
            except StopIteration:
                break
            if isinstance(event, Progress) and event.stage == "predict":
                last = time.perf_counter()
                first = first or last
        end = time.perf_counter()
    return Verdict(
        value=(end - last) / max(last - first, 1e-9),
        unit="of the time of the patches",
        budget=0.10,
        at_least=False,
        details={
            "patches_s": round(last - first, 2), "finish_s": round(end - last, 2), "size_px": wishes.size_px,
        },
    )  # fmt: skip
