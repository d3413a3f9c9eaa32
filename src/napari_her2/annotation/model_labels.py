"""What a model said, in the pixels of the mask: read when needed, never written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.annotation.classes import to_labels

if TYPE_CHECKING:
    from napari_her2.annotation.mask import EditableMask, SavedMask
    from napari_her2.geometry import Box
    from napari_her2.store import Multiscale

    Labels = np.ndarray[Any, np.dtype[np.uint8]]

__all__ = ["ModelLabels", "read_labels", "sampled"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelLabels:
    """Labels, or probabilities that become labels, of a raster with pixels of any size.

    Attributes
    ----------
    raster : Multiscale or None
        None where no model has marked anything.
    um_per_px : float
        Pixel size of the mask's level 0.
    value : int
        Probabilities of at least 0.5 become this label; 0 for a raster that holds labels already.
    """

    raster: Multiscale | None
    um_per_px: float
    value: int = 0

    def read(self, box: Box, level: int = 0) -> Labels:
        """Return the labels of a box in the mask's pixels of ``level``; 0 outside the raster."""
        if self.raster is None:
            return np.zeros((box.height, box.width), np.uint8)
        found = sampled(self.raster, box, self.um_per_px * 2**level)
        if not self.value:
            return found.astype(np.uint8)
        half = 128 if found.dtype.kind in "iu" else 0.5
        return np.where(found >= half, self.value, 0).astype(np.uint8)


def sampled(raster: Multiscale, box: Box, um_per_px: float) -> np.ndarray[Any, Any]:
    """Return the value of a raster at the middle of each pixel of a box; 0 outside.

    Parameters
    ----------
    raster : Multiscale
        Shares the slide's corner.
    box : Box
        In pixels of ``um_per_px``.
    um_per_px : float
    """
    level = min(max(int(np.log2(max(um_per_px / raster.um_per_px, 1.0)) + 1e-9), 0), len(raster.levels) - 1)
    values, ratio = raster.levels[level], um_per_px / (raster.um_per_px * 2**level)
    rows = np.floor((np.arange(box.row, box.row_stop) + 0.5) * ratio).astype(np.int64)
    cols = np.floor((np.arange(box.col, box.col_stop) + 0.5) * ratio).astype(np.int64)
    out = np.zeros((box.height, box.width), values.dtype)
    inside_rows = (rows >= 0) & (rows < values.shape[0])
    inside_cols = (cols >= 0) & (cols < values.shape[1])
    if inside_rows.any() and inside_cols.any():
        rows, cols = rows[inside_rows], cols[inside_cols]
        part = np.asarray(values[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
        out[np.ix_(inside_rows, inside_cols)] = part[rows - rows[0]][:, cols - cols[0]]
    return out


def read_labels(mask: EditableMask | SavedMask, model: ModelLabels, box: Box, level: int = 0) -> Labels:
    """Return what holds in a box: a person's word where there is one, else the model's.

    Parameters
    ----------
    mask : EditableMask or SavedMask
    model : ModelLabels
    box : Box
        In the pixels of ``level``.
    level : int
    """
    return to_labels(mask.read(box, level), model.read(box, level))
