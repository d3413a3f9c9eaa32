"""Small periodic pictures of grain that the painters look up instead of computing noise per pixel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIDE", "grain", "speckle"]

SIDE: Final = 1024
"""Period of every texture in pixels of 0.25 µm; a power of two."""


def _white(key: int) -> NDArray[np.float64]:
    return np.random.Generator(np.random.Philox(key)).standard_normal((SIDE, SIDE))


def _radius() -> NDArray[np.float64]:
    axis = np.fft.fftfreq(SIDE)
    return np.hypot(axis[:, None], axis[None, :])


@cache
def grain(key: int, coarse_px: float, fine_px: float) -> NDArray[np.float32]:
    """Band-passed noise between two wavelengths in pixels; mean 0, standard deviation 1."""
    radius = _radius()
    band = np.exp(-((radius * fine_px) ** 2)) * (1 - np.exp(-((radius * coarse_px) ** 2)))
    out = np.fft.ifft2(np.fft.fft2(_white(key)) * band).real
    return ((out - out.mean()) / out.std()).astype(np.float32)


@cache
def speckle() -> NDArray[np.float32]:
    """White noise of the camera, three channels; standard deviation 1."""
    return np.stack([_white(900 + k) for k in range(3)], axis=-1).astype(np.float32)
