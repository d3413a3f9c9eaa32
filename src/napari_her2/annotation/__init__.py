"""What a person says about a slide: masks that are painted, areas that are drawn. No Qt, no napari."""

from __future__ import annotations

from napari_her2.annotation.classes import (
    EXCLUSIONS,
    HER2,
    KINDS,
    TUMOUR,
    MaskClass,
    MaskKind,
    to_codes,
    to_labels,
)
from napari_her2.annotation.mask import EditableMask, MaskFacts, Step, StepLog, set_aside
from napari_her2.annotation.model_labels import ModelLabels, read_labels, sampled
from napari_her2.annotation.strokes import Stroke
from napari_her2.annotation.tools import stain_plane, superpixels, wand
from napari_her2.annotation.uncertain import Place, uncertain_labels, uncertain_places
from napari_her2.annotation.window import EditWindow, View, place_window

__all__ = [
    "EXCLUSIONS",
    "HER2",
    "KINDS",
    "TUMOUR",
    "EditWindow",
    "EditableMask",
    "MaskClass",
    "MaskFacts",
    "MaskKind",
    "ModelLabels",
    "Place",
    "Step",
    "StepLog",
    "Stroke",
    "View",
    "place_window",
    "read_labels",
    "sampled",
    "set_aside",
    "stain_plane",
    "superpixels",
    "to_codes",
    "to_labels",
    "uncertain_labels",
    "uncertain_places",
    "wand",
]
