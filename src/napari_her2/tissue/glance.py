"""A quick look at some patches: bare glass, or something on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.tissue.find import raster_step, read_raster
from napari_her2.tissue.rgb import tissue_from_rgb
from napari_her2.tissue.structure import read_structure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2.slides import Slide

__all__ = ["off_glass"]

AROUND_UM: Final = 400.0
"""Looked at around the patches, so that glass and its grain are seen as well."""
UM_PER_PX: Final = 8.0


def off_glass(slide: Slide, boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Say which patches hold anything but bare glass.

    Only the neighbourhood of the patches is read, so that it takes as long on a slide of any size. Folds,
    pen and blur count as something: what they are is for :func:`find_tissue` to say.

    Parameters
    ----------
    slide : Slide
    boxes : sequence of Box
        Level-0 pixels.

    Returns
    -------
    bool ndarray of shape (n,)

    Raises
    ------
    NoResolutionError
        If the slide has no pixel size.
    SlideError
        If a tile cannot be read.
    """
    if not boxes:
        return np.zeros(0, np.bool_)
    step = raster_step(slide.shape, slide.um_per_px, UM_PER_PX)
    low = np.min([(box.row, box.col) for box in boxes], axis=0)
    high = np.max([(box.row_stop, box.col_stop) for box in boxes], axis=0)
    pad = round(AROUND_UM / slide.um_per_px)
    top, left = (max(int(n) - pad, 0) for n in low)
    bottom, right = (min(int(n) + pad, side) for n, side in zip(high, slide.shape, strict=True))
    around = Box(top, left, bottom - top, right - left)
    structure = read_structure(slide, step, around)
    seen = (
        tissue_from_rgb(read_raster(slide, step, around), step * slide.um_per_px, slide.white, structure) > 0
    )
    row, col = around.row // step, around.col // step
    return np.array(
        [
            seen[
                max(box.row // step - row, 0) : -(-box.row_stop // step) - row,
                max(box.col // step - col, 0) : -(-box.col_stop // step) - col,
            ].any()
            for box in boxes
        ],
        np.bool_,
    )
