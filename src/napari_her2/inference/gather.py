"""From batches to one picture, for regions that fit into memory; slides go to the result store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.inference.run import BatchDone
from napari_her2.patches import Stitcher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_her2.inference.plan import Plan

__all__ = ["patch_raster", "pixel_raster"]

MOST_PX: Final = 2**26


def patch_raster(plan: Plan, events: Iterable[Any]) -> NDArray[np.float32]:
    """Probabilities by place in the grid.

    Returns
    -------
    ndarray of shape (rows, cols, c), float32
        NaN where nothing ran.
    """
    out = np.full((*plan.grid.shape, len(plan.spec.classes)), np.nan, np.float32)
    for event in events:
        if isinstance(event, BatchDone):
            out[event.cells[:, 0], event.cells[:, 1]] = event.probabilities
    return out


def pixel_raster(plan: Plan, events: Iterable[Any]) -> NDArray[np.float32]:
    """Stitch a segmentation of the plan's region at the model's µm/px, overlaps blended (Hann).

    Returns
    -------
    ndarray of shape (c, rows, cols), float32
        NaN where nothing ran.

    Raises
    ------
    UsageError
        If the region is too large to hold at once.
    """
    scale = plan.grid.level0_px
    top, left = round(plan.region.row / scale), round(plan.region.col / scale)
    shape = (max(round(plan.region.height / scale), 1), max(round(plan.region.width / scale), 1))
    if shape[0] * shape[1] > MOST_PX:
        raise UsageError(f"the region is {shape[0]} x {shape[1]} px for the model: choose up to {MOST_PX} px")
    canvas = Stitcher(shape, len(plan.spec.classes), plan.grid.size_px, dtype=np.float32)
    for event in events:
        if isinstance(event, BatchDone):
            for (row, col), patch in zip(event.cells * plan.grid.stride_px, event.probabilities, strict=True):
                canvas.add(patch, int(row) - top, int(col) - left)
    return np.asarray(canvas.result(np.nan), np.float32)
