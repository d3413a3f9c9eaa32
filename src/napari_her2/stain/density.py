"""Intensities to optical densities and back (Beer-Lambert, base 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["density_table", "optical_density", "transmit"]

DARKEST = 1.0
"""Least intensity (of 255) that is believed: a camera's zero means "less than one step"."""


def _white(white: ArrayLike) -> NDArray[np.float64]:
    values = np.broadcast_to(np.asarray(white, dtype=np.float64), (3,))
    if not (np.all(np.isfinite(values)) and np.all(values > 0)):
        raise ValueError(f"white needs three positive numbers (0..255), got {white!r}")
    return values


def density_table(white: ArrayLike) -> NDArray[np.float32]:
    """Optical density of each 8-bit value and channel, for look-ups.

    Parameters
    ----------
    white : array_like of 3 floats
        Intensity of empty glass per channel, 0..255.

    Returns
    -------
    ndarray of shape (256, 3), float32
        log10 OD. Values brighter than white are negative; 0 counts as 1 (OD <= 2.41).
    """
    steps = np.maximum(np.arange(256, dtype=np.float64), DARKEST)
    return (np.log10(_white(white))[None, :] - np.log10(steps)[:, None]).astype(np.float32)


def optical_density(rgb: NDArray[np.uint8] | NDArray[np.floating], white: ArrayLike) -> NDArray[np.float32]:
    """Optical density, ``-log10(I / white)``, never clipped at zero.

    Parameters
    ----------
    rgb : ndarray of shape (..., 3)
        Intensities, 0..255; uint8 goes through a table, anything else is computed.
    white : array_like of 3 floats
        Intensity of empty glass per channel, 0..255 (estimated per slide; 255 is rarely right).

    Returns
    -------
    ndarray of shape (..., 3), float32
        log10 OD; negative where a pixel is brighter than white.
    """
    if rgb.shape[-1:] != (3,):
        raise ValueError(f"rgb needs three channels last, got shape {rgb.shape}")
    if rgb.dtype == np.uint8:
        table = density_table(white)
        return np.stack([table[:, i][rgb[..., i]] for i in range(3)], axis=-1)
    light = np.maximum(rgb.astype(np.float32), np.float32(DARKEST))
    return np.asarray(np.log10(_white(white)) - np.log10(light), dtype=np.float32)


def transmit(density: ArrayLike, white: ArrayLike) -> NDArray[np.float32]:
    """Light behind a density: ``white * 10**-OD`` (not rounded, not clipped), the inverse."""
    return np.asarray(_white(white) * np.power(10.0, -np.asarray(density, np.float64)), dtype=np.float32)
