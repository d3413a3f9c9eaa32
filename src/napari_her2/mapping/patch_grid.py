"""The patches of one slide that take part in a matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_her2.mapping.frame import SlideFrame

__all__ = ["HE_PATCH_UM", "IHC_PATCH_UM", "PatchGrid"]

HE_PATCH_UM = 224 * 0.5
"""Side of an H&E patch: 224 px at 0.5 µm/px."""
IHC_PATCH_UM = 512 * 0.25
"""Side of an IHC patch: 512 px at 0.25 µm/px."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchGrid:
    """Square patches on a slide, side by side from its corner.

    Attributes
    ----------
    frame : SlideFrame
    patch_um : float
        Side of a patch.
    cells : ndarray of shape (n, 2), int64
        Grid (row, col) of each patch; no two alike.
    """

    frame: SlideFrame
    patch_um: float
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, frame: SlideFrame, patch_um: float, cells: ArrayLike | None = None) -> PatchGrid:
        """Take the given cells, or all that cover the slide.

        Raises
        ------
        ValueError
            If the patch has no size, a cell lies off the slide, or one is given twice.
        """
        if not patch_um > 0:
            raise ValueError(f"a patch needs a size, got {patch_um} µm")
        rows, cols = (max(1, int(np.ceil(size / patch_um - 1e-6))) for size in frame.size_um)
        if cells is None:
            return cls(frame, patch_um, np.indices((rows, cols)).reshape(2, -1).T.astype(np.int64))
        chosen = np.asarray(cells, np.int64).reshape(-1, 2)
        if ((chosen < 0) | (chosen >= (rows, cols))).any():
            raise ValueError(f"a patch lies outside the grid of {rows} x {cols}")
        if len(np.unique(chosen, axis=0)) != len(chosen):
            raise ValueError("a patch is named twice")
        return cls(frame, patch_um, chosen)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def corners_um(self) -> NDArray[np.float64]:
        """Upper left corners (n, 2); level-0 pixels are whole, so that patches start on one."""
        step = self.patch_um / self.frame.um_per_px
        return np.round(self.cells * step) * self.frame.um_per_px

    @property
    def centres_um(self) -> NDArray[np.float64]:
        """Centres (n, 2)."""
        return self.corners_um + self.patch_um / 2

    def index_of(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position in the grid of cells (n, 2); -1 for those that do not take part."""
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
