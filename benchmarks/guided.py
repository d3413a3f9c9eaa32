"""P2: a guided run of the tumour model against the exhaustive one, on one slide: patches, CPU time, area.

Usage: python benchmarks/guided.py SLIDE [--model NAME] [--work DIR]. Both runs keep answers under DIR and
go on from there when they are started again; the guided one then reports only the CPU time of its last start.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from napari_her2.events import drain
from napari_her2.inference import PlanWishes, pick_device, resolve
from napari_her2.models import find_model
from napari_her2.pipeline.asking import ready
from napari_her2.pipeline.engine import tumour_class
from napari_her2.pipeline.keeping import guided_answers, kept_answers
from napari_her2.pipeline.tumour import LEAST_TISSUE, OVERLAP, heat_map
from napari_her2.slides import open_slide
from napari_her2.tissue import find_tissue


def timed(steps: Any) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = drain(steps)
    return found, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--model", default="tumour-tiny")
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    entry = find_model(given.model)
    with open_slide(given.slide) as slide, TemporaryDirectory() as fresh:
        work = given.work or Path(fresh)
        tissue = find_tissue(slide)
        wishes = PlanWishes(overlap=OVERLAP, least_tissue=LEAST_TISSUE)
        asking = ready(entry, resolve(wishes, slide, entry.spec, pick_device("cpu"), tissue=tissue), slide)
        index = tumour_class(entry.spec)
        (guided, outcome), wall, cpu = timed(guided_answers(asking, work / "guided", "guided", index))
        whole, whole_wall, whole_cpu = timed(kept_answers(asking, work / "whole", "whole"))
        maps = [heat_map(found[..., index], asking.plan.grid, tissue) >= 0.5 for found in (guided, whole)]
        area = [float(found.sum()) * tissue.um_per_px**2 / 1e6 for found in maps]
        print(
            json.dumps(
                {
                    "P2": {
                        "tumour_share": round(float(maps[1].sum() / max(tissue.counted.sum(), 1)), 4),
                        "area_mm2": {"guided": round(area[0], 4), "exhaustive": round(area[1], 4)},
                        "area_change_percent": round(100 * (area[0] / max(area[1], 1e-9) - 1), 3),
                        "pixels_that_differ_percent": round(
                            100 * float((maps[0] != maps[1]).sum() / max(maps[1].sum(), 1)), 3
                        ),
                        **outcome.to_json(),
                        "precision": asking.plan.precision,
                        "cpu_s": {"guided": round(cpu, 1), "exhaustive": round(whole_cpu, 1)},
                        "wall_s": {"guided": round(wall, 1), "exhaustive": round(whole_wall, 1)},
                        "times_faster_cpu": round(whole_cpu / cpu, 2),
                        "times_fewer_patches": round(outcome.patches / max(outcome.asked, 1), 2),
                        "budget": 4.0,
                    }
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
