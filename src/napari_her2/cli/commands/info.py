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


def run(arguments: argparse.Namespace) -> Answer:
    """Describe the slide; a pixel size that is unknown is null."""
    with open_slide(arguments.slide) as slide:
        facts = _facts(slide)
    return Answer(facts, "\n".join(f"{name:<16} {_word(value)}" for name, value in facts.items()))


def _facts(slide: Slide) -> dict[str, Any]:
    return {**describe(slide), "stain": guess_stain(slide.thumbnail(THUMBNAIL_PX), slide.white)}


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_level(v) if isinstance(v, dict) else str(v) for v in value) or "none"
    return str(value)


def _level(level: dict[str, Any]) -> str:
    height, width = level["shape"]
    return f"{width} x {height}"
