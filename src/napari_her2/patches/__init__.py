"""What a model sees of a slide: the grid in µm, how it is read, and the way back to one picture.

:func:`explode` and :func:`implode` are exact inverses. Nothing here knows models.
"""

from __future__ import annotations

from napari_her2.patches.grid import PatchGrid
from napari_her2.patches.reading import ReadPlan, plan_read, read_patch
from napari_her2.patches.stitching import Stitcher, explode, implode, window_of

__all__ = [
    "PatchGrid",
    "ReadPlan",
    "Stitcher",
    "explode",
    "implode",
    "plan_read",
    "read_patch",
    "window_of",
]
