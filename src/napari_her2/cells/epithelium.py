"""Whether a nucleus looks like invasive epithelium on the IHC itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.tile import Measured

__all__ = ["epithelial_scores"]


def epithelial_scores(cells: Measured) -> NDArray[np.float32]:
    """Score from size, shape and company of each nucleus, 0..1."""
    own = _evidence(cells)
    borders = cells.borders
    known = borders.neighbour >= 0
    weight = np.where(known, borders.rays, 0)
    near = np.bincount(
        borders.cell, weight * np.where(known, own[borders.neighbour], 0), minlength=len(cells)
    )
    mean = near / np.maximum(np.bincount(borders.cell, weight, minlength=len(cells)), 1)
    return np.asarray(1 / (1 + np.exp(-(own + mean))), np.float32)


def _evidence(cells: Measured) -> NDArray[np.float64]:
    size = np.clip((cells.area_um2 - 25) / 15, -2, 2)
    slender = cells.length_um / np.maximum(cells.breadth_um, 0.5)
    shape = np.clip((2.4 - slender) * 2, -3, 1)
    return np.asarray(size + shape, np.float64)
