"""Where two scorers differ, and by how many classes; numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.store import Multiscale

__all__ = ["classes_apart", "disagreement"]

FINEST_UM: Final = 4.0
"""Finer, the picture shows how the scorers draw borders, not where they differ."""
NONE: Final = -1


def disagreement(one: Multiscale, other: Multiscale) -> tuple[NDArray[np.uint8], float]:
    """Return how many classes two label rasters of one slide are apart, and the µm per pixel of that.

    0 is where they agree or one of them says nothing.
    """
    (first, um), (second, um_second) = _coarse(one), _coarse(other)
    rows = _places(first.shape[0], um / um_second, second.shape[0])
    cols = _places(first.shape[1], um / um_second, second.shape[1])
    return classes_apart(first, second[rows][:, cols]), um


def classes_apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return |score - score| of two rasters of equal shape; unusual counts as 2+."""
    table = np.full(256, NONE, np.int8)
    for rank, score in enumerate(SCORES):
        table[RASTER_LABELS[score]] = rank
    table[RASTER_LABELS["unusual"]] = SCORES.index("2+")
    a, b = table[one], table[other]
    return np.where((a != NONE) & (b != NONE), np.abs(a - b), 0).astype(np.uint8)


def _coarse(raster: Multiscale) -> tuple[NDArray[np.uint8], float]:
    """Read the finest level that is coarse enough."""
    sizes = [raster.um_per_px * 2**level for level in range(len(raster.levels))]
    level = next((k for k, um in enumerate(sizes) if um >= FINEST_UM), len(sizes) - 1)
    return np.asarray(raster.levels[level][...], np.uint8), sizes[level]


def _places(count: int, factor: float, size: int) -> NDArray[np.intp]:
    return np.minimum(((np.arange(count) + 0.5) * factor).astype(np.intp), size - 1)
