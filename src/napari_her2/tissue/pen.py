"""Pen on the glass: dyes whose hue no tissue stain has, and black felt.

Each dye is told by its direction in density space. Haematoxylin absorbs red about as much as green,
eosin and DAB absorb red least; none absorbs only red (green ink), only red and green (blue ink), or
green and blue without any red (red ink). Over tissue the densities add up, so that ink shows as a
shift against the slide's own hue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.tissue.evidence import grown, keep_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.tissue.evidence import Evidence, Plane

    Mask = NDArray[np.bool_]
    Rule = tuple[Mask, Mask]

__all__ = ["find_pen"]

_SMALLEST_UM2: Final = 20_000.0
"""A pen stroke is never smaller (140 µm square), except on a picture that is small itself."""
_SMALLEST_SHARE: Final = 0.01
_COLOURED: Final = 0.5
"""If less of the rest is coloured, the tissue itself is black (silver stains)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Hue:
    """Densities relative to each other; ``seen`` keeps the absolute ones."""

    seen: Evidence
    total: Plane
    red: Plane  # share of red in the total
    red_green: Plane  # ratios
    blue_green: Plane
    tissue_red: float  # medians over what is surely no ink
    tissue_red_green: float
    tissue_blue_green: float

    @property
    def eosin(self) -> bool:
        """Whether the tissue is pink: on H&E nothing is grey, on IHC nothing is red."""
        return self.tissue_blue_green < 0.75 and self.tissue_red < 0.36

    def strokes(self, sure: Mask, maybe: Mask) -> Mask:
        """Sure places that are large enough, grown."""
        least = min(self.seen.area_px(_SMALLEST_UM2, 3), max(round(_SMALLEST_SHARE * sure.size), 3))
        return grown(keep_large(sure, least), maybe)


def find_pen(seen: Evidence) -> NDArray[np.bool_]:
    """Find ink of any colour.

    Parameters
    ----------
    seen : Evidence

    Returns
    -------
    bool ndarray of shape (rows, cols)
    """
    hue = _hue(seen)
    found = _black(hue)
    for rule in (_green, _green_over_tissue, _blue, _red_on_he if hue.eosin else _red_on_ihc):
        found |= hue.strokes(*rule(hue))
    return found


def _hue(seen: Evidence) -> _Hue:
    total = np.maximum(seen.total, np.float32(0.02))
    green = np.maximum(seen.green, np.float32(0.005))
    red, red_green, blue_green = seen.red / total, seen.red / green, seen.blue / green
    plain = (seen.total > 0.15) & (red_green < 1.1) & (red > 0.09)
    medians = [float(np.median(p[plain])) if plain.any() else 0.5 for p in (red, red_green, blue_green)]
    return _Hue(seen, total, red, red_green, blue_green, *medians)


def _green(hue: _Hue) -> Rule:
    sure = (hue.total > 0.12) & (hue.red > 0.45) & (hue.red_green > 1.9)
    return sure, (hue.total > 0.06) & (hue.red > 0.38) & (hue.red_green > 1.45)


def _green_over_tissue(hue: _Hue) -> Rule:
    # Dense haematoxylin has a high red/green as well, but then little blue.
    least = max(1.15, 1.7 * hue.tissue_red_green)
    sure = (hue.total > 0.6) & (hue.red_green > least) & (hue.blue_green > 0.75)
    smooth = (hue.seen.texture < 0.3 * hue.total) | (hue.blue_green > 1.0)
    return sure & smooth, (hue.total > 0.4) & (hue.red_green > 0.75 * least) & (hue.blue_green > 0.68)


def _blue(hue: _Hue) -> Rule:
    # Nuclei seen alone have a red/green up to 1.4 as well, but then blue/red above 0.4.
    blue = hue.blue_green / np.maximum(hue.red_green, np.float32(0.05))
    least = max(1.25, 1.35 * hue.tissue_red_green)
    sure = (hue.total > 0.3) & (blue < 0.33) & (hue.red_green > least)
    return sure, (hue.total > 0.1) & (blue < 0.42) & (hue.red_green > 0.9 * least)


def _red_on_he(hue: _Hue) -> Rule:
    """Red without eosin's green; muscle and blood come near, then the whole slide leans that way."""
    share = min(0.09, 0.6 * hue.tissue_red)
    bare = (hue.total > 0.45) & (hue.red < share) & (hue.blue_green > 0.66) & (hue.blue_green < 1.15)
    shifted = (hue.blue_green > 1.35 * hue.tissue_blue_green) & (hue.red < 0.68 * hue.tissue_red)
    over = shifted & (hue.total > 0.7) & (hue.blue_green > 0.62) & (hue.blue_green < 1.15)
    rim = (hue.total > 0.12) & (hue.red < 1.45 * share) & (hue.blue_green > 0.6) & (hue.blue_green < 1.2)
    return bare | over, rim | (
        (hue.total > 0.5) & (hue.blue_green > 0.58) & (hue.red < 0.75 * hue.tissue_red)
    )


def _red_on_ihc(hue: _Hue) -> Rule:
    """DAB absorbs blue far more than green, haematoxylin absorbs red: what does neither is red ink."""
    sure = (hue.total > 0.4) & (hue.red_green < 0.36) & (hue.blue_green > 0.6) & (hue.blue_green < 1.12)
    return sure, (hue.total > 0.12) & (hue.red_green < 0.5) & (hue.blue_green < 1.2) & (hue.blue_green > 0.55)


def _black(hue: _Hue) -> Mask:
    grey = hue.seen.chroma / hue.total
    sure = (hue.total > 2.0) & (grey < 0.07) & (hue.seen.texture < 0.12 * hue.total)
    if hue.eosin:
        sure |= (hue.total > 0.7) & (grey < 0.09)
    found = hue.strokes(sure, (hue.total > 0.7) & (grey < 0.12))
    rest = (hue.total > 0.15) & ~found
    coloured = np.count_nonzero(rest & (grey > 0.12))
    is_ink = coloured > 0 and coloured >= _COLOURED * np.count_nonzero(rest)
    return found if is_ink else np.zeros_like(found)
