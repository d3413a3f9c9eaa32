"""A smooth map at every pixel of a raster: worked out at every eighth, interpolated between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["dense"]

_STEP_PX = 8


def dense(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], shape: tuple[int, int]
) -> list[NDArray[np.float32]]:
    """Evaluate ``function`` at the pixel centres of a raster.

    Parameters
    ----------
    function : callable
        Takes corner-based pixel positions (n, 2), returns (n, k); smooth on the scale of eight pixels.
    shape : tuple of int
        (rows, cols).

    Returns
    -------
    list of ndarray of shape (rows, cols), float32
        One per column of the result.
    """
    nodes = [np.arange(-(-length // _STEP_PX) + 1) * float(_STEP_PX) for length in shape]
    grid = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1)
    values = function(grid.reshape(-1, 2) + 0.5)
    coarse = values.reshape(*grid.shape[:2], -1).astype(np.float32)
    return [_spread(coarse[..., channel], shape) for channel in range(coarse.shape[2])]


def _spread(coarse: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Linear interpolation between nodes that lie ``_STEP_PX`` apart."""
    tall = _along_rows(coarse, shape[0])
    return np.ascontiguousarray(_along_rows(tall.T, shape[1]).T)


def _along_rows(coarse: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    place = np.arange(length) / _STEP_PX
    below = place.astype(np.intp)
    part = (place - below)[:, None].astype(np.float32)
    return np.asarray(coarse[below] * (1 - part) + coarse[below + 1] * part, np.float32)
