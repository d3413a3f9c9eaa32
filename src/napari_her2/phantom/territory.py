"""Which cell a pixel belongs to: a power diagram of the carcinoma cells, drawn cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import sub, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.matter import Field

    Spots = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint64]]
    Ids = NDArray[np.int32]

__all__ = ["REACH_UM", "between", "blank", "claim"]

REACH_UM: Final = 10.5
"""Radius of a cell that neither a neighbour nor the border of its nest confines."""

_REACH_PX = (REACH_UM + 1.5) * 4.0


@inner
def _claim_pixel(power: float, k: int, spot: tuple[int, int], near: Field, ids: Ids) -> None:
    r, c = spot
    if power < near[0, r, c]:
        near[1, r, c], ids[1, r, c] = near[0, r, c], ids[0, r, c]
        near[0, r, c], ids[0, r, c] = power, k + 1
    elif power < near[1, r, c]:
        near[1, r, c], ids[1, r, c] = power, k + 1


@jit
def claim(spots: Spots, bend: Field, near: Field, ids: Ids) -> None:
    """Mark for each pixel the nearest and the second cell (index + 1; 0: none) with power distances.

    ``spots``: rows and columns in pixels of the tile, random bits; ``near`` and ``ids`` (2, h, w).
    ``bend`` (2, h, w), displacements in pixels, makes borders wavy.
    """
    rows, cols, bits = spots
    _, height, width = near.shape
    for k in range(rows.shape[0]):
        y, x = rows[k], cols[k]
        weight = 620.0 * (uniform(sub(bits[k], 40)) - 0.5)
        r0, r1 = max(0, int(y - _REACH_PX)), min(height, int(y + _REACH_PX) + 1)
        c0, c1 = max(0, int(x - _REACH_PX)), min(width, int(x + _REACH_PX) + 1)
        for r in range(r0, r1):
            for c in range(c0, c1):
                v, u = r + 0.5 - y + bend[0, r, c], c + 0.5 - x + bend[1, r, c]
                if v * v + u * u < _REACH_PX * _REACH_PX:
                    _claim_pixel(v * v + u * u - weight, k, (r, c), near, ids)


@inner
def between(spots: Spots, near: Field, ids: Ids, r: int, c: int) -> float:
    """Distance in µm from a claimed pixel to the border with its second cell (1000: no neighbour)."""
    other = ids[1, r, c]
    if other == 0:
        return 1e3
    first = ids[0, r, c] - 1
    dy, dx = spots[0][first] - spots[0][other - 1], spots[1][first] - spots[1][other - 1]
    return (near[1, r, c] - near[0, r, c]) / (2.0 * np.sqrt(dy * dy + dx * dx)) * 0.25


def blank(side: int) -> tuple[Field, Ids]:
    """Fresh buffers for :func:`claim`."""
    return np.full((2, side, side), 1e9, np.float32), np.zeros((2, side, side), np.int32)
