"""Whether the slides are what they were given as: swapped, twice the same, of an unexpected stain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.stain import guess_stain

if TYPE_CHECKING:
    from napari_her2.pipeline.sizing import SizeFound
    from napari_her2.slides import Slide

__all__ = ["Looks", "check_slides"]

THUMBNAIL_PX: Final = 512
SAME_GREY: Final = 4.0
"""Mean difference in grey levels below which two thumbnails show the same slide."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What the slides themselves say.

    Attributes
    ----------
    flags : tuple of str
        ``unexpected_stain``, ``same_slide``.
    reason : str
        Why the IHC cannot be one, if so: then nothing on it is a HER2 score.
    size : SizeFound or None
        What the tissue says of the pixel size; None before it is found.
    """

    flags: tuple[str, ...] = ()
    reason: str = ""
    size: SizeFound | None = None


def check_slides(ihc: Slide, he: Slide | None) -> Looks:
    """Look at both thumbnails.

    Raises
    ------
    SlideError
        If the two slides are swapped beyond doubt, or one file.
    """
    if he is not None and he.path.resolve() == ihc.path.resolve():
        raise SlideError(
            f"{ihc.name} was given as H&E and as IHC: give two different slides with --he and --ihc"
        )
    seen_ihc = _stain(ihc)
    seen_he = "he" if he is None else _stain(he)
    if he is not None and (seen_he, seen_ihc) == ("ihc", "he"):
        raise SlideError(
            f"{he.name} looks like IHC and {ihc.name} like H&E: exchange the two slides (--he and --ihc)"
        )
    odd = ("unexpected_stain",) if seen_he == "ihc" or seen_ihc == "he" else ()
    same = ("same_slide",) if he is not None and _same(he, ihc) else ()
    return Looks((*odd, *same), f"{ihc.name} looks like H&E, not like HER2 IHC" if seen_ihc == "he" else "")


def _stain(slide: Slide) -> str:
    return guess_stain(slide.thumbnail(THUMBNAIL_PX), slide.white)


def _same(one: Slide, other: Slide) -> bool:
    """Whether two files show the same picture, as a slide and its conversion do."""
    shapes = [slide.shape[0] / slide.shape[1] for slide in (one, other)]
    if abs(shapes[0] / shapes[1] - 1) > 0.01:
        return False
    small = [_grey(slide) for slide in (one, other)]
    contrast = min(float(grey.std()) for grey in small)
    return contrast > 2 * SAME_GREY and float(np.abs(small[0] - small[1]).mean()) < SAME_GREY


def _grey(slide: Slide) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    import cv2

    thumbnail = slide.thumbnail(THUMBNAIL_PX)
    grey = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
