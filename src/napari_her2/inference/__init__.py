"""Running one model over one slide: wishes and reality become a frozen plan, the plan becomes events.

One sequential loop: read, batch, predict. Torch comes in when a device is picked or a plan runs.
"""

from __future__ import annotations

from napari_her2.inference.device import Device, pick_device
from napari_her2.inference.gather import patch_raster, pixel_raster
from napari_her2.inference.novelty import judge_novelty
from napari_her2.inference.plan import Plan, PlanWishes, resolve
from napari_her2.inference.run import BatchDone, Event, run

__all__ = [
    "BatchDone",
    "Device",
    "Event",
    "Plan",
    "PlanWishes",
    "judge_novelty",
    "patch_raster",
    "pick_device",
    "pixel_raster",
    "resolve",
    "run",
]
