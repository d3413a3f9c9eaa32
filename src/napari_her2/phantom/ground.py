"""Fields and grain between lattice points: what the painters ask per pixel."""

from __future__ import annotations

import numpy as np

from napari_her2.phantom.architecture import lie
from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import hashed, noise, sub, uniform
from napari_her2.phantom.warp import to_tissue

__all__ = ["LATTICE_PX", "LAYERS", "adipocytes", "field_lattice", "spread"]

LATTICE_PX = 8
"""Spacing of the lattice on which the architecture is evaluated."""

LAYERS = 12
"""tissue, nest, duct, fat, lymph, vessel, lumen, flow, bend row, bend col, tissue y, tissue x."""


@jit
def field_lattice(a, seed, ducts, dbits, linear, offset, waves, own, row_px, col_px, out):  # type: ignore[no-untyped-def]
    """Architecture and membrane waviness on the lattice of a tile that starts at a pixel."""
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            row, col = (row_px + 8 * i) * 0.25, (col_px + 8 * j) * 0.25
            y, x = to_tissue(linear, offset, waves, row, col)
            fields = lie(a, seed, ducts, dbits, y, x)
            for k in range(8):
                out[k, i, j] = fields[k]
            out[8, i, j] = 3.4 * noise(sub(own, 61), row / 5.5, col / 5.5)
            out[9, i, j] = 3.4 * noise(sub(own, 62), row / 5.5, col / 5.5)
            out[10, i, j] = y
            out[11, i, j] = x


@jit
def spread(lattice, out):  # type: ignore[no-untyped-def]
    """Bilinear values at pixel centres from a lattice of pixel corners every 8 px."""
    for r in range(out.shape[0]):
        i, v = r // 8, (r % 8 + 0.5) / 8.0
        for c in range(out.shape[1]):
            j, u = c // 8, (c % 8 + 0.5) / 8.0
            top = lattice[i, j] + u * (lattice[i, j + 1] - lattice[i, j])
            low = lattice[i + 1, j] + u * (lattice[i + 1, j + 1] - lattice[i + 1, j])
            out[r, c] = top + v * (low - top)


@jit
def adipocytes(seed, y, x):  # type: ignore[no-untyped-def]
    """Distance in µm to the nearest wall between fat cells."""
    step = 62.0
    v, u = y / step, x / step
    i, j = np.int64(np.floor(v)), np.int64(np.floor(u))
    first, second, fy, fx, sy, sx = 1e9, 1e9, 0.0, 0.0, 0.0, 0.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            bits = hashed(sub(seed, 71), i + di, j + dj)
            py = i + di + 0.15 + 0.7 * uniform(bits)
            px = j + dj + 0.15 + 0.7 * uniform(sub(bits, 1))
            far = (py - v) * (py - v) + (px - u) * (px - u)
            if far < first:
                second, sy, sx = first, fy, fx
                first, fy, fx = far, py, px
            elif far < second:
                second, sy, sx = far, py, px
    apart = np.sqrt((fy - sy) * (fy - sy) + (fx - sx) * (fx - sx))
    return (second - first) / (2.0 * max(apart, 1e-6)) * step
