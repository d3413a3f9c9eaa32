"""What a person says about a slide: masks that are painted, areas that are drawn. No Qt, no napari."""

from __future__ import annotations

from napari_her2.annotation.areas import AREA_COLOURS, REVIEWED, Area, AreaBook, new_area
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
from napari_her2.annotation.mask import EditableMask, MaskFacts, SavedMask, Step, StepLog, set_aside
from napari_her2.annotation.model_labels import ModelLabels, read_labels, sampled
from napari_her2.annotation.polygons import (
    Operation,
    combined,
    mm2,
    polygon_of,
    rasterised,
    rings_of,
    simplified,
)
from napari_her2.annotation.reviewed import Coverage, coverage, outline_raster, reviewed_shape, trusted_labels
from napari_her2.annotation.strokes import AreaStroke, Stroke
from napari_her2.annotation.tools import stain_plane, superpixels, wand
from napari_her2.annotation.uncertain import Place, uncertain_labels, uncertain_places
from napari_her2.annotation.window import EditWindow, View, place_window

__all__ = [
    "AREA_COLOURS",
    "EXCLUSIONS",
    "HER2",
    "KINDS",
    "REVIEWED",
    "TUMOUR",
    "Area",
    "AreaBook",
    "AreaStroke",
    "Coverage",
    "EditWindow",
    "EditableMask",
    "MaskClass",
    "MaskFacts",
    "MaskKind",
    "ModelLabels",
    "Operation",
    "Place",
    "SavedMask",
    "Step",
    "StepLog",
    "Stroke",
    "View",
    "combined",
    "coverage",
    "mm2",
    "new_area",
    "outline_raster",
    "place_window",
    "polygon_of",
    "rasterised",
    "read_labels",
    "reviewed_shape",
    "rings_of",
    "sampled",
    "set_aside",
    "simplified",
    "stain_plane",
    "superpixels",
    "to_codes",
    "to_labels",
    "trusted_labels",
    "uncertain_labels",
    "uncertain_places",
    "wand",
]
