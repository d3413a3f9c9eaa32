"""Synthetic serial sections, H&E and HER2, with known truth.

Importing this room is light; the drawing code (numba) comes in when a scene is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.phantom.faults import FAULT_NAMES, Faults, parse_faults
from napari_her2.phantom.spec import MIX_KEYS, TYPICAL_MIXES, UM_PER_PX, PhantomSpec
from napari_her2.phantom.truth import PhantomTruth, guideline_score, render_phantom

if TYPE_CHECKING:
    from napari_her2.phantom.scene import PhantomScene

__all__ = [
    "FAULT_NAMES",
    "MIX_KEYS",
    "TYPICAL_MIXES",
    "UM_PER_PX",
    "Faults",
    "PhantomScene",
    "PhantomSpec",
    "PhantomTruth",
    "guideline_score",
    "parse_faults",
    "render_phantom",
]


def __getattr__(name: str) -> type[PhantomScene]:
    if name == "PhantomScene":
        from napari_her2.phantom.scene import PhantomScene

        return PhantomScene
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
