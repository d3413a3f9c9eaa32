"""Whether a nucleus looks like invasive epithelium on the IHC itself.

Carcinoma nuclei are broad, oval and not too dense, and they keep company with their like.
Lymphocytes are small, round and dense; fibroblasts, endothelium and smooth muscle are slender. A
stained membrane speaks for epithelium, its absence against nothing. Whether a carcinoma is in situ
cannot be told from single cells: that is left to the H&E and to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.classify import Membranes
    from napari_her2.cells.tile import Measured

__all__ = ["epithelial_scores"]

NEUTRAL_AREA_UM2: Final = 29.0
NEUTRAL_SLENDER: Final = 2.1
NEUTRAL_DENSITY: Final = 2.1
STAINED_MASS: Final = 0.08


def epithelial_scores(cells: Measured, membranes: Membranes, nucleus_od: float) -> NDArray[np.float32]:
    """Score of each nucleus from its size, shape, density, membrane and company, 0..1.

    Parameters
    ----------
    cells : Measured
        Assembled, so that neighbours are rows.
    membranes : Membranes
    nucleus_od : float
        Of the slide; densities of nuclei are judged relative to it.
    """
    own = _looks(cells, nucleus_od)
    stained = np.clip(membranes.own_mass / STAINED_MASS, 0, 1) * membranes.completeness
    own = own + 2.5 * stained
    return np.asarray(1 / (1 + np.exp(-(0.8 * own + 0.7 * _company(cells, own)))), np.float32)


def _looks(cells: Measured, nucleus_od: float) -> NDArray[np.float64]:
    size = 1.8 * np.clip(np.log(cells.area_um2 / NEUTRAL_AREA_UM2) / 0.4, -1.5, 1.5)
    slender = cells.length_um / np.maximum(cells.breadth_um, 0.5)
    shape = 1.5 * np.clip((NEUTRAL_SLENDER - slender) / 0.35, -2.5, 1.0)
    density = np.clip((NEUTRAL_DENSITY - cells.density_od / nucleus_od) / 0.35, -2.0, 1.0)
    return np.asarray(size + shape + density, np.float64)


def _company(cells: Measured, own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of what the neighbours look like, weighted by the borders they share; 0 without neighbours."""
    borders = cells.borders
    known = borders.neighbour >= 0
    weight = np.where(known, borders.rays, 0).astype(np.float64)
    theirs = np.where(known, np.clip(own[borders.neighbour], -3, 3), 0) if len(own) else weight
    total = np.bincount(borders.cell, weight * theirs, minlength=len(cells))
    return np.asarray(total / np.maximum(np.bincount(borders.cell, weight, minlength=len(cells)), 36))
