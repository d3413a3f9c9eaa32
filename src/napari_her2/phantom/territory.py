"""Which cell a pixel belongs to: a power diagram of the carcinoma cells, drawn cell by cell."""

from __future__ import annotations

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import sub, uniform

__all__ = ["REACH_UM", "claim"]

REACH_UM = 8.0
"""Radius of a cell that no neighbour confines."""


@jit
def claim(rows, cols, bits, bend_y, bend_x, best, second, first_id, second_id):  # type: ignore[no-untyped-def]
    """Mark for each pixel the nearest and the second cell (index + 1; 0: none) with power distances.

    ``rows`` and ``cols`` are pixels of the tile, ``bend_*`` displacements in pixels that make borders wavy.
    """
    height, width = best.shape
    reach = (REACH_UM + 2.0) * 4.0
    for k in range(rows.shape[0]):
        y, x = rows[k], cols[k]
        weight = 900.0 * (uniform(sub(bits[k], 40)) - 0.5)
        r0, r1 = max(0, int(y - reach)), min(height, int(y + reach) + 1)
        c0, c1 = max(0, int(x - reach)), min(width, int(x + reach) + 1)
        for r in range(r0, r1):
            for c in range(c0, c1):
                v = r + 0.5 + bend_y[r, c] - y
                u = c + 0.5 + bend_x[r, c] - x
                far = v * v + u * u
                if far > reach * reach:
                    continue
                power = far - weight
                if power < best[r, c]:
                    second[r, c], second_id[r, c] = best[r, c], first_id[r, c]
                    best[r, c], first_id[r, c] = power, k + 1
                elif power < second[r, c]:
                    second[r, c], second_id[r, c] = power, k + 1


def blank(shape: tuple[int, int]):  # type: ignore[no-untyped-def]
    """Fresh buffers for :func:`claim`."""
    far = np.full((2, *shape), 1e9, np.float32)
    ids = np.zeros((2, *shape), np.int32)
    return far[0], far[1], ids[0], ids[1]
