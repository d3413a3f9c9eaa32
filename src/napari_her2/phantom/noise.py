"""Random numbers that belong to a place, not to an order: hashes and smooth noise.

Everything drawn is a function of (seed, place), so a region does not depend on what was drawn before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.compiled import inner, jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["chance", "drawn", "draws", "hashed", "noise", "ripple", "sub", "uniform"]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xBF58476D1CE4E5B9)
_C = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_M64 = np.uint64(63)
_S32 = np.uint64(32)
_K1 = np.uint64(0x9E3779B1)
_K2 = np.uint64(0x85EBCA6B)
_ANGLES = np.arange(64) * (2 * np.pi / 64)
_GY, _GX = np.sin(_ANGLES), np.cos(_ANGLES)


@inner
def _mixed(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> _S30)) * _B
    value = (value ^ (value >> _S27)) * _C
    return value ^ (value >> _S31)


@jit
def hashed(seed: np.uint64, i: int, j: int) -> np.uint64:
    """64 random bits of a lattice place (splitmix64's finaliser, public domain)."""
    value = _mixed(seed + np.uint64(i) * _A)
    return _mixed(value ^ (np.uint64(j) * _C + _A))


@jit
def sub(bits: np.uint64, k: int) -> np.uint64:
    """Return the k-th further 64 bits of a place."""
    return _mixed(bits + np.uint64(k) * _A)


@jit
def uniform(bits: np.uint64) -> float:
    """0 ≤ number < 1 from 64 bits."""
    return np.float64(bits >> _S11) * 1.1102230246251565e-16


@inner
def _corner(seed: np.uint64, i: int, j: int, y: float, x: float) -> float:
    bits = (seed ^ (np.uint64(i) * _K1)) + np.uint64(j) * _K2
    bits = (bits ^ (bits >> _S27)) * _B
    k = (bits >> _S32) & _M64
    return _GY[k] * y + _GX[k] * x


@inner
def noise(seed: np.uint64, y: float, x: float) -> float:
    """Gradient noise on a lattice of step 1: about -1 to 1, standard deviation about 0.33."""
    fi, fj = np.floor(y), np.floor(x)
    i, j = int(fi), int(fj)
    v, u = y - fi, x - fj
    a = _corner(seed, i, j, v, u)
    b = _corner(seed, i, j + 1, v, u - 1.0)
    c = _corner(seed, i + 1, j, v - 1.0, u)
    d = _corner(seed, i + 1, j + 1, v - 1.0, u - 1.0)
    s = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
    t = v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
    top = a + s * (b - a)
    return (top + t * (c + s * (d - c) - top)) * 1.4


@inner
def ripple(bits: np.uint64, angle: float) -> float:
    """Outline of a duct: a few harmonics of the angle, about -1 to 1."""
    p = uniform(bits) * 6.283185307179586
    q = uniform(sub(bits, 1)) * 6.283185307179586
    r = uniform(sub(bits, 2)) * 6.283185307179586
    return 0.55 * np.sin(2.0 * angle + p) + 0.3 * np.sin(3.0 * angle + q) + 0.15 * np.sin(5.0 * angle + r)


@jit
def draws(bits: NDArray[np.uint64], first: int, count: int) -> NDArray[np.float64]:
    """Uniform numbers (n, count) of many places: the k-th of each for k from ``first``."""
    out = np.empty((bits.shape[0], count))
    for i in range(bits.shape[0]):
        for k in range(count):
            out[i, k] = uniform(sub(bits[i], first + k))
    return out


def drawn(seed: int, i: int, j: int) -> np.uint64:
    """:func:`hashed` for callers outside compiled code, always as uint64."""
    return np.uint64(hashed(np.uint64(seed), int(i), int(j)))


def chance(bits: np.uint64, k: int = 0) -> float:
    """0 ≤ number < 1, the k-th of a place."""
    return float(uniform(np.uint64(sub(np.uint64(bits), int(k)))))
