"""HER2 on the membranes: what a cell of a class shows, and how neighbours share a border.

Widths are the means that Scheel et al. (Diagn Pathol 2018, 13:19) measured between neighbouring
cells: 1+ 0.64, 2+ 1.0, 3+ 2.14 µm. Each of two neighbours draws its own membrane just inside its
border; together they make a line of about that width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import sub, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["BLUSH", "COMPLETENESS", "HAZE", "line", "membranes_of", "stained"]

#                  0     1+    2+    3+   unusual
_OD_LOW = np.array([0.00, 0.21, 0.44, 1.05, 0.50])
_OD_SPAN = np.array([0.00, 0.14, 0.36, 1.35, 0.45])
_WIDTH = np.array([0.60, 0.64, 1.00, 2.14, 1.15])
_WHOLE_LOW = np.array([0.00, 0.22, 0.93, 0.96, 0.30])
_WHOLE_SPAN = np.array([0.00, 0.48, 0.07, 0.04, 0.38])
_HAZE_LOW = np.array([0.00, 0.00, 0.01, 0.08, 0.01])
_HAZE_SPAN = np.array([0.00, 0.02, 0.08, 0.42, 0.08])
_ARCS = np.array([1.0, 3.0, 1.0, 1.0, 1.0])

_OD, _WIDE, COMPLETENESS, _PIECES, _TURN, _SKEW, HAZE, BLUSH = range(8)
"""Columns of the table: peak optical density, width (µm), stained fraction, arcs, two phases, DAB of the
cytoplasm that goes with the class, and the cell's share of the slide's blush."""

_COLUMNS: Final = 8


@jit
def _fill(classes: NDArray[np.uint8], bits: NDArray[np.uint64], out: Floats) -> None:
    for k in range(classes.shape[0]):
        c = classes[k]
        b = bits[k]
        out[k, 0] = _OD_LOW[c] + _OD_SPAN[c] * 0.5 * (uniform(sub(b, 20)) + uniform(sub(b, 21)))
        out[k, 1] = _WIDTH[c] * (0.82 + 0.36 * uniform(sub(b, 22)))
        out[k, 2] = _WHOLE_LOW[c] + _WHOLE_SPAN[c] * uniform(sub(b, 23))
        out[k, 3] = 1.0 + np.floor(_ARCS[c] * uniform(sub(b, 24)))
        out[k, 4] = uniform(sub(b, 25)) * 6.283185307179586
        out[k, 5] = uniform(sub(b, 26)) * 6.283185307179586
        out[k, 7] = 0.6 + 0.8 * uniform(sub(b, 29))
        out[k, 6] = _HAZE_LOW[c] + _HAZE_SPAN[c] * uniform(sub(b, 27)) * uniform(sub(b, 28))


def membranes_of(classes: NDArray[np.uint8], bits: NDArray[np.uint64]) -> Floats:
    """Draw the membrane of each cell from the distribution of its class: table (n, 8)."""
    table = np.empty((len(classes), _COLUMNS))
    _fill(classes, bits, table)
    return table


@inner
def stained(table: Floats, k: int, angle: float) -> float:
    """How far the outline of cell ``k`` is stained in a direction: 0 to 1 with soft ends."""
    whole = table[k, 2]
    if whole >= 0.995:
        return 1.0
    arcs = table[k, 3]
    turn = (angle + 0.35 * np.sin(angle + table[k, 5]) - table[k, 4]) * 0.15915494309189535 * arcs
    turn -= np.floor(turn)
    inside = min(turn, whole - turn) / arcs * 6.283185307179586
    return min(1.0, max(0.0, 0.5 + inside * 4.0))


@inner
def line(table: Floats, k: int, inward: float) -> float:
    """Optical density of the membrane of cell ``k``, ``inward`` µm from its border."""
    width = table[k, 1]
    t = (inward - 0.2 * width) / (0.4 * width)
    return 0.85 * table[k, 0] * np.exp(-t * t) if abs(t) < 2.6 else 0.0
