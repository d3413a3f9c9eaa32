"""Where a second look pays: the places at which the models were least sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.store import Multiscale

__all__ = ["Place", "uncertain_labels", "uncertain_places"]

PLACE_UM: Final = 100.0
"""Side of a place: what is looked at together at high power."""

MOST: Final = 200
BORDER_UM: Final = 12.0
"""Width of the seam between two scores: one cell."""

LEAST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """A square of the slide.

    Attributes
    ----------
    row_um, col_um : float
        Its middle.
    doubt : float
        0 (sure) to 1.
    """

    row_um: float
    col_um: float
    doubt: float


def uncertain_places(probability: Multiscale, most: int = MOST) -> list[Place]:
    """Return places by falling doubt 4p(1 - p) of a probability raster, the mean over a place.

    Parameters
    ----------
    probability : Multiscale
        Of 0..1, or 0..255 as integers.
    most : int
    """
    values, um = _coarse(probability)
    p = values.astype(np.float32) / (255 if values.dtype.kind in "iu" else 1)
    return _ranked((4 * p * (1 - p)).astype(np.float32), um, most)


def uncertain_labels(labels: Multiscale, unsure: int = 255, most: int = MOST) -> list[Place]:
    """Return places by falling doubt of a label raster.

    Doubt is the share of pixels marked unsure plus that of pixels whose neighbour has another class, where
    both are classes: two scores meet there.
    """
    from scipy import ndimage

    values, um = _coarse(labels)
    classed = (values > 0) & (values != unsure)
    border = np.zeros(values.shape, bool)
    for one, next_ in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        border[one] |= classed[one] & classed[next_] & (values[one] != values[next_])
    border = ndimage.maximum_filter(border, max(1, round(BORDER_UM / um)))
    return _ranked((values == unsure) * np.float32(0.5) + border.astype(np.float32), um, most)


def _coarse(raster: Multiscale) -> tuple[NDArray[Any], float]:
    """Return the coarsest level whose pixels are at most an eighth of a place, and its pixel size."""
    levels = range(len(raster.levels))
    fit = [k for k in levels if raster.um_per_px * 2**k <= PLACE_UM / 8]
    level = fit[-1] if fit else 0
    return np.asarray(raster.levels[level][:]), raster.um_per_px * 2**level


def _ranked(doubt: NDArray[np.float32], um_per_px: float, most: int) -> list[Place]:
    side = max(1, round(PLACE_UM / um_per_px))
    rows, cols = (-(-size // side) for size in doubt.shape)
    padded = np.zeros((rows * side, cols * side), np.float32)
    padded[: doubt.shape[0], : doubt.shape[1]] = doubt
    means = padded.reshape(rows, side, cols, side).mean(axis=(1, 3))
    return list(_places(means, side * um_per_px, most))


def _places(means: NDArray[np.float32], side_um: float, most: int) -> Iterator[Place]:
    order = np.argsort(-means, axis=None, kind="stable")[:most]
    for at in order:
        row, col = np.unravel_index(at, means.shape)
        if means[row, col] >= LEAST:
            yield Place((row + 0.5) * side_um, (col + 0.5) * side_um, float(means[row, col]))
