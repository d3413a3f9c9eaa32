"""Fine structure: fibres, nuclei and membranes of 2 to 8 µm, which glass, haze and shadows lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.stain import density_table
from napari_her2.tissue.evidence import box_mean, keep_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.slides import Slide
    from napari_her2.tissue.evidence import Evidence

    Plane = NDArray[np.float32]

__all__ = ["Structure", "find_fine", "read_structure", "structure_of"]

FINE_UM: Final = 2.0
"""Pixels that structure is looked for on, about."""
LARGEST_UM: Final = 4.0
"""Standard deviation of the blur that takes larger structure away."""
NOISE_UM: Final = 0.8
COARSEST_UM: Final = 4.0
"""Coarser pixels show no fine structure."""
SURE_UM: Final = 2.5
"""On coarser pixels dirt and bubbles are as rough as tissue, so that it must be coloured as well."""
_STRIP_PX: Final = 256
_HALO_PX: Final = 3
_WINDOW_UM: Final = 24.0
_MOST: Final = 0.05
"""Of a pixel's deviation: a few black specks are no structure, nor does a dark border shine out on glass."""
_COARSE_UM2: Final = 60_000.0
"""And in one piece of this area."""
_OVER_NOISE: Final = 3.2
_LEAST: Final = 0.01
_LARGEST: Final = 0.014
"""No glass is rougher: where it seems so, pale tissue was taken for it."""
_ENOUGH_PX: Final = 100
_USUAL_NOISE: Final = 0.004
"""Standard deviation on glass, where a picture shows none."""


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """How much fine structure each raster pixel holds.

    Attributes
    ----------
    energy : float32 ndarray of shape (rows, cols)
        Mean square of the density sum; all zero where pixels are coarser than 4 µm.
    um_per_px : float
        Of the pixels that were looked at.
    """

    energy: Plane
    um_per_px: float


def structure_of(
    rgb: NDArray[np.uint8], um_per_px: float, white: tuple[float, float, float], factor: int = 1
) -> Structure:
    """Mean square of what is finer than 4 µm in the density sum (capped), over squares of ``factor`` pixels.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows * factor, cols * factor, 3)
    um_per_px : float
    white : (red, green, blue)
    factor : int

    Returns
    -------
    Structure
        Of (rows, cols).
    """
    import cv2

    rows, cols = rgb.shape[0] // factor, rgb.shape[1] // factor
    if um_per_px > COARSEST_UM:
        return Structure(np.zeros((rows, cols), np.float32), um_per_px)
    table = density_table(white)
    dense = np.ascontiguousarray(
        table[:, 0][rgb[..., 0]] + table[:, 1][rgb[..., 1]] + table[:, 2][rgb[..., 2]]
    )
    coarse = cv2.GaussianBlur(dense, (0, 0), max(LARGEST_UM / um_per_px, 1.0))
    fine = cv2.GaussianBlur(dense, (0, 0), NOISE_UM / um_per_px) if um_per_px < 1 else dense
    capped = np.minimum((fine - coarse) ** 2, np.float32(_MOST**2))
    energy: Plane = cv2.resize(capped, (cols, rows), interpolation=cv2.INTER_AREA)
    return Structure(energy, um_per_px)


def read_structure(slide: Slide, step: int, region: Box | None = None) -> Structure:
    """Fine structure of a slide at ``step`` level-0 pixels per raster pixel, or of what a region touches.

    Parameters
    ----------
    slide : Slide
    step : int
    region : Box, optional
        Level-0 pixels.

    Returns
    -------
    Structure
    """
    within = region or Box.of_shape(slide.shape)
    top, left = within.row // step, within.col // step
    rows, cols = -(-within.row_stop // step) - top, -(-within.col_stop // step) - left
    um = step * slide.um_per_px
    factor = max(min(round(um / FINE_UM), step), 1)
    found = np.zeros((rows, cols), np.float32)
    if um / factor > COARSEST_UM:
        return Structure(found, um / factor)
    for tile in Box(0, 0, rows, cols).tiles(_STRIP_PX):
        first = max(tile.row - _HALO_PX, 0), max(tile.col - _HALO_PX, 0)
        last = min(tile.row_stop + _HALO_PX, rows), min(tile.col_stop + _HALO_PX, cols)
        height, width = last[0] - first[0], last[1] - first[1]
        place = Box((top + first[0]) * step, (left + first[1]) * step, height * step, width * step)
        rgb = slide.read_at(place, um / factor)[: height * factor, : width * factor]
        energy = structure_of(rgb, um / factor, slide.white, factor).energy
        row, col = tile.row - first[0], tile.col - first[1]
        found[tile.slices] = energy[row : row + tile.height, col : col + tile.width]
    return Structure(found, um / factor)


def find_fine(seen: Evidence, structure: Structure, blank: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where structure stands out from the noise of this picture's own glass.

    Parameters
    ----------
    seen : Evidence
    structure : Structure
    blank : bool ndarray of shape (rows, cols)
        What was not scanned.

    Returns
    -------
    bool ndarray of shape (rows, cols)
    """
    import cv2

    window = seen.pixels(_WINDOW_UM, 3) | 1
    rough = _deviation(structure.energy, window)
    own = _deviation(structure.energy, max(seen.pixels(_WINDOW_UM / 3) - 1, 0) | 1)
    glass = (seen.dense < 0.03) & (seen.chroma < 0.03) & (structure.energy > 0) & ~blank
    noise = float(np.median(rough[glass])) if np.count_nonzero(glass) >= _ENOUGH_PX else _USUAL_NOISE
    limit = float(np.clip(_OVER_NOISE * noise, _LEAST, _LARGEST))
    sure = np.minimum(rough, own) > limit  # own: not past the tissue's border
    if structure.um_per_px > SURE_UM:
        sure &= seen.chroma > 0.08 * seen.total + 0.002
    found = sure.astype(np.uint8)
    if blank.any():
        found[cv2.dilate(blank.astype(np.uint8), np.ones((window, window), np.uint8)) > 0] = 0
    closed = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    opened: NDArray[np.bool_] = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return keep_large(opened, seen.area_px(_COARSE_UM2)) if structure.um_per_px > SURE_UM else opened


def _deviation(energy: Plane, window_px: int) -> Plane:
    mean = box_mean(energy, window_px)
    return np.sqrt(np.maximum(mean, 0), dtype=np.float32)
