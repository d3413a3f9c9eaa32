"""Where the fine structure of a picture ends, in cycles per µm of the stated pixel size.

An objective passes no structure finer than its aperture allows, and scanners use about the same
(20x, NA 0.75): the spectrum of tissue, whitened by the square of the frequency, falls to a quarter of
its plateau at 0.81 to 0.96 cycles per µm on the eight cores at hand, whatever is stained. A size
stated too small claims finer detail than glass can show. Blur only lowers the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Grid = NDArray[np.float32]

__all__ = ["finest_detail"]

_SIDE_PX: Final = 192
_STRIDE_PX: Final = 160
_FINE_PX: Final = 6.0
_STEP: Final = 0.08
"""Width of a band of frequencies, in octaves."""
_SHARPEST: Final = 0.4
_MOST_TILES: Final = 60
_FEWEST_TILES: Final = 4
_LEAST_FINE: Final = 0.002
"""Mean deviation in OD within a few pixels; of blank glass and padding it is less."""
_FALL: Final = 2.0
"""In octaves of power: a quarter of the plateau."""
_FROM_PER_UM: Final = 0.15
"""Longer waves than about 7 µm tell how nuclei lie, not how sharp the picture is."""


def finest_detail(densities: Sequence[Grid], um_per_px: float) -> float | None:
    """Return the frequency (cycles/µm) at which the spectrum of the sharpest tissue ends.

    Parameters
    ----------
    densities : sequence of float32 ndarray
        Optical density of fields at full resolution, mean of the channels.
    um_per_px : float
        As stated.

    Returns
    -------
    float or None
        None where there is too little tissue, or detail reaches to the limit of the pixels.
    """
    tiles = _sharpest(densities)
    if len(tiles) < _FEWEST_TILES:
        return None
    frequency, power = _spectrum(tiles)
    return _end(frequency / um_per_px, power)


def _sharpest(densities: Sequence[Grid]) -> list[Grid]:
    """Tiles of tissue with the most fine structure."""
    from cv2 import GaussianBlur

    found = []
    for field in densities:
        fine = np.abs(field - GaussianBlur(field, (0, 0), _FINE_PX))
        for row in range(0, field.shape[0] - _SIDE_PX + 1, _STRIDE_PX):
            for col in range(0, field.shape[1] - _SIDE_PX + 1, _STRIDE_PX):
                place = slice(row, row + _SIDE_PX), slice(col, col + _SIDE_PX)
                if fine[place].mean() > _LEAST_FINE:
                    found.append((float(fine[place].mean()), field[place]))
    found.sort(key=lambda entry: -entry[0])
    n = min(max(round(len(found) * _SHARPEST), _FEWEST_TILES), _MOST_TILES)
    return [tile for _, tile in found[:n]]


def _spectrum(tiles: Sequence[Grid]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequency in cycles per pixel and log2 of the whitened power, geometric mean over tiles."""
    along = np.fft.fftfreq(_SIDE_PX)
    radius = np.hypot(along[:, None], along[None, : _SIDE_PX // 2 + 1])
    band = np.floor(np.log2(np.maximum(radius, 1e-9)) / _STEP).astype(int)
    used = (radius > 2.5 / _SIDE_PX) & (radius < 0.5)
    _, band = np.unique(band[used], return_inverse=True)
    n = np.bincount(band)
    window = np.outer(np.hanning(_SIDE_PX), np.hanning(_SIDE_PX))
    frequency = np.bincount(band, radius[used]) / n
    logs = []
    for tile in tiles:
        power = np.abs(np.fft.rfft2((tile - tile.mean()) * window)) ** 2
        white = np.bincount(band, power[used]) / n * frequency**2
        logs.append(np.log2(white / white.sum()))
    return frequency, np.mean(logs, axis=0)


def _end(per_um: NDArray[np.float64], power: NDArray[np.float64]) -> float | None:
    """Frequency at which power has fallen from its plateau, between two bands."""
    kept = per_um > _FROM_PER_UM
    per_um, power = per_um[kept], power[kept]
    level = np.sort(power)[-3:].mean() - _FALL
    low = np.flatnonzero((power < level) & (np.arange(len(power)) > power.argmax()))
    if not len(low):
        return None
    k = low[0]
    part = (power[k - 1] - level) / (power[k - 1] - power[k])
    return float(per_um[k - 1] * (per_um[k] / per_um[k - 1]) ** part)
