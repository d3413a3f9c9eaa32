"""A case's slides: which it has, how large they are, where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.errors import CaseError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.case import CaseBundle, CaseSlide
    from napari_her2.case.bundle import SlideRole

__all__ = ["slide_of", "slide_path", "slide_shape"]


def slide_of(bundle: CaseBundle, role: SlideRole) -> CaseSlide:
    """Return the slide of a role.

    Raises
    ------
    UsageError
        If the case has none.
    """
    slide = bundle.slide(role)
    if slide is None:
        raise UsageError(f"{bundle.folder.name} has no {role} slide: choose the other one with --slide")
    return slide


def slide_shape(bundle: CaseBundle, role: SlideRole) -> tuple[int, int]:
    """(rows, cols) of a slide's level 0, as the report has it."""
    sha256 = slide_of(bundle, role).sha256
    for facts in bundle.report.provenance.slides:
        if facts.sha256 == sha256 and facts.levels:
            rows, cols = facts.levels[0]["shape"]
            return int(rows), int(cols)
    raise CaseError(f"report.json of {bundle.folder.name} does not state the slide's size: score it again")


def slide_path(bundle: CaseBundle, role: SlideRole) -> Path:
    """Find the file of a slide.

    Raises
    ------
    CaseError
        If it has moved and nobody said where to.
    """
    from napari_her2.case import find_slide

    slide = slide_of(bundle, role)
    path = find_slide(slide, bundle.folder)
    if path is None:
        raise CaseError(
            f"{slide.name} is not where it was: tell the case with `case relink CASE --{role} FILE`"
        )
    return path
