"""What is still to run, in an order that may change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_her2.geometry import Box
    from napari_her2.patches import PatchGrid

__all__ = ["Agenda", "Rank", "camera_first", "coarse_to_fine", "in_turn", "most_first"]

Rank = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Cells (n, 2) to numbers (n,) or (n, k): small ones come first, later columns decide among equals."""


class Agenda:
    """The rest of a run. Safe to change from another thread; what is at work already stays at work.

    Parameters
    ----------
    cells : ndarray of shape (n, 2), int64
        (row, col) in a plan's grid, in the order in which they are to run.
    done : int
        Patches of the same run that were done before, for counting.
    """

    def __init__(self, cells: NDArray[np.int64], done: int = 0) -> None:
        self._lock = Lock()
        self._rest = np.asarray(cells, np.int64).reshape(-1, 2)
        self._rank: Rank | None = None
        self._total = len(self._rest) + done
        self.done = done

    @property
    def left(self) -> int:
        """Patches that have not been begun."""
        return len(self._rest)

    @property
    def total(self) -> int:
        """Patches done, at work and left."""
        return self._total

    def take(self, n: int) -> NDArray[np.int64]:
        """Begin the next n cells, or as many as are left."""
        with self._lock:
            taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    def reorder(self, rank: Rank) -> None:
        """Sort the rest, and all that is added later, by a rank; equals keep their order."""
        with self._lock:
            self._rank = rank
            self._sort()

    def add(self, cells: NDArray[np.int64]) -> None:
        """Put further cells at the end, or where the rank has them."""
        with self._lock:
            self._rest = np.concatenate([self._rest, np.asarray(cells, np.int64).reshape(-1, 2)])
            self._total += len(cells)
            self._sort()

    def _sort(self) -> None:
        if self._rank is None or len(self._rest) < 2:
            return
        columns = np.asarray(self._rank(self._rest), np.float64).reshape(len(self._rest), -1)
        self._rest = self._rest[np.lexsort(columns.T[::-1])]


def camera_first(grid: PatchGrid, view: Box) -> Rank:
    """Rank patches that touch the visible region first, from its middle outwards, then the others.

    Parameters
    ----------
    grid : PatchGrid
    view : Box
        In level-0 pixels.
    """
    low, high = (view.row, view.col), (view.row_stop, view.col_stop)
    middle = np.array([view.row + view.height / 2, view.col + view.width / 2])

    def rank(cells: NDArray[np.int64]) -> NDArray[np.float64]:
        seen = ((grid.starts(cells) < high) & (grid.stops(cells) > low)).all(axis=1)
        away = np.linalg.norm(grid.centres(cells) - middle, axis=1)
        return np.column_stack([~seen, away])

    return rank


def coarse_to_fine(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank a coarse lattice first, then ever finer ones.

    The step of a cell's lattice is the largest power of 2 that divides its row and column, at most 16.
    """
    together = cells[:, 0] | cells[:, 1] | 16
    return np.asarray(-(together & -together), np.float64)


def most_first(values: NDArray[np.float32]) -> Rank:
    """Rank by a value (rows, cols) of each place in the grid, such as its share of tissue: high first."""

    def rank(cells: NDArray[np.int64]) -> NDArray[np.float64]:
        return -np.asarray(values[cells[:, 0], cells[:, 1]], np.float64)

    return rank


def in_turn(*ranks: Rank) -> Rank:
    """Let the first rank decide, the second among its equals, and so on."""

    def rank(cells: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.column_stack([np.asarray(one(cells), np.float64).reshape(len(cells), -1) for one in ranks])

    return rank
