"""Files → slides for the window: what each of them is, and which goes where.

What reads pixels is for a background thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.session import OpenSlide
from napari_her2._napari.sources import SlideSource
from napari_her2.errors import UsageError
from napari_her2.events import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_her2._napari.tiles import TileLoader
    from napari_her2.events import Steps
    from napari_her2.slides import Slide

__all__ = [
    "assign",
    "close_slides",
    "default_case_folder",
    "open_for_window",
    "open_slides",
    "slides_in",
]

THUMBNAIL_PX = 512


Known = Mapping[str, TilePyramid]
"""Pyramids that are on the screen already, by path (or by role for a case)."""

NONE: Known = MappingProxyType({})


def open_slides(
    paths: Sequence[Path], loader: TileLoader, known: Known = NONE
) -> Steps[tuple[OpenSlide, ...]]:
    """Open slides and guess their stains; for a background thread.

    Raises
    ------
    SlideError
        If a file cannot be used as a slide; those opened before it are closed again.
    """
    opened: list[OpenSlide] = []
    try:
        for at, path in enumerate(paths):
            yield Progress("opening", at, len(paths), "slides")
            opened.append(open_for_window(path, loader, known.get(str(path))))
    except BaseException:
        for slide in opened:
            slide.pyramid.close()
        raise
    return tuple(opened)


def open_for_window(path: Path, loader: TileLoader, pyramid: TilePyramid | None = None) -> OpenSlide:
    """Open one slide (unless it is on the screen already) and look at its thumbnail."""
    from napari_her2.slides import open_slide
    from napari_her2.stain import guess_stain

    if pyramid is None or not isinstance(pyramid.source, SlideSource):
        pyramid = TilePyramid(SlideSource(open_slide(path, option="the field µm/px")), loader, live=True)
    slide: Slide = pyramid.source.slide  # type: ignore[attr-defined]
    try:
        stain = guess_stain(slide.thumbnail(THUMBNAIL_PX), np.asarray(slide.white))
    except BaseException:
        pyramid.close()
        raise
    return OpenSlide(
        path=Path(path),
        name=slide.name,
        shape=slide.shape,
        stated_um_per_px=_stated(slide),
        stain=stain,
        picture=slide.format == "field",
        pyramid=pyramid,
    )


def _stated(slide: Slide) -> float | None:
    return slide.um_per_px if slide.has_um_per_px else None


def assign(slides: Sequence[OpenSlide]) -> tuple[OpenSlide | None, OpenSlide | None]:
    """Return (H&E, IHC) of one or two slides, by their stains; in doubt the first is the H&E.

    Raises
    ------
    UsageError
        If there are more than two.
    """
    if len(slides) > 2:
        raise UsageError(f"{len(slides)} files were given: open one H&E and one IHC slide of the same block")
    if len(slides) == 1:
        return (slides[0], None) if slides[0].stain == "he" else (None, slides[0])
    first, second = slides
    turned = (first.stain == "ihc" and second.stain != "ihc") or (
        second.stain == "he" and first.stain != "he"
    )
    return (second, first) if turned else (first, second)


def with_um_per_px(slide: OpenSlide, um_per_px: float) -> OpenSlide:
    """Return the slide with the pixel size that a person typed.

    Raises
    ------
    UsageError
        If it is outside 0.02 to 100 µm.
    """
    if not 0.02 <= um_per_px <= 100:
        raise UsageError(
            f"{um_per_px:g} µm/px is outside 0.02 to 100: a 40x scan has about 0.25, a 20x scan 0.5"
        )
    return replace(slide, given_um_per_px=um_per_px)


def default_case_folder(ihc: Path, preferred: str = "") -> Path:
    """Return where a new case goes: in the preferred folder, or beside the IHC slide."""
    home = Path(preferred).expanduser() if preferred else ihc.parent
    stem = ihc.name.split(".", maxsplit=1)[0] or ihc.stem
    return home / f"{stem}-her2"


def slides_in(values: Iterable[Any]) -> list[OpenSlide]:
    """Return the slides among values that may be nested in tuples and dictionaries."""
    found = []
    for value in values:
        if isinstance(value, OpenSlide):
            found.append(value)
        elif isinstance(value, tuple | dict):
            found += slides_in(value.values() if isinstance(value, dict) else value)
    return found


def close_slides(slides: Iterable[OpenSlide]) -> None:
    """Close slides that nobody shows."""
    for slide in slides:
        slide.pyramid.close()
