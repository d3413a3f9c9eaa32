"""What the command ``info`` tells about a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2.slides.hashing import size_of

if TYPE_CHECKING:
    from napari_her2.slides.levels import Level
    from napari_her2.slides.slide import Slide

__all__ = ["describe"]


def describe(slide: Slide) -> dict[str, Any]:
    """Return the facts of a slide, ready for JSON; no pixels are read.

    Of associated images only the names are given: their pixels and comments may identify a patient.

    Parameters
    ----------
    slide : Slide
        Open.

    Returns
    -------
    dict
        ``name, format, vendor, shape, um_per_px, objective, levels, computed_levels, associated, icc,
        size``; shapes are [height, width] in px, ``size`` is bytes on disk, ``um_per_px`` is None where
        unknown. ``levels`` are those of the file; ``computed_levels`` are added below them on reading.
    """
    return {
        "name": slide.name,
        "format": slide.format,
        "vendor": slide.vendor,
        "shape": list(slide.shape),
        "um_per_px": slide.um_per_px if slide.has_um_per_px else None,
        "objective": slide.objective,
        "levels": [_level(level) for level in slide.levels if level.stored],
        "computed_levels": [_level(level) for level in slide.levels if not level.stored],
        "associated": list(slide.associated),
        "icc": slide.icc is not None,
        "size": size_of(slide.files),
    }


def _level(level: Level) -> dict[str, Any]:
    return {"shape": list(level.shape), "downsample": level.downsample, "um_per_px": level.um_per_px}
