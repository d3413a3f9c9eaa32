"""Blur: where fine detail is missing although coarse detail is there.

The energy of a fine band (0.8 to 1.6 µm) over that of a coarse band (1.6 to 3.2 µm) depends little on
what is looked at: log10 of the ratio is -0.1 ± 0.1 on sharp slides of either stain, -0.3 after a blur of
1 µm (standard deviation), -0.65 after 2 µm and -1.0 after 4 µm (benchmarks/tissue.py measures it).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.stain import density_table
from napari_her2.tissue.evidence import grown, keep_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.slides import Slide

    Grid = NDArray[np.float32]

__all__ = ["Focus", "look", "sharpness"]

CELL_UM: Final = 64.0
"""Focus is judged for squares of about this size."""
COARSEST_UM_PER_PX: Final = 2.0
_BLOCK_CELLS: Final = 16
_MUCH_TISSUE_UM2: Final = 150e6
_BLURRED: Final = -0.5
_DROP: Final = 0.35
_NEVER_BLURRED: Final = -0.3
_LEAST_ENERGY: Final = 3e-4
_HOPELESS: Final = -1.3
"""Taken where only structures above 3 µm are left: a blur of 4 µm or more."""
_LEAST_DENSITY: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Focus:
    """What was found: blurred raster pixels, and the share (0..1) of judged tissue that is in focus."""

    blurred: NDArray[np.bool_]
    share: float | None


def look(slide: Slide, tissue: NDArray[np.bool_], step: int) -> Focus:
    """Judge the focus of the tissue, reading the slide at 1 or 2 µm/px where tissue lies.

    Parameters
    ----------
    slide : Slide
    tissue : bool ndarray of shape (rows, cols)
        Raster of ``step`` level-0 pixels per pixel.
    step : int

    Returns
    -------
    Focus
        ``share`` is None where nothing could be judged (no tissue, pixels too coarse).
    """
    nothing = Focus(np.zeros_like(tissue), None)
    if not tissue.any() or slide.um_per_px > COARSEST_UM_PER_PX:
        return nothing
    side = max(round(CELL_UM / (step * slide.um_per_px)), 1)
    filled = cell_means(tissue.astype(np.float32), side)
    ratio = _ratios(slide, filled, side * step)
    judged = np.isfinite(ratio) & (filled >= 0.5)
    if not judged.any():
        return nothing
    bad = _bad(ratio, judged)
    blurred = np.repeat(np.repeat(bad, side, 0), side, 1)[: tissue.shape[0], : tissue.shape[1]]
    return Focus(blurred & tissue, 1.0 - float(np.count_nonzero(bad & judged)) / int(judged.sum()))


def cell_means(plane: Grid, side: int) -> Grid:
    """Mean of each square of ``side`` pixels; the last ones may be smaller."""
    rows, cols = (-(-n // side) * side for n in plane.shape)
    padded = np.zeros((rows, cols), np.float32)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    means: Grid = padded.reshape(rows // side, side, cols // side, side).mean(axis=(1, 3))
    return means


def _ratios(slide: Slide, filled: Grid, cell_px: int) -> Grid:
    """Log ratio per cell, NaN where there is nothing to judge; only blocks with tissue are read."""
    much = float(filled.sum()) * (cell_px * slide.um_per_px) ** 2 > _MUCH_TISSUE_UM2
    um = max(COARSEST_UM_PER_PX if much else 1.0, slide.um_per_px)
    ratio = np.full(filled.shape, np.nan, np.float32)
    for cells in Box.of_shape(filled.shape).tiles(_BLOCK_CELLS):
        if filled[cells.slices].max() >= 0.5:
            area = Box(
                cells.row * cell_px, cells.col * cell_px, cells.height * cell_px, cells.width * cell_px
            )
            block = slide.read_at(area, um)
            ratio[cells.slices] = sharpness(block, um, slide.white, (cells.height, cells.width))
    return ratio


def sharpness(
    rgb: NDArray[np.uint8], um_per_px: float, white: tuple[float, float, float], cells: tuple[int, int]
) -> Grid:
    """Log10 of fine over coarse energy in a grid of cells.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    um_per_px : float
    white : (red, green, blue)
    cells : (rows, cols)
        Of the grid that the picture is divided into.

    Returns
    -------
    float32 ndarray of shape ``cells``
        NaN where the picture is empty or has no detail at any scale.
    """
    import cv2

    table = density_table(white)
    dense = np.ascontiguousarray(
        table[:, 0][rgb[..., 0]] + table[:, 1][rgb[..., 1]] + table[:, 2][rgb[..., 2]]
    )
    least = 0.8 * max(um_per_px, 1.0)  # coarse pixels take coarser bands, the ratio hardly changes
    scales = [cv2.GaussianBlur(dense, (0, 0), least * k / um_per_px) for k in (1, 2, 4, 12)]
    bands = [(a - b) ** 2 for a, b in itertools.pairwise(scales)]
    fine, middle, coarse, amount = (
        cv2.resize(p, cells[::-1], interpolation=cv2.INTER_AREA) for p in (*bands, dense)
    )
    ratio = np.log10(np.maximum(fine, 1e-9) / np.maximum(middle, 1e-9))
    empty_bands = (middle <= _LEAST_ENERGY) & (coarse > _LEAST_ENERGY)
    ratio = np.where(empty_bands, np.float32(_HOPELESS), ratio)
    judged = ((middle > _LEAST_ENERGY) | empty_bands) & (amount > _LEAST_DENSITY)
    result: Grid = np.where(judged, ratio, np.float32(np.nan)).astype(np.float32)
    return result


def _bad(ratio: Grid, judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells below the fixed limit, or far below the slide's own level, and what lies between about them.

    Single cells count only on pictures of a few cells.
    """
    values = ratio[judged]
    level = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - level)))
    limit = max(_BLURRED, min(level - max(3 * spread, _DROP), _NEVER_BLURRED))
    filled = np.where(judged, ratio, np.float32(1))
    sure = keep_large(filled < limit, 2 if judged.size > 4 else 1)
    return grown(sure, filled < max(limit, (limit + level) / 2))
