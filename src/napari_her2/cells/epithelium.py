"""Whether a nucleus looks like invasive epithelium on the IHC itself.

Carcinoma nuclei are broad, oval and not too dense, and they keep company with their like.
Lymphocytes are small, round and dense; fibroblasts, endothelium and smooth muscle are slender. A
stained membrane speaks for epithelium, its absence against nothing. Whether a carcinoma is in situ
cannot be told from single cells: that is left to the H&E and to people.

The weights are a logistic regression on phantoms (benchmarks/cells_calibration.py), rounded; what
each term may contribute is bounded, so that no single odd measurement decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.classify import Membranes
    from napari_her2.cells.tile import Measured

__all__ = ["epithelial_scores"]

USUAL_AREA_UM2: Final = 29.0
STAINED_MASS: Final = 0.08
USUAL_SLENDER: Final = 1.3
USUAL_DENSITY: Final = 1.5
"""What is taken for a cell of the lattice, whose nucleus nobody has seen."""
BIAS: Final = 10.7
AREA: Final = 3.7
COMPANY: Final = 6.0
SLENDER: Final = -3.4
DENSITY: Final = -3.5
STAINED: Final = 6.0


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
    size = np.nan_to_num(np.clip(np.log(cells.area_um2 / USUAL_AREA_UM2), -1.0, 1.0))
    slender = np.clip(cells.length_um / np.maximum(cells.breadth_um, 0.5), 1.0, 4.0)
    slender = np.nan_to_num(slender, nan=USUAL_SLENDER)
    density = np.nan_to_num(np.clip(cells.density_od / nucleus_od, 1.0, 2.6), nan=USUAL_DENSITY)
    stained = np.clip(membranes.own_mass / STAINED_MASS, 0, 1) * membranes.completeness * membranes.stained
    logit = (
        BIAS
        + AREA * size
        + COMPANY * _company(cells, size)
        + SLENDER * slender
        + DENSITY * density
        + STAINED * stained
    )
    return np.asarray(1 / (1 + np.exp(-logit)), np.float32)


def _company(cells: Measured, size: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean size of the neighbours, weighted by the borders they share; towards 0 with few of them."""
    total, rays = cells.borders.of_neighbours(size)
    return np.asarray(total / np.maximum(rays, 36))
