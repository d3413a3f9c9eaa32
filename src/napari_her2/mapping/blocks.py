"""Block matching, which says where each small block of one picture lies in the other.

One engine for four uses: it moves the affine part, drives the smooth part, measures what is left as
the local error, and tells a true pair from a false one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.threads import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Matches", "block_centres", "match_blocks"]

BLOCKS_EACH: Final = 64
"""Blocks that a thread takes at a time: fewer are sooner done than handed over."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What block matching found.

    Attributes
    ----------
    centres : ndarray of shape (n, 2)
        Corner-based pixel positions in the fixed picture.
    shifts : ndarray of shape (n, 2)
        Displacement of the best match, pixels, sub-pixel.
    scores : ndarray of shape (n,)
        Correlation at the best match, -1 to 1.
    at_rest : ndarray of shape (n,)
        Correlation without displacement.
    surfaces : ndarray of shape (n, 2 * reach + 1, 2 * reach + 1)
        Correlation at every displacement.
    """

    centres: NDArray[np.float64]
    shifts: NDArray[np.float64]
    scores: NDArray[np.float64]
    at_rest: NDArray[np.float64]
    surfaces: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def reach(self) -> int:
        """Largest displacement tried, pixels."""
        return (self.surfaces.shape[1] - 1) // 2


def block_centres(usable: NDArray[np.bool_], half: int, step: int, least: float = 0.6) -> NDArray[np.intp]:
    """Corners (n, 2) between pixels around which a block of 2 * half is mostly usable."""
    import cv2

    share = cv2.boxFilter(
        usable.astype(np.float32),
        -1,
        (2 * half, 2 * half),
        anchor=(half, half),
        borderType=cv2.BORDER_CONSTANT,
    )
    starts = [np.arange(max(half, (length % step) // 2), length - half + 1, step) for length in usable.shape]
    grid = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    if not len(grid):
        return grid.astype(np.intp)
    held = np.minimum(grid, np.asarray(usable.shape) - 1)
    return grid[share[held[:, 0], held[:, 1]] >= least].astype(np.intp)


def match_blocks(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], centres: NDArray[np.intp], half: int, reach: int
) -> Matches:
    """Find each block of ``fixed`` in ``moving``, within ``reach`` pixels.

    Parameters
    ----------
    fixed, moving : ndarray of shape (rows, cols, k), k <= 4
        Features on the same grid.
    centres : ndarray of shape (n, 2)
        Corners between pixels; blocks are 2 * half wide.
    half, reach : int
        Pixels.
    """
    import cv2

    padded = cv2.copyMakeBorder(moving, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    side = 2 * reach + 1
    surfaces = np.zeros((len(centres), side, side), np.float32)

    def match(which: slice) -> None:
        for surface, (row, col) in zip(surfaces[which], centres[which], strict=True):
            block = fixed[row - half : row + half, col - half : col + half]
            field = padded[row - half : row + half + 2 * reach, col - half : col + half + 2 * reach]
            surface[...] = cv2.matchTemplate(field, block, cv2.TM_CCOEFF_NORMED)

    for _ in in_order(match, [slice(k, k + BLOCKS_EACH) for k in range(0, len(centres), BLOCKS_EACH)]):
        pass
    np.nan_to_num(surfaces, copy=False, posinf=0.0, neginf=0.0)
    shifts, scores = _peaks(surfaces)
    return Matches(
        centres.astype(np.float64),
        shifts - reach,
        scores,
        surfaces[:, reach, reach].astype(np.float64),
        surfaces,
    )


def _peaks(surfaces: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sub-pixel places (n, 2) and heights (n,) of the highest points."""
    if not len(surfaces):
        return np.zeros((0, 2)), np.zeros(0)
    side = surfaces.shape[1]
    flat = surfaces.reshape(len(surfaces), -1).argmax(axis=1)
    place = np.stack(np.unravel_index(flat, (side, side)), axis=1)
    which = np.arange(len(surfaces))
    scores = surfaces[which, place[:, 0], place[:, 1]].astype(np.float64)
    held = np.clip(place, 1, side - 2)
    rows, cols = held.T
    middle = surfaces[which, rows, cols].astype(np.float64)
    down = _vertex(surfaces[which, rows - 1, cols], middle, surfaces[which, rows + 1, cols])
    across = _vertex(surfaces[which, rows, cols - 1], middle, surfaces[which, rows, cols + 1])
    inner = (held == place).all(axis=1)[:, None]
    return place + inner * np.stack([down, across], axis=1), scores


def _vertex(
    before: NDArray[np.float32], middle: NDArray[np.float64], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    bend = before + after - 2 * middle
    return np.asarray(
        np.where(bend < -1e-6, np.clip(0.5 * (before - after) / np.minimum(bend, -1e-6), -0.5, 0.5), 0.0)
    )
