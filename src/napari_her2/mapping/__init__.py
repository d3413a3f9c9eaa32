"""H&E ↔ IHC: where a place of one slide lies on the other, and how sure that is."""

from __future__ import annotations

from napari_her2.mapping.landmarks import Landmarks, read_landmarks, write_landmarks
from napari_her2.mapping.registration import register, register_images
from napari_her2.mapping.settings import MappingSettings
from napari_her2.mapping.slide_mapping import MappingQuality, SlideMapping
from napari_her2.mapping.stored import load_mapping, save_mapping

__all__ = [
    "Landmarks",
    "MappingQuality",
    "MappingSettings",
    "SlideMapping",
    "load_mapping",
    "read_landmarks",
    "register",
    "register_images",
    "save_mapping",
    "write_landmarks",
]
