"""From a slide to its tissue mask, strip by strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Box
from napari_her2.tissue.focus import look
from napari_her2.tissue.mask import TISSUE_LABELS, TissueMask
from napari_her2.tissue.pieces import find_pieces
from napari_her2.tissue.rgb import tissue_from_rgb
from napari_her2.tissue.structure import read_structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.slides import Slide

__all__ = ["find_tissue"]

_STRIP_PX = 512
_SMALLEST_RASTER_PX = 256
_LARGEST_RASTER_PX = 12_000_000


def find_tissue(slide: Slide, *, um_per_px: float = 8.0) -> TissueMask:
    """Find the tissue of a slide and what disturbs it.

    Parameters
    ----------
    slide : Slide
    um_per_px : float
        Of the raster, about: it is rounded to whole level-0 pixels, finer on small images and coarser
        on huge ones.

    Returns
    -------
    TissueMask

    Raises
    ------
    NoResolutionError
        If the slide has no pixel size.
    """
    step = raster_step(slide.shape, slide.um_per_px, um_per_px)
    rgb = read_raster(slide, step)
    raster_um = step * slide.um_per_px
    labels = tissue_from_rgb(rgb, raster_um, slide.white, read_structure(slide, step))
    focus = look(slide, labels == TISSUE_LABELS["tissue"], step)
    labels[focus.blurred] = TISSUE_LABELS["blur"]
    present = np.isin(labels, [TISSUE_LABELS[name] for name in ("tissue", "fold", "blur")])
    pieces, piece_list = find_pieces(
        present, labels == TISSUE_LABELS["tissue"], um_per_px=raster_um, level0_px=step
    )
    return TissueMask(
        labels=labels,
        pieces=pieces,
        piece_list=piece_list,
        um_per_px=raster_um,
        slide_um_per_px=slide.um_per_px,
        reason="" if piece_list else _why_empty(rgb),
        focus=focus.share,
    )


def raster_step(shape: tuple[int, int], slide_um_per_px: float, um_per_px: float) -> int:
    """Level-0 pixels per raster pixel: whole, so that rasters and slides share their corners."""
    step = max(round(um_per_px / slide_um_per_px), 1)
    step = min(step, max(min(shape) // _SMALLEST_RASTER_PX, 1))
    return max(step, int(np.ceil(np.sqrt(shape[0] * shape[1] / _LARGEST_RASTER_PX))))


def read_raster(slide: Slide, step: int, region: Box | None = None) -> NDArray[np.uint8]:
    """Slide at ``step`` level-0 pixels per raster pixel, or what of it a region touches, read in strips."""
    within = region or Box.of_shape(slide.shape)
    top, left = within.row // step, within.col // step
    rows, cols = -(-within.row_stop // step) - top, -(-within.col_stop // step) - left
    raster = np.empty((rows, cols, 3), np.uint8)
    for tile in Box(0, 0, rows, cols).tiles(_STRIP_PX):
        place = (top + tile.row) * step, (left + tile.col) * step
        raster[tile.slices] = slide.read_at(
            Box(*place, tile.height * step, tile.width * step), step * slide.um_per_px
        )
    return raster


def _why_empty(rgb: NDArray[np.uint8]) -> str:
    return "the image is black" if rgb.mean() < 40 else "no connected tissue was found"
