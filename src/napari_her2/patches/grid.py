"""The regular cover of a slide by patches of one physical size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from napari_her2.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PatchGrid", "Scaled"]

ROUNDING = 1e-6  # of a step: a slide that ends this little beyond a patch needs no further one


class Scaled(Protocol):
    """What the grid must know of a slide."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of level 0."""

    @property
    def um_per_px(self) -> float:
        """Of level 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchGrid:
    """Square patches of ``size_px`` at ``um_per_px``, from the slide's corner on.

    Patch (r, c) starts at level-0 pixel (round(r · s), round(c · s)) with s = ``step_px``; without
    overlap s is the side of a patch in level-0 pixels (contracts, section 1).

    Attributes
    ----------
    size_px : int
        Side of a patch in the model's pixels.
    um_per_px : float
        The model's pixel size.
    stride_px : int
        From one patch to the next, in the model's pixels; less than ``size_px`` is overlap.
    slide_shape : tuple of int
        (rows, cols) of level 0.
    slide_um_per_px : float
        Of level 0.

    Raises
    ------
    ValueError
        If a size is not positive or the stride leaves gaps.
    """

    size_px: int
    um_per_px: float
    stride_px: int
    slide_shape: tuple[int, int]
    slide_um_per_px: float

    def __post_init__(self) -> None:
        if not 0 < self.stride_px <= self.size_px:
            raise ValueError(f"stride_px must lie in [1, {self.size_px}], got {self.stride_px}")
        if not (self.um_per_px > 0 and self.slide_um_per_px > 0 and min(self.slide_shape) > 0):
            raise ValueError(
                f"sizes must be positive, got {self.um_per_px}, {self.slide_um_per_px}, {self.slide_shape}"
            )

    @classmethod
    def over(cls, slide: Scaled, size_px: int, um_per_px: float, *, overlap: float = 0.0) -> Self:
        """Cover a slide.

        Parameters
        ----------
        slide : Slide
            Or anything with ``shape`` and ``um_per_px``.
        size_px, um_per_px
            Of the model.
        overlap : float
            Fraction [0, 1) of a patch's side that the next one shares; rounded to whole model pixels.
        """
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
        return cls(
            size_px=size_px,
            um_per_px=um_per_px,
            stride_px=max(round(size_px * (1 - overlap)), 1),
            slide_shape=slide.shape,
            slide_um_per_px=slide.um_per_px,
        )

    @classmethod
    def he(cls, slide: Scaled) -> Self:
        """Patches of 224 px at 0.5 µm/px."""
        return cls.over(slide, 224, 0.5)

    @classmethod
    def ihc(cls, slide: Scaled) -> Self:
        """Patches of 512 px at 0.25 µm/px."""
        return cls.over(slide, 512, 0.25)

    @property
    def level0_px(self) -> float:
        """Level-0 pixels along the side of a model pixel."""
        return self.um_per_px / self.slide_um_per_px

    @property
    def step_px(self) -> float:
        """From one patch to the next, in level-0 pixels."""
        return self.stride_px * self.level0_px

    @property
    def side_px(self) -> float:
        """Side of a patch in level-0 pixels."""
        return self.size_px * self.level0_px

    @property
    def size_um(self) -> float:
        """Side of a patch in µm."""
        return self.size_px * self.um_per_px

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of patches: as few as cover the slide."""
        rows, cols = (
            max(math.ceil((n - self.side_px) / self.step_px - ROUNDING), 0) + 1 for n in self.slide_shape
        )
        return rows, cols

    @property
    def cells(self) -> NDArray[np.int64]:
        """(row, col) of all patches, row by row: (n, 2)."""
        return np.indices(self.shape).reshape(2, -1).T.astype(np.int64)

    def starts(self, cells: ArrayLike) -> NDArray[np.int64]:
        """Upper left corners (n, 2) of patches (n, 2) in level-0 pixels."""
        return np.round(np.asarray(cells).reshape(-1, 2) * self.step_px).astype(np.int64)

    def stops(self, cells: ArrayLike) -> NDArray[np.int64]:
        """Lower right corners (n, 2) in level-0 pixels; without overlap where the next patch starts."""
        return np.round(np.asarray(cells).reshape(-1, 2) * self.step_px + self.side_px).astype(np.int64)

    def centres(self, cells: ArrayLike) -> NDArray[np.float64]:
        """Middles (n, 2) in level-0 pixels."""
        return np.asarray(self.starts(cells) + self.side_px / 2, np.float64)

    def box(self, row: int, col: int) -> Box:
        """Level-0 box of a patch; it may reach beyond the slide."""
        (top, left), (bottom, right) = self.starts((row, col))[0], self.stops((row, col))[0]
        return Box(int(top), int(left), max(int(bottom - top), 1), max(int(right - left), 1))

    def index_of(self, points_px: NDArray[np.float64]) -> NDArray[np.intp]:
        """Flat index of the last patch that starts at or before each level-0 point (n, 2)."""
        row, col = (
            np.clip(np.searchsorted(self._starts_along(axis), points_px[:, axis], side="right") - 1, 0, None)
            for axis in (0, 1)
        )
        return np.asarray(row * self.shape[1] + col, np.intp)

    def cells_in(self, region: Box) -> NDArray[np.int64]:
        """(row, col) of the patches that touch a level-0 region, row by row: (n, 2)."""
        return self.cells[self.touches(region)]

    def touches(self, region: Box) -> NDArray[np.bool_]:
        """Which of ``cells`` touch a level-0 region: (n,)."""
        start, stop = self.starts(self.cells), self.stops(self.cells)
        low, high = (region.row, region.col), (region.row_stop, region.col_stop)
        return np.asarray(((start < high) & (stop > low)).all(axis=1))

    def mean_of(self, raster: NDArray[np.float32], level0_px: float) -> NDArray[np.float64]:
        """Mean of a raster over each whole patch, flat (n,); beyond the raster it counts as 0.

        Parameters
        ----------
        raster : ndarray of shape (rows, cols)
            Pixel (r, c) covers level-0 pixels [r · level0_px, (r + 1) · level0_px).
        level0_px : float
            Level-0 pixels along the side of a raster pixel.
        """
        total = np.zeros((raster.shape[0] + 1, raster.shape[1] + 1))
        np.cumsum(np.cumsum(raster, axis=0, dtype=np.float64), axis=1, out=total[1:, 1:])
        (top, bottom), (left, right) = (self._edges(axis, raster.shape[axis], level0_px) for axis in (0, 1))
        sums = total[np.ix_(bottom, right)] - total[np.ix_(top, right)]
        sums -= total[np.ix_(bottom, left)] - total[np.ix_(top, left)]
        return np.asarray(np.minimum(sums / (self.side_px / level0_px) ** 2, 1.0)).ravel()

    def _starts_along(self, axis: int) -> NDArray[np.float64]:
        return np.round(np.arange(self.shape[axis]) * self.step_px)

    def _edges(self, axis: int, n: int, level0_px: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First and last + 1 raster pixel whose centre lies in each patch."""
        centres = (np.arange(n) + 0.5) * level0_px
        start = self._starts_along(axis)
        stop = np.round(np.arange(self.shape[axis]) * self.step_px + self.side_px)
        return np.searchsorted(centres, start), np.searchsorted(centres, stop)
