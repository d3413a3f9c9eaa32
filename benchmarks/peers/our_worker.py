"""One slide through this project, told as the peers tell it: ``our_worker.py SLIDE SPEC PRECISION``."""

from __future__ import annotations

import sys
import time

from patch_network import tell

from napari_her2.inference import BatchDone, PlanWishes, load_planned, pick_device, resolve, run
from napari_her2.models import find_model
from napari_her2.slides import open_slide


def main() -> None:
    path, spec, precision = sys.argv[1:]
    entry = find_model(spec)
    with open_slide(path) as slide:
        wishes = PlanWishes(least_tissue=0.0, overlap=0.0, precision=precision)
        plan = resolve(wishes, slide, entry.spec, pick_device("cpu"), weights_bytes=entry.weights_bytes)
        plan, models = load_planned(plan, slide, entry)
        began = time.perf_counter()
        done = [e for e in run(plan, slide=slide, model=models) if isinstance(e, BatchDone)]
        seconds = time.perf_counter() - began
    corners = [(x, y) for event in done for y, x in plan.grid.starts(event.cells).tolist()]
    tell(seconds, corners, [p for event in done for p in event.probabilities[:, -1].tolist()])


if __name__ == "__main__":
    main()
