"""What a person says about a slide: masks that are painted, areas that are drawn. No Qt, no napari."""

from __future__ import annotations

from napari_her2.annotation.classes import EXCLUSIONS, HER2, KINDS, TUMOUR, MaskClass, MaskKind
from napari_her2.annotation.mask import EditableMask, MaskFacts, Step, StepLog, set_aside
from napari_her2.annotation.strokes import Stroke

__all__ = [
    "EXCLUSIONS",
    "HER2",
    "KINDS",
    "TUMOUR",
    "EditableMask",
    "MaskClass",
    "MaskFacts",
    "MaskKind",
    "Step",
    "StepLog",
    "Stroke",
    "set_aside",
]
