"""``info``: what a slide is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.console import Answer
from napari_her2.slides import Slide, describe, open_slide
from napari_her2.stain import guess_stain

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]

THUMBNAIL_PX: Final = 512
NO_PIXEL_SIZE: Final = "not stated: commands that measure ask for it"
STAINS: Final = {"he": "H&E, as it looks", "ihc": "IHC (DAB), as it looks", "unknown": "unknown"}


def run(arguments: argparse.Namespace) -> Answer:
    """Describe the slide; a pixel size that is unknown is null."""
    with open_slide(arguments.slide) as slide:
        facts = _facts(slide)
    return Answer(facts, _text(facts))


def _facts(slide: Slide) -> dict[str, Any]:
    return {**describe(slide), "stain": guess_stain(slide.thumbnail(THUMBNAIL_PX), slide.white)}


def _text(facts: dict[str, Any]) -> str:
    """Return the facts for a person: width before height, units with every number."""
    lines = {
        "name": facts["name"],
        "format": facts["format"],
        "vendor": facts["vendor"],
        "width x height": f"{_across(facts['shape'])} px",
        "pixel size": f"{facts['um_per_px']} µm" if facts["um_per_px"] else NO_PIXEL_SIZE,
        "objective": f"{facts['objective']:g}x" if facts["objective"] else None,
        "levels": ", ".join(_across(level["shape"]) for level in facts["levels"]),
        "computed levels": ", ".join(_across(level["shape"]) for level in facts["computed_levels"]) or "none",
        "other images": ", ".join(facts["associated"]) or "none",
        "colour profile": "yes" if facts["icc"] else "no",
        "on disk": f"{facts['size'] / 1e6:.1f} MB",
        "stain": STAINS[facts["stain"]],
    }
    return "\n".join(f"{name:<16} {value or 'unknown'}" for name, value in lines.items())


def _across(shape: list[int]) -> str:
    height, width = shape
    return f"{width} x {height}"
