"""Where everything has been looked at: only there does unlabelled mean background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation.areas import REVIEWED
from napari_her2.annotation.model_labels import read_labels
from napari_her2.annotation.polygons import rasterised
from napari_her2.geometry import Box
from napari_her2.vocabulary import RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from napari_her2.annotation.areas import AreaBook
    from napari_her2.annotation.mask import EditableMask, SavedMask
    from napari_her2.annotation.model_labels import ModelLabels

__all__ = ["OVERVIEW_UM", "Coverage", "coverage", "outline_raster", "reviewed_shape", "trusted_labels"]

OVERVIEW_UM: Final = 8.0
"""Pixel size at which it is worked out what is left."""

PLACE_UM: Final = 250.0


def reviewed_shape(book: AreaBook) -> BaseGeometry | None:
    """Return the reviewed areas of a slide as one shape (level-0 pixels); None where there is none."""
    from shapely import union_all

    shapes = [area.shape for area in book.named(REVIEWED)]
    return union_all(shapes) if shapes else None


def trusted_labels(
    mask: EditableMask | SavedMask,
    model: ModelLabels,
    reviewed: BaseGeometry | None,
    box: Box,
    level: int = 0,
) -> NDArray[np.uint8]:
    """Return labels for training and measuring: 255 (unsure) wherever nobody has reviewed.

    Parameters
    ----------
    mask : EditableMask or SavedMask
    model : ModelLabels
    reviewed : shapely geometry or None
        In level-0 pixels.
    box : Box
        In the pixels of ``level``.
    level : int
    """
    unsure = np.full((box.height, box.width), RASTER_LABELS["unsure"], np.uint8)
    if reviewed is None:
        return unsure
    inside = rasterised(reviewed, box, 2**level)
    return np.where(inside, read_labels(mask, model, box, level), unsure) if inside.any() else unsure


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of what is to be reviewed has been.

    Attributes
    ----------
    target, done : bool ndarrays of shape (rows, cols)
        At ``um_per_px``.
    um_per_px : float
    """

    target: NDArray[np.bool_]
    done: NDArray[np.bool_]
    um_per_px: float

    @property
    def target_mm2(self) -> float:
        """What is to be reviewed."""
        return float(np.count_nonzero(self.target)) * self.um_per_px**2 / 1e6

    @property
    def left_mm2(self) -> float:
        """What of it is left."""
        return float(np.count_nonzero(self.target & ~self.done)) * self.um_per_px**2 / 1e6

    @property
    def percent_done(self) -> float:
        """How much of it is done; 100 where there is nothing to do."""
        return 100.0 if not self.target_mm2 else 100 * (1 - self.left_mm2 / self.target_mm2)

    def next_left(self) -> tuple[float, float] | None:
        """Return the middle (row, col in µm) of the place with most left; None when all is done."""
        left = (self.target & ~self.done).astype(np.float32)
        if not left.any():
            return None
        side = max(1, round(PLACE_UM / self.um_per_px))
        rows, cols = (-(-size // side) for size in left.shape)
        padded = np.zeros((rows * side, cols * side), np.float32)
        padded[: left.shape[0], : left.shape[1]] = left
        sums = padded.reshape(rows, side, cols, side).sum(axis=(1, 3))
        row, col = np.unravel_index(int(np.argmax(sums)), sums.shape)
        return (row + 0.5) * side * self.um_per_px, (col + 0.5) * side * self.um_per_px


def coverage(
    target: NDArray[np.bool_], um_per_px: float, reviewed: BaseGeometry | None, slide_um_per_px: float
) -> Coverage:
    """Return what of a target is reviewed.

    Parameters
    ----------
    target : bool ndarray of shape (rows, cols)
        What is to be reviewed, e.g. tissue or the tumour area.
    um_per_px : float
        Of the target.
    reviewed : shapely geometry or None
        In level-0 pixels.
    slide_um_per_px : float
    """
    done = np.zeros(target.shape, bool)
    if reviewed is not None:
        done = rasterised(reviewed, Box.of_shape(target.shape), um_per_px / slide_um_per_px)
    return Coverage(target, done, um_per_px)


def outline_raster(
    rings_um: Iterable[NDArray[Any]], size_um: tuple[float, float], um_per_px: float = OVERVIEW_UM
) -> NDArray[np.bool_]:
    """Return which pixels lie inside an odd number of rings (outlines and holes), at a low resolution.

    Parameters
    ----------
    rings_um : iterable of ndarrays of shape (n, 2)
    size_um : tuple of float
        Height and width of the slide.
    um_per_px : float
    """
    from shapely import Polygon

    rows, cols = (max(1, int(np.ceil(size / um_per_px))) for size in size_um)
    inside = np.zeros((rows, cols), bool)
    for ring in rings_um:
        inside ^= rasterised(Polygon(np.asarray(ring)), Box(0, 0, rows, cols), um_per_px)
    return inside
