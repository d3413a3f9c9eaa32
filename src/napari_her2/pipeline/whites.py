"""The white of each slide of a case: given, seen on it, seen on the other one, or assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2.slides import White

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.pipeline.plan import SlideFacts
    from napari_her2.slides import Slide

__all__ = ["borrow_white", "white_qc"]


def borrow_white(ihc: Slide, he: Slide | None) -> None:
    """Give a slide without glass the white of the case's other slide, if one scanner made both.

    A scanner is known by the vendor and the objective that the files state; where they are silent nothing
    is borrowed.

    Raises
    ------
    SlideError
        If a tile that glass is looked for on cannot be read.
    """
    if he is None:
        return
    for slide, other in ((ihc, he), (he, ihc)):
        if slide.background.origin == "assumed" and other.background.known and _one_scanner(slide, other):
            slide.give_white(White(other.background.rgb, "other_slide"))


def _one_scanner(one: Slide, other: Slide) -> bool:
    made_by = [(slide.vendor, slide.objective) for slide in (one, other)]
    return None not in made_by[0] and made_by[0] == made_by[1]


def white_qc(slides: Mapping[Any, SlideFacts]) -> dict[str, dict[str, Any]]:
    """Return colour and origin of each slide's white for the report."""
    return {
        role: {"rgb": [round(v, 1) for v in facts.white.rgb], "from": facts.white.origin}
        for role, facts in slides.items()
        if facts.white is not None
    }
