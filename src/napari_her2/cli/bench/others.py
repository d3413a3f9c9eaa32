"""P2, P8, P10: coarse to fine, the cell engine, and what an import costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.bench.setting import Verdict
from napari_her2.cli.bench.slides import confined
from napari_her2.events import drain

if TYPE_CHECKING:
    from napari_her2.cli.bench.setting import BenchWishes
    from napari_her2.inference import Guided
    from napari_her2.pipeline.asking import Asking
    from napari_her2.tissue import TissueMask

__all__ = ["cells", "coarse_to_fine", "imports"]

STATEMENTS: Final = {"numpy": "import numpy", "napari_her2": "import napari_her2"}


def _pair(wishes: BenchWishes) -> Path:
    """Return the folder of a phantom pair."""
    from napari_her2.phantom import PhantomSpec, render_phantom

    folder = wishes.work / f"pair-{wishes.phantom_um:g}"
    if not (folder / "truth.json").is_file():
        spec = PhantomSpec(seed=5, score="2+", size_um=(wishes.phantom_um, wishes.phantom_um))
        drain(render_phantom(spec, folder))
    return folder


def coarse_to_fine(wishes: BenchWishes) -> Verdict:
    """P2: a guided run of the tumour model against the exhaustive one, in turn, after the model was warm.

    Each is what a case does on its H&E: the classical estimate, which guides the one and finds ducts for
    both, then reading and inference.
    """
    from tempfile import TemporaryDirectory

    from napari_her2.inference import PlanWishes, pick_device, resolve
    from napari_her2.models import find_model
    from napari_her2.pipeline.asking import ready
    from napari_her2.pipeline.engine import tumour_class
    from napari_her2.pipeline.tumour import LEAST_TISSUE, OVERLAP, heat_map
    from napari_her2.slides import open_slide
    from napari_her2.tissue import find_tissue

    entry = find_model(wishes.model)
    with (
        open_slide(wishes.he or confined(wishes.work, wishes.size_px)) as slide,
        TemporaryDirectory() as work,
    ):
        tissue = find_tissue(slide)
        asked = PlanWishes(overlap=OVERLAP, least_tissue=LEAST_TISSUE)
        plan = resolve(asked, slide, entry.spec, pick_device(wishes.device), tissue=tissue)
        asking = ready(entry, plan, slide)
        times, (guided, outcome), whole = _in_turn(asking, tissue, Path(work), wishes.repeat)
        index = tumour_class(entry.spec)
        maps = [heat_map(found[..., index], asking.plan.grid, tissue) >= 0.5 for found in (guided, whole)]
    areas = [float(found.sum()) * tissue.um_per_px**2 / 1e6 for found in maps]
    hint, fast, slow = (statistics.median(times[name]) for name in ("classical", "guided", "exhaustive"))
    return Verdict(
        value=(hint + slow) / (hint + fast),
        unit="times as fast as the exhaustive run",
        budget=4.0,
        at_least=True,
        details={
            "without_the_classical_estimate": round(slow / fast, 2),
            "tumour_share": round(float(maps[1].sum() / max(tissue.counted.sum(), 1)), 4),
            "area_mm2": {"guided": round(areas[0], 4), "exhaustive": round(areas[1], 4)},
            "area_change_percent": round(100 * (areas[0] / max(areas[1], 1e-9) - 1), 3),
            **outcome.to_json(),
            "seconds": {name: [round(value, 2) for value in values] for name, values in times.items()},
            "slide": f"phantom of {wishes.size_px} px, tumour in beds"
            if wishes.he is None
            else wishes.he.name,
        },
    )


def _in_turn(
    asking: Asking, tissue: TissueMask, place: Path, repeat: int
) -> tuple[dict[str, list[float]], tuple[Any, Guided], Any]:
    """Run coarse to fine and exhaustively, several times; return the seconds and the last answers."""
    from napari_her2.inference import Agenda
    from napari_her2.pipeline.engine import tumour_class
    from napari_her2.pipeline.keeping import guided_answers, kept_answers
    from napari_her2.pipeline.tumour import hints_of
    from napari_her2.tissue import tumour_region

    plan, index = asking.plan, tumour_class(asking.entry.spec)
    for _ in asking.batches("warm", Agenda(plan.cells[: 2 * plan.batch_size])):
        pass
    times: dict[str, list[float]] = {"classical": [], "guided": [], "exhaustive": []}
    guided = whole = None
    for turn in range(repeat):
        region, took = _timed(tumour_region(asking.slide, tissue, threads=plan.threads))
        times["classical"].append(took)
        hints, folder = hints_of(region, tissue), place / f"guided{turn}"
        guided, took = _timed(guided_answers(asking, folder, "guided", index, hints=hints))
        times["guided"].append(took)
        whole, took = _timed(kept_answers(asking, place / f"whole{turn}", "whole"))
        times["exhaustive"].append(took)
    return times, guided, whole  # type: ignore[return-value]


def _timed(steps: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    found = drain(steps)
    return found, time.perf_counter() - began


def cells(wishes: BenchWishes) -> Verdict:
    """P8: megapixels of tissue per second and core of the cell engine, by CPU time, reading included."""
    from napari_her2.cells import detect_cells
    from napari_her2.slides import open_slide
    from napari_her2.tissue import find_tissue

    rates, found = [], 0
    with open_slide(_pair(wishes) / "ihc.ome.tif") as slide:
        tissue = find_tissue(slide)
        megapixels = float(tissue.counted.sum()) * tissue.level0_px**2 / 1e6
        for _ in range(wishes.repeat):
            began = time.process_time()
            found = len(drain(detect_cells(slide, None, mask=tissue)))
            rates.append(megapixels / (time.process_time() - began))
    return Verdict(
        value=statistics.median(rates),
        unit="Mpx of tissue per second of CPU time",
        budget=2.5,
        at_least=True,
        details={
            "tissue_mpx": round(megapixels, 2), "cells": found, "rates": [round(rate, 3) for rate in rates],
            "phantom_um": wishes.phantom_um,
        },
    )  # fmt: skip


def imports(wishes: BenchWishes) -> Verdict:
    """P10: a fresh ``import napari_her2`` against ``import numpy``."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(max(wishes.repeat, 5)):
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603 - our own code
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return Verdict(
        value=medians["napari_her2"] / medians["numpy"],
        unit="times `import numpy`",
        budget=1.3,
        at_least=False,
        details={"seconds": {name: round(value, 4) for name, value in medians.items()}},
    )
