"""Whether a nucleus looks like invasive epithelium on the IHC itself.

Carcinoma nuclei are broad, oval and not too dense, they lie shoulder to shoulder and keep company with
their like. Lymphocytes are small, round and dense; fibroblasts, endothelium and smooth muscle are slender
and have nobody beside them. A stained membrane speaks for epithelium, its absence against nothing.
Whether a carcinoma is in situ cannot be told from single cells: that is left to the H&E and to people.

The weights are a logistic regression on cells marked by eye on real cores and on phantoms, half of the
weight each and balanced, rounded (scripts/fit_epithelium.py); what each term may contribute is bounded,
so that no single odd measurement decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.polar import RAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.classify import Membranes
    from napari_her2.cells.tile import Measured

__all__ = ["TERMS", "epithelial_scores", "epithelial_terms"]

USUAL_AREA_UM2: Final = 29.0
STAINED_MASS: Final = 0.08
USUAL_SLENDER: Final = 1.3
USUAL_DENSITY: Final = 1.5
"""What is taken for a cell of the lattice, whose nucleus nobody has seen."""
BIAS: Final = 9.3
TERMS: Final = ("size", "company", "slender", "density", "stained", "beside")
WEIGHTS: Final = (2.1, 2.5, -2.0, -5.0, 7.7, 4.6)


def epithelial_scores(cells: Measured, membranes: Membranes, nucleus_od: float) -> NDArray[np.float32]:
    """Score of each nucleus from its size, shape, density, membrane and neighbours, 0..1.

    Parameters
    ----------
    cells : Measured
        Assembled, so that neighbours are rows.
    membranes : Membranes
    nucleus_od : float
        Of the slide; densities of nuclei are judged relative to it.
    """
    logit = BIAS + epithelial_terms(cells, membranes, nucleus_od) @ np.asarray(WEIGHTS)
    return np.asarray(1 / (1 + np.exp(-logit)), np.float32)


def epithelial_terms(cells: Measured, membranes: Membranes, nucleus_od: float) -> NDArray[np.float64]:
    """Return what the score weighs, (cells, terms), in the order of :data:`TERMS`; see there for parameters.

    *size* is the logarithm of the nuclear area over a usual one, *company* that of the neighbours, *slender*
    length over breadth, *density* haematoxylin over the slide's threshold of a nucleus, *stained* how much
    membrane of its own the cell has, *beside* the share of the outline where another cell adjoins.
    """
    size = np.nan_to_num(np.clip(np.log(cells.area_um2 / USUAL_AREA_UM2), -1.0, 1.0))
    slender = np.clip(cells.length_um / np.maximum(cells.breadth_um, 0.5), 1.0, 4.0)
    density = np.clip(cells.density_od / nucleus_od, 1.0, 2.6)
    own = np.clip(membranes.own_mass / STAINED_MASS, 0, 1)
    company, rays = cells.borders.of_neighbours(size)
    return np.column_stack(
        [
            size,
            company / np.maximum(rays, RAYS / 2),
            np.nan_to_num(slender, nan=USUAL_SLENDER),
            np.nan_to_num(density, nan=USUAL_DENSITY),
            own * membranes.completeness * membranes.stained,
            rays / RAYS,
        ]
    )
