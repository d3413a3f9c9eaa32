"""H&E ↔ IHC: where a place of one slide lies on the other, and how sure that is."""

from __future__ import annotations

from napari_her2.mapping.carry import UNSURE, carry_box, carry_mask, carry_polygon, carry_raster, gate
from napari_her2.mapping.chosen import ChosenPatches
from napari_her2.mapping.frame import SlideFrame
from napari_her2.mapping.landmarks import Landmarks, read_landmarks, write_landmarks
from napari_her2.mapping.matching import (
    PatchMatching,
    match_patches,
    overlap_weights,
    paper_matching,
    soft_matching,
)
from napari_her2.mapping.pairs import MATCHINGS, MatchingName, pair_table
from napari_her2.mapping.refit import leave_one_out_um, refit
from napari_her2.mapping.registration import register, register_images
from napari_her2.mapping.settings import MappingSettings
from napari_her2.mapping.slide_mapping import MappingQuality, SlideMapping
from napari_her2.mapping.stored import load_mapping, save_mapping

__all__ = [
    "MATCHINGS",
    "UNSURE",
    "ChosenPatches",
    "Landmarks",
    "MappingQuality",
    "MappingSettings",
    "MatchingName",
    "PatchMatching",
    "SlideFrame",
    "SlideMapping",
    "carry_box",
    "carry_mask",
    "carry_polygon",
    "carry_raster",
    "gate",
    "leave_one_out_um",
    "load_mapping",
    "match_patches",
    "overlap_weights",
    "pair_table",
    "paper_matching",
    "read_landmarks",
    "refit",
    "register",
    "register_images",
    "save_mapping",
    "soft_matching",
    "write_landmarks",
]
