"""Running one model over one slide: wishes and reality become a frozen plan, the plan becomes events.

Threads read ahead, workers predict, the caller writes; what is still to run may be put in another order
meanwhile. Torch comes in when a device is picked or a plan runs.
"""

from __future__ import annotations

from napari_her2.inference.agenda import (
    Agenda,
    Rank,
    camera_first,
    coarse_to_fine,
    in_turn,
    most_first,
)
from napari_her2.inference.cheap import cheap_features, raster_features
from napari_her2.inference.device import Device, pick_device
from napari_her2.inference.gather import patch_raster, pixel_raster
from napari_her2.inference.guided import Guided, first_seen, guide
from napari_her2.inference.loading import load_planned
from napari_her2.inference.novelty import Sample, judge_novelty
from napari_her2.inference.plan import Plan, PlanWishes, resolve
from napari_her2.inference.run import BatchDone, Event, run

__all__ = [
    "Agenda",
    "BatchDone",
    "Device",
    "Event",
    "Guided",
    "Plan",
    "PlanWishes",
    "Rank",
    "Sample",
    "camera_first",
    "cheap_features",
    "coarse_to_fine",
    "first_seen",
    "guide",
    "in_turn",
    "judge_novelty",
    "load_planned",
    "most_first",
    "patch_raster",
    "pick_device",
    "pixel_raster",
    "raster_features",
    "resolve",
    "run",
]
