"""HER2 on the membranes: what a cell of a class shows, and how neighbours share a border.

Widths are the means that Scheel et al. (Diagn Pathol 2018, 13:19) measured between neighbouring
cells: 1+ 0.64, 2+ 1.0, 3+ 2.14 µm. Each of two neighbours draws its own membrane just inside its
border; together they make a line of that width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import sub, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Membranes", "membranes_of"]

#                 0     1+    2+    3+   unusual
_OD_LOW = np.array([0.00, 0.22, 0.42, 0.95, 0.48])
_OD_SPAN = np.array([0.00, 0.12, 0.33, 0.85, 0.45])
_WIDTH = np.array([0.60, 0.64, 1.00, 2.14, 1.20])
_WHOLE_LOW = np.array([0.00, 0.22, 0.93, 0.95, 0.30])
_WHOLE_SPAN = np.array([0.00, 0.48, 0.07, 0.05, 0.38])


@jit
def _membranes(classes, bits, out):  # type: ignore[no-untyped-def]
    for k in range(classes.shape[0]):
        c = classes[k]
        b = bits[k]
        strength = 0.5 * (uniform(sub(b, 20)) + uniform(sub(b, 21)))
        out[k, 0] = _OD_LOW[c] + _OD_SPAN[c] * strength
        out[k, 1] = _WIDTH[c] * (0.82 + 0.36 * uniform(sub(b, 22)))
        out[k, 2] = _WHOLE_LOW[c] + _WHOLE_SPAN[c] * uniform(sub(b, 23))
        out[k, 3] = 1.0 if c == 4 else 1.0 + np.floor(3.0 * uniform(sub(b, 24)))
        out[k, 4] = uniform(sub(b, 25)) * 6.283185307179586
        out[k, 5] = uniform(sub(b, 26)) * 6.283185307179586


@dataclass(frozen=True, slots=True, eq=False)
class Membranes:
    """Per cell: peak optical density, width (µm), stained fraction, number of arcs and two phases."""

    table: NDArray[np.float64]

    @property
    def completeness(self) -> NDArray[np.float64]:
        """Fraction of the outline that is stained, 0 to 1."""
        return self.table[:, 2]


def membranes_of(classes: NDArray[np.uint8], bits: NDArray[np.uint64]) -> Membranes:
    """Draw the membrane of each cell from the distribution of its class."""
    table = np.empty((len(classes), 6))
    _membranes(classes, bits, table)
    return Membranes(table)


@jit
def stained(table, k, angle):  # type: ignore[no-untyped-def]
    """How far the outline of cell ``k`` is stained in a direction: 0 to 1 with soft ends."""
    whole = table[k, 2]
    if whole >= 0.999:
        return 1.0
    arcs = table[k, 3]
    turn = (angle + 0.35 * np.sin(angle + table[k, 5]) - table[k, 4]) * 0.15915494309189535 * arcs
    turn -= np.floor(turn)
    inside = min(turn, whole - turn) / arcs * 6.283185307179586
    return min(1.0, max(0.0, 0.5 + inside * 5.0))


@jit
def line(table, k, inward):  # type: ignore[no-untyped-def]
    """Optical density of the membrane of cell ``k``, ``inward`` µm from its border."""
    width = table[k, 1]
    t = (inward - 0.2 * width) / (0.4 * width)
    return 0.85 * table[k, 0] * np.exp(-t * t)
