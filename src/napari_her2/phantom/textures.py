"""Small periodic pictures of grain that the painters look up instead of computing noise per pixel.

They are made once per process from fixed keys and are the same for every phantom; each cell, fibre
bundle or tile reads them from its own random place.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIDE", "collagen", "grain", "speckle"]

SIDE: Final = 1024
"""Period of every texture in pixels of 0.25 µm; a power of two."""


def _white(key: int) -> NDArray[np.float64]:
    return np.random.Generator(np.random.Philox(key)).standard_normal((SIDE, SIDE))


def _filtered(key: int, band: NDArray[np.float64]) -> NDArray[np.float64]:
    """White noise through a filter given in the frequency domain; mean 0, standard deviation 1."""
    out = np.fft.ifft2(np.fft.fft2(_white(key)) * band).real
    return np.asarray((out - out.mean()) / out.std())


def _frequencies() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    axis = np.asarray(np.fft.fftfreq(SIDE), np.float64)
    return axis[:, None], axis[None, :]


@cache
def grain(key: int, coarse_px: float, fine_px: float) -> NDArray[np.float32]:
    """Band-passed noise between two wavelengths in pixels; mean 0, standard deviation 1."""
    radius = np.hypot(*_frequencies())
    band = np.exp(-((radius * fine_px) ** 2)) * (1 - np.exp(-((radius * coarse_px) ** 2)))
    return _filtered(key, band).astype(np.float32)


@cache
def collagen() -> NDArray[np.float32]:
    """Wavy fibres along the columns: fibrils in bundles, with slits; mean 0, standard deviation 1."""
    import cv2

    fy, fx = _frequencies()
    fibrils = _filtered(31, np.exp(-((fx * 70) ** 2) - (fy * 2.6) ** 2) * (1 - np.exp(-((fy * 16) ** 2))))
    bundles = _filtered(32, np.exp(-((fx * 200) ** 2) - (fy * 13) ** 2) * (1 - np.exp(-((fy * 60) ** 2))))
    slits = _filtered(33, np.exp(-((fx * 110) ** 2) - (fy * 9) ** 2) * (1 - np.exp(-((fy * 40) ** 2))))
    fibres = 0.75 * fibrils + 0.6 * bundles - 1.1 * np.maximum(slits - 1.15, 0.0)
    crimp = _filtered(34, np.exp(-((fx * 75) ** 2) - (fy * 90) ** 2) * (1 - np.exp(-((fx * 190) ** 2))))
    rows, cols = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    bent = (rows + 7.0 * crimp).astype(np.float32)
    out = cv2.remap(
        fibres.astype(np.float32), cols.astype(np.float32), bent, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray((out - out.mean()) / out.std(), np.float32)


@cache
def speckle() -> NDArray[np.float32]:
    """White noise of the camera, three channels; standard deviation 1."""
    return np.stack([_white(900 + k) for k in range(3)], axis=-1).astype(np.float32)
