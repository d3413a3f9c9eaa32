"""Cubic interpolation on a lattice, in numpy alone (a mapping must load in a blink).

The kernel is Catmull-Rom (Keys 1981, a = -1/2): it goes through the nodes, reproduces quadratics
and has a continuous derivative. Beyond the edge the outermost node is repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bilinear", "interpolate", "slopes", "taps"]

_CHUNK = 1 << 16


def _weights(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n, 4) of the nodes -1, 0, 1, 2 around a fraction in [0, 1)."""
    t, t2, t3 = part, part**2, part**3
    return 0.5 * np.stack(
        [-t3 + 2 * t2 - t, 3 * t3 - 5 * t2 + 2, -3 * t3 + 4 * t2 + t, t3 - t2],
        axis=-1,
    )


def _slope_weights(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return derivatives of :func:`_weights`."""
    t, t2 = part, part**2
    return 0.5 * np.stack(
        [-3 * t2 + 4 * t - 1, 9 * t2 - 10 * t, -9 * t2 + 8 * t + 1, 3 * t2 - 2 * t], axis=-1
    )


def _split(index: NDArray[np.float64], length: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Clamped node numbers (n, 4) and the fraction (n,) of indices along one axis."""
    held = np.clip(index, 0.0, length - 1.0)
    base = np.minimum(np.floor(held), max(length - 2, 0))
    nodes = base.astype(np.intp)[:, None] + np.arange(-1, 3)
    return np.clip(nodes, 0, length - 1), held - base


def taps(shape: tuple[int, ...], index: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Flat node numbers (n, 16) and weights (n, 16) whose sum of products interpolates at ``index``."""
    rows, row_part = _split(index[:, 0], shape[0])
    cols, col_part = _split(index[:, 1], shape[1])
    flat = rows[:, :, None] * shape[1] + cols[:, None, :]
    weights = _weights(row_part)[:, :, None] * _weights(col_part)[:, None, :]
    return flat.reshape(-1, 16), weights.reshape(-1, 16)


def interpolate(values: NDArray[np.floating], index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (rows, cols, k) at fractional node indices (n, 2) → (n, k)."""
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)
    out = np.empty((len(index), values.shape[2]))
    for start in range(0, len(index), _CHUNK):
        part = slice(start, start + _CHUNK)
        nodes, weights = taps(values.shape, index[part])
        out[part] = np.einsum("nt,ntk->nk", weights, flat[nodes])
    return out


def slopes(values: NDArray[np.floating], index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return derivatives per node at indices (n, 2) → (n, k, 2); zero beyond the lattice's edge."""
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)
    out = np.empty((len(index), values.shape[2], 2))
    for start in range(0, len(index), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = _slopes(flat, values.shape, index[part])
    return out


def _slopes(
    flat: NDArray[np.float64], shape: tuple[int, ...], index: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows, row_part = _split(index[:, 0], shape[0])
    cols, col_part = _split(index[:, 1], shape[1])
    near = flat[rows[:, :, None] * shape[1] + cols[:, None, :]]
    down = np.einsum("nr,nc,nrck->nk", _slope_weights(row_part), _weights(col_part), near)
    across = np.einsum("nr,nc,nrck->nk", _weights(row_part), _slope_weights(col_part), near)
    within = (index >= 0) & (index <= np.asarray(shape[:2]) - 1)
    return np.stack([down * within[:, :1], across * within[:, 1:]], axis=-1)


def bilinear(values: NDArray[np.floating], index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (rows, cols, k) at fractional node indices (n, 2) → (n, k), held at the edge."""
    last = np.asarray(values.shape[:2]) - 1
    held = np.clip(index, 0, last)
    low = np.minimum(np.floor(held).astype(np.intp), np.maximum(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = held - low
    top = _blend(values[low[:, 0], low[:, 1]], values[low[:, 0], high[:, 1]], part[:, 1:])
    bottom = _blend(values[high[:, 0], low[:, 1]], values[high[:, 0], high[:, 1]], part[:, 1:])
    return _blend(top, bottom, part[:, :1])


def _blend(
    first: NDArray[np.floating], second: NDArray[np.floating], part: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(first * (1 - part) + second * part, np.float64)
