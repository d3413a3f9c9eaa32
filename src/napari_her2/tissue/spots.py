"""Round dark spots of any size, as nuclei are, with the diameter at half of their contrast.

Sizes come out in pixels and nothing here knows how large a nucleus is, so that the distribution of
diameters can tell whether a stated pixel size is true (:mod:`napari_her2.tissue.ruler`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

__all__ = ["Spots", "find_spots"]

_FINEST_PX: Final = 1.6
_STEP: Final = 2**0.25
_SCALES: Final = 16
_HALVE_FROM_PX: Final = 6.4
_RESPONSE_OD: Final = 0.01
_RAYS: Final = 24
_ANGLES: Final = np.arange(_RAYS) * (2 * np.pi / _RAYS)
_REACH: Final = np.linspace(0, 2.6, 27, dtype=np.float32)
"""Along each ray, in radii of the spot as the filter sees it."""
_BLOCK: Final = 1000
"""Spots sampled at once: remap takes fewer than 32 768 rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spots:
    """Spots whose outline is closed, nearly round and clearly darker inside.

    Attributes
    ----------
    diameter_px : float32 ndarray of shape (n,)
        Of the circle with the same area.
    contrast_od : float32 ndarray of shape (n,)
        Inside less surroundings.
    """

    diameter_px: Grid
    contrast_od: Grid


def find_spots(density: Grid, least_contrast_od: float = 0.03) -> Spots:
    """Find round dark spots of 4.5 to about 65 px across.

    Parameters
    ----------
    density : float32 ndarray of shape (rows, cols)
        Optical density in which nuclei are dark.
    least_contrast_od : float
        What is paler than this against its surroundings is left out.
    """
    from cv2 import GaussianBlur

    diameters, contrasts = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for sigma_px, places in _peaks(density):
        smooth = GaussianBlur(density, (0, 0), max(0.3 * sigma_px, 0.6))
        diameter, contrast, good = _outlined(smooth, places, sigma_px)
        kept = good & (contrast > least_contrast_od)
        diameters.append(diameter[kept])
        contrasts.append(contrast[kept])
    return Spots(diameter_px=np.concatenate(diameters), contrast_od=np.concatenate(contrasts))


def _peaks(density: Grid) -> list[tuple[float, Grid]]:
    """Maxima over place and scale of the scale-normalised Laplacian: scale and places (n, 2) in pixels."""
    scales = _FINEST_PX * _STEP ** np.arange(-1, _SCALES + 1)
    levels = _responses(density, scales)
    found = []
    for k in range(1, len(scales) - 1):
        places = _peaks_of(levels[k], float(scales[k]), (levels[k - 1], levels[k + 1]))
        if len(places):
            found.append((float(scales[k]), places))
    return found


def _responses(density: Grid, scales: NDArray[np.floating]) -> list[tuple[int, Grid]]:
    """Response at each scale, on a grid that is halved as scales grow: step in pixels and response."""
    from cv2 import CV_32F, INTER_AREA, GaussianBlur, Laplacian, resize

    base, step, made = density, 1, []
    for sigma in scales:
        while sigma / step > _HALVE_FROM_PX and min(base.shape) > 32:
            base, step = resize(base, None, fx=0.5, fy=0.5, interpolation=INTER_AREA), step * 2
        smooth = GaussianBlur(base, (0, 0), sigma / step)
        made.append((step, -Laplacian(smooth, CV_32F, ksize=1) * np.float32((sigma / step) ** 2)))
    return made


def _peaks_of(level: tuple[int, Grid], sigma_px: float, beside: tuple[tuple[int, Grid], ...]) -> Grid:
    from cv2 import dilate

    step, response = level
    side = max(3, int(sigma_px / step) | 1)
    rows, cols = np.nonzero((response >= dilate(response, np.ones((side, side)))) & (response > _RESPONSE_OD))
    here, highest = response[rows, cols], np.ones(len(rows), bool)
    for other_step, other in beside:
        around = dilate(other, np.ones((3, 3)))
        scale = step / other_step
        row = np.clip(((rows + 0.5) * scale).astype(int), 0, other.shape[0] - 1)
        col = np.clip(((cols + 0.5) * scale).astype(int), 0, other.shape[1] - 1)
        highest &= here >= around[row, col]
    return ((np.column_stack([rows, cols])[highest] + 0.5) * step).astype(np.float32)


def _outlined(smooth: Grid, places: Grid, sigma_px: float) -> tuple[Grid, Grid, NDArray[np.bool_]]:
    """Diameter in pixels, contrast, and whether the outline at half of the contrast is that of a nucleus."""
    radius_px = sigma_px * np.sqrt(2)
    lines = _rays(smooth, places, radius_px)
    inside = lines[:, :, _REACH <= 0.6].mean((1, 2))
    valleys = np.sort(lines[:, :, (_REACH >= 0.9) & (_REACH <= 2.3)].min(2), axis=1)
    contrast = inside - valleys[:, _RAYS // 3]
    half = inside - contrast / 2
    radii, closed = _crossings(lines, half)
    mean = radii.mean(1)
    shift, oval = (np.abs((radii * np.exp(-1j * k * _ANGLES)).mean(1)) * 2 / mean for k in (1, 2))
    rough = np.sqrt(np.maximum(radii.var(1) / mean**2 - (shift**2 + oval**2) / 2, 0))
    good = (closed > 0.95) & (rough < 0.16) & (oval < 0.3) & (shift < 0.25) & (mean > 0.6) & (mean < 1.8)
    diameter = 2 * radius_px * np.sqrt((radii**2).mean(1))
    return diameter.astype(np.float32), contrast, good


def _rays(smooth: Grid, places: Grid, radius_px: float) -> Grid:
    """Density along the rays of each spot: (spots, rays, steps)."""
    from cv2 import BORDER_REFLECT, INTER_LINEAR, remap

    down = (radius_px * _REACH * np.sin(_ANGLES)[:, None]).astype(np.float32)
    right = (radius_px * _REACH * np.cos(_ANGLES)[:, None]).astype(np.float32)
    made = np.empty((len(places), _RAYS, len(_REACH)), np.float32)
    for start in range(0, len(places), _BLOCK):
        at = places[start : start + _BLOCK, :, None, None] - np.float32(0.5)
        rows, cols = ((at[:, k] + way).reshape(-1, len(_REACH)) for k, way in ((0, down), (1, right)))
        values = remap(smooth, cols, rows, INTER_LINEAR, borderMode=BORDER_REFLECT)
        made[start : start + _BLOCK] = values.reshape(-1, _RAYS, len(_REACH))
    return made


def _crossings(lines: Grid, half: Grid) -> tuple[Grid, Grid]:
    """Radius at which each ray falls to half, in radii of the spot, and the share of rays that do."""
    below = lines < half[:, None, None]
    below[:, :, _REACH < 0.45] = False
    falls, at = below.any(2), np.maximum(below.argmax(2), 1)
    spot, ray = np.indices(at.shape)
    before, after = lines[spot, ray, at - 1], lines[spot, ray, at]
    part = np.clip((before - half[:, None]) / np.maximum(before - after, 1e-6), 0, 1)
    radii = np.where(falls, _REACH[at - 1] + part * (_REACH[1] - _REACH[0]), _REACH[-1])
    return radii.astype(np.float32), falls.mean(1)
