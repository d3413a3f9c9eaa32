"""A file → :class:`Slide`: levels, µm/px, colour profile and pixels of any region, lazily and thread-safe."""

from __future__ import annotations

from napari_her2.slides.cache import TileCacheInfo, set_tile_cache_bytes, tile_cache_info
from napari_her2.slides.colour import to_srgb
from napari_her2.slides.info import describe
from napari_her2.slides.levels import Level
from napari_her2.slides.opening import open_slide
from napari_her2.slides.slide import Slide, SlideRef
from napari_her2.slides.white import White, WhiteOrigin, given_white

__all__ = [
    "Level",
    "Slide",
    "SlideRef",
    "TileCacheInfo",
    "White",
    "WhiteOrigin",
    "describe",
    "given_white",
    "open_slide",
    "set_tile_cache_bytes",
    "tile_cache_info",
    "to_srgb",
]
