"""Whether the stated pixel size fits what the tissue shows.

Two rulers lie in every section. Small round dark nuclei, most of them of lymphocytes, are about 5 µm
across: their diameters are compared with those of real cores (``ruler.json``). And the fine structure
ends where an objective's aperture ends it (:mod:`napari_her2.tissue.sharpness`). A size stated too small
makes nuclei small and detail too fine to be true; one stated too large does the opposite, while blur
alone never makes nuclei larger: the difference of the two is what tells. Where the two contradict each
other, the optics are not those of the cores or the picture is blurred, and nuclei tell alone, within
wider limits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_her2.geometry import Box
from napari_her2.stain import optical_density
from napari_her2.tissue.sharpness import finest_detail
from napari_her2.tissue.spots import find_spots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2.slides import Slide
    from napari_her2.tissue.mask import TissueMask
    from napari_her2.tissue.spots import Spots

__all__ = ["Ruler", "SizeCheck", "check_size", "doubt", "measure"]

Ruler = Literal["nuclei and fine structure", "nuclei", "fine structure", "none"]

FIELD_UM: Final = 256.0
FIELDS: Final = 12
SEED: Final = 8
LEAST_TISSUE: Final = 0.4
WORKING_UM: Final = 0.5
BROWN_SHARE: Final = 0.35
"""Of the blue channel's density, taken from the red's: brown is dark in blue, nuclei in red."""

GRID: Final = np.arange(-2.5, 6, 0.02)
"""log2 of diameters in µm."""
STEP: Final = 0.02
BLUR: Final = 0.1
SMALLEST_UM: Final = 2.6
LARGEST_UM: Final = 20.0
SMALLEST_PX: Final = 4.5
FARTHEST: Final = 0.8
RECOGNISED: Final = 0.7
"""In octaves; a best match near the end of the search is none."""
ENOUGH: Final = 60
FIT: Final = 0.945
"""Least overlap (Bhattacharyya) with the usual nuclei at the best size; below, they are no ruler."""

DETAIL_PER_UM: Final = 0.9
SHARP_PX: Final = (0.18, 0.27)
"""Cycles per pixel at which optics, neither blur nor pixels, end the detail: a size that is too large is
only told from a picture as sharp as that."""
APART: Final = 0.55
"""In octaves: rulers that differ by more are of other optics or of a blurred picture, and nuclei decide."""
BOTH: Final = (0.34, 0.33)
"""Octaves by which true sizes may seem too small and too large, by both rulers in the mean."""
NUCLEI: Final = (0.44, 0.44)
FINE: Final = (0.24, 0.42)
"""By fine structure alone; nothing on glass is finer than the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCheck:
    """What the rulers say about a stated pixel size.

    Attributes
    ----------
    stated_um : float
        µm per pixel.
    suggested_um : tuple of float or None
        Smallest and largest µm per pixel that the rulers allow; None where there is none.
    ruler : Ruler
        What was used.
    doubtful : bool
        Whether the stated size lies outside.
    """

    stated_um: float
    suggested_um: tuple[float, float] | None
    ruler: Ruler
    doubtful: bool


def check_size(slide: Slide, tissue: TissueMask) -> SizeCheck:
    """Hold the stated pixel size of a slide against a seeded sample of its tissue.

    Parameters
    ----------
    slide : Slide
        IHC or H&E with a pixel size.
    tissue : TissueMask
        Of the slide.
    """
    nuclei, detail = measure(slide, tissue)
    return doubt(slide.um_per_px, nuclei, detail)


def measure(slide: Slide, tissue: TissueMask) -> tuple[float | None, float | None]:
    """Return how many octaves larger nuclei look than usual, and how many finer the finest detail is."""
    um = slide.um_per_px
    fields = [optical_density(slide.read(box), slide.white) for box in _fields(slide, tissue)]
    if not fields:
        return None, None
    end = finest_detail([field.mean(axis=2) for field in fields], um)
    step = max(1, int(WORKING_UM / um + 0.25))
    spots = [find_spots(_shrunk(field[..., 0] - BROWN_SHARE * field[..., 2], step)) for field in fields]
    return larger_than_usual(spots, um * step), None if end is None else float(np.log2(end / DETAIL_PER_UM))


def _fields(slide: Slide, tissue: TissueMask) -> list[Box]:
    """Squares of tissue in a seeded order, on a grid over the slide."""
    side = min(max(round(FIELD_UM / slide.um_per_px), 1), *slide.shape)
    corners = [
        (row, col)
        for row in range(0, slide.shape[0] - side + 1, side)
        for col in range(0, slide.shape[1] - side + 1, side)
    ]
    order = np.random.default_rng(SEED).permutation(len(corners))
    chosen: list[Box] = []
    for row, col in (corners[k] for k in order):
        box = Box(row, col, side, side)
        if tissue.fraction(box, counted=False) >= LEAST_TISSUE:
            chosen.append(box)
        if len(chosen) == FIELDS:
            break
    return chosen


def _shrunk(density: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    from cv2 import INTER_AREA, resize

    shape = (density.shape[1] // step, density.shape[0] // step)
    return np.asarray(density if step == 1 else resize(density, shape, interpolation=INTER_AREA), np.float32)


def profile(spots: Sequence[Spots], um_per_px: float) -> tuple[NDArray[np.float64], int]:
    """Distribution over :data:`GRID` of the spots' contrast times diameter, and how many are nuclei."""
    diameter = np.concatenate([found.diameter_px for found in spots]) * um_per_px
    weight = np.concatenate([found.contrast_od for found in spots]) * diameter
    heights, _ = np.histogram(np.log2(diameter), np.append(GRID, GRID[-1] + STEP) - STEP / 2, weights=weight)
    kernel = np.exp(-0.5 * (np.arange(-40, 41) * STEP / BLUR) ** 2)
    smooth = np.convolve(heights, kernel, "same")
    n = int(np.count_nonzero((diameter > SMALLEST_UM) & (diameter < LARGEST_UM)))
    return smooth / max(float(smooth.sum()), 1e-9), n


def larger_than_usual(spots: Sequence[Spots], um_per_px: float) -> float | None:
    """Return by how many octaves nuclei look larger than the usual ones; None where none are recognised."""
    found, n = profile(spots, um_per_px)
    if n < ENOUGH:
        return None
    smallest = max(SMALLEST_UM, SMALLEST_PX * um_per_px)
    used = (np.log2(smallest) <= GRID) & (np.log2(LARGEST_UM) >= GRID)
    reach = round(FARTHEST / STEP)
    shifts = np.arange(-reach, reach + 1)
    overlap = [_overlap(np.roll(usual_nuclei(), shift)[used], found[used]) for shift in shifts]
    best = int(np.argmax(overlap))
    shift = float(shifts[best] * STEP)
    return shift if overlap[best] >= FIT and abs(shift) <= RECOGNISED else None


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Bhattacharyya coefficient of two distributions, 1 where they are the same."""
    both = max(float(one.sum() * other.sum()), 1e-12)
    return float(np.sqrt(one * other).sum() / np.sqrt(both))


@cache
def usual_nuclei() -> NDArray[np.float64]:
    """Distribution of diameters on real cores, over :data:`GRID`."""
    kept = json.loads(files("napari_her2.tissue").joinpath("ruler.json").read_text(encoding="utf-8"))
    return np.asarray(kept["share"], np.float64)


def doubt(stated_um: float, nuclei: float | None, detail: float | None) -> SizeCheck:
    """Decide from the two rulers.

    Parameters
    ----------
    stated_um : float
    nuclei : float or None
        Octaves by which nuclei look larger than usual; None where none are recognised.
    detail : float or None
        Octaves by which the finest detail is finer than usual; None where it was not found.
    """
    if detail is None:
        return SizeCheck(stated_um=stated_um, suggested_um=None, ruler="none", doubtful=False)
    per_px = DETAIL_PER_UM * 2**detail * stated_um
    if nuclei is None:
        if -detail >= FINE[1] and not SHARP_PX[0] <= per_px <= SHARP_PX[1]:
            return doubt(stated_um, None, None)  # blurred, or coarse pixels: it tells nothing
        return _check(stated_um, -detail, "fine structure", FINE)
    larger = (nuclei - detail) / 2
    if detail > FINE[0] and larger >= -BOTH[0]:
        return _check(stated_um, -detail, "fine structure", FINE)
    agree = abs(nuclei + detail) <= APART
    found = (
        _check(stated_um, larger, "nuclei and fine structure", BOTH)
        if agree
        else _check(stated_um, nuclei, "nuclei", NUCLEI)
    )
    blurred = per_px < SHARP_PX[0] and (larger if agree else nuclei) > 0
    return doubt(stated_um, None, None) if blurred and found.doubtful else found


def _check(stated_um: float, larger: float, ruler: Ruler, allowed: tuple[float, float]) -> SizeCheck:
    """Doubt a size that seems too small or too large by more octaves than true ones do."""
    below, above = allowed
    ends = (stated_um / 2 ** (larger + below), stated_um / 2 ** (larger - above))
    return SizeCheck(
        stated_um=stated_um,
        suggested_um=(round(ends[0], 3), round(ends[1], 3)),
        ruler=ruler,
        doubtful=not -below <= larger <= above,
    )
