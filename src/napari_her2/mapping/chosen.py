"""The patches of one slide that take part in a matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_her2.patches import PatchGrid

__all__ = ["ChosenPatches"]


@dataclass(frozen=True, slots=True, eq=False)
class ChosenPatches:
    """Some patches of a grid, in µm, which the room works in.

    Attributes
    ----------
    grid : PatchGrid
        Side by side, without overlap.
    cells : ndarray of shape (n, 2), int64
        Grid (row, col) of each patch; no two alike.
    """

    grid: PatchGrid
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, grid: PatchGrid, cells: ArrayLike | None = None) -> ChosenPatches:
        """Take the given cells, or all of the grid.

        Raises
        ------
        ValueError
            If patches overlap, a cell lies outside the grid, or one is given twice.
        """
        if grid.stride_px != grid.size_px:
            raise ValueError("patches that overlap cannot be matched one to one")
        if cells is None:
            return cls(grid, grid.cells)
        chosen = np.asarray(cells, np.int64).reshape(-1, 2)
        if ((chosen < 0) | (chosen >= grid.shape)).any():
            raise ValueError(f"a patch lies outside the grid of {grid.shape[0]} x {grid.shape[1]}")
        if len(np.unique(chosen, axis=0)) != len(chosen):
            raise ValueError("a patch is named twice")
        return cls(grid, chosen)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def patch_um(self) -> float:
        """Side of a patch."""
        return self.grid.size_um

    @property
    def slide_um(self) -> NDArray[np.float64]:
        """Height and width of the slide, (2,)."""
        return np.asarray(self.grid.slide_shape, np.float64) * self.grid.slide_um_per_px

    @property
    def corners_um(self) -> NDArray[np.float64]:
        """Upper left corners (n, 2)."""
        return np.asarray(self.grid.starts(self.cells) * self.grid.slide_um_per_px, np.float64)

    @property
    def centres_um(self) -> NDArray[np.float64]:
        """Centres (n, 2)."""
        return self.grid.centres(self.cells) * self.grid.slide_um_per_px

    def position_of(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position among the chosen of cells (n, 2); -1 for those that do not take part."""
        wide = int(self.cells[:, 1].max(initial=0)) + 1
        keys = self.cells[:, 0] * wide + self.cells[:, 1]
        order = np.argsort(keys)
        asked = np.where(
            (cells >= 0).all(axis=1) & (cells[:, 1] < wide), cells[:, 0] * wide + cells[:, 1], -1
        )
        if not len(keys):
            return np.full(len(cells), -1, np.int64)
        place = np.minimum(np.searchsorted(keys[order], asked), len(keys) - 1)
        return np.where(keys[order][place] == asked, order[place], -1).astype(np.int64)
