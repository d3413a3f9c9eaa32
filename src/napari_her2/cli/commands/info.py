"""``info``: what a slide is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.console import Answer
from napari_her2.slides import Slide, open_slide
from napari_her2.stain import guess_stain

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]

THUMBNAIL_PX: Final = 512


def run(arguments: argparse.Namespace) -> Answer:
    """Describe the slide; pixel size and stain are null where they are unknown."""
    with open_slide(arguments.slide) as slide:
        facts = _facts(slide)
    return Answer(facts, "\n".join(f"{name:<12} {_word(value)}" for name, value in facts.items()))


def _facts(slide: Slide) -> dict[str, Any]:
    um_per_px = slide.um_per_px if slide.has_um_per_px else None
    height, width = slide.shape
    return {
        "name": slide.name,
        "format": slide.format,
        "vendor": slide.vendor,
        "objective": slide.objective,
        "um_per_px": um_per_px,
        "width": width,
        "height": height,
        "size_um": None if um_per_px is None else [width * um_per_px, height * um_per_px],
        "levels": [
            {"shape": list(level.shape), "downsample": level.downsample, "um_per_px": level.um_per_px}
            for level in slide.levels
        ],
        "stain": guess_stain(slide.thumbnail(THUMBNAIL_PX), slide.white),
        "associated": list(slide.associated),
        "icc": slide.icc is not None,
        "bytes": sum(file.stat().st_size for file in slide.files),
    }


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"{v['shape'][1]} x {v['shape'][0]}" for v in value)
    if isinstance(value, list):
        return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value) or "none"
    return str(value)
