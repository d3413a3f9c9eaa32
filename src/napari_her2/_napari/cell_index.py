"""All cells of a case by place: counted in the view or under a circle, found under the cursor. Numbers only.

The points that are drawn may be a sample; what is counted and told never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells import CellTable

__all__ = ["REACH_UM", "CellIndex"]

REACH_UM: Final = 8.0
"""A cell is under the cursor within this distance of its nucleus' middle: about its size."""
LEAST_BIN_UM: Final = 20.0
MOST_BINS: Final = 900
"""Longest side of the picture of densities."""


@dataclass(frozen=True, slots=True, eq=False)
class CellIndex:
    """Cells sorted by their row.

    Attributes
    ----------
    table : CellTable
    points_um : ndarray of shape (n, 2)
        µm of the IHC, sorted by row.
    counted : ndarray of bool
        Which cells the score counts.
    """

    table: CellTable
    points_um: NDArray[np.float64]
    counted: NDArray[np.bool_]

    @classmethod
    def of(cls, table: CellTable, um_per_px: float) -> CellIndex:
        """Index the cells of a slide."""
        if len(table) and (np.diff(table.row_px) < 0).any():
            table = table.select(np.argsort(table.row_px, kind="stable"))
        points = np.column_stack([table.row_px, table.col_px]) * um_per_px
        return cls(table, points, table.in_tumour & (table.excluded == 0))

    def __len__(self) -> int:
        return len(self.points_um)

    def within(self, low: Any, high: Any) -> NDArray[np.intp]:
        """Return the cells that count in an upright box from ``low`` to ``high`` (row, col) in µm."""
        first, last = np.searchsorted(self.points_um[:, 0], (low[0], high[0]))
        cols = self.points_um[first:last, 1]
        inside = (cols >= low[1]) & (cols < high[1]) & self.counted[first:last]
        return np.flatnonzero(inside) + first

    def in_circle(self, centre_um: tuple[float, float], diameter_um: float) -> NDArray[np.intp]:
        """Return the cells that count within a circle."""
        centre, radius = np.asarray(centre_um, np.float64), diameter_um / 2
        near = self.within(centre - radius, centre + radius)
        away = np.linalg.norm(self.points_um[near] - centre, axis=1)
        return np.asarray(near[away <= radius])

    def by_class(self, chosen: NDArray[np.intp]) -> NDArray[np.int64]:
        """Count cells by class: (len(CELL_CLASSES),)."""
        return np.bincount(self.table.class_code[chosen], minlength=len(CELL_CLASSES))

    def under(self, place_um: tuple[float, float]) -> int | None:
        """Return the cell whose nucleus lies under a place, counted or not."""
        row, col = place_um
        first, last = np.searchsorted(self.points_um[:, 0], (row - REACH_UM, row + REACH_UM))
        away = np.hypot(*(self.points_um[first:last] - (row, col)).T)
        if not len(away):
            return None
        best = int(np.argmin(away))
        return int(first) + best if away[best] <= REACH_UM else None

    def densities(self) -> tuple[NDArray[np.float32], float]:
        """Count the cells that count in squares, from the slide's corner to the last cell.

        Returns
        -------
        counts : float32 ndarray of shape (rows, cols, len(CELL_CLASSES))
        um : float
            Side of a square.
        """
        points = self.points_um[self.counted]
        far = points.max(axis=0) if len(points) else np.ones(2)
        um = max(LEAST_BIN_UM, float(far.max()) / MOST_BINS)
        rows, cols = np.floor(far / um).astype(int) + 1
        at = np.floor(points / um).astype(np.intp)
        flat = (at[:, 0] * cols + at[:, 1]) * len(CELL_CLASSES) + self.table.class_code[self.counted]
        counts = np.bincount(flat, minlength=rows * cols * len(CELL_CLASSES))
        return counts.reshape(rows, cols, len(CELL_CLASSES)).astype(np.float32), um
