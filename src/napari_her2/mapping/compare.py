"""Both slides on one grid, and how well their blocks agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.blocks import block_centres, match_blocks
from napari_her2.mapping.features import describe
from napari_her2.mapping.picture import resampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.mapping.blocks import Matches
    from napari_her2.mapping.picture import Picture

    Carry = Callable[[NDArray[np.float64]], NDArray[np.float64]]

__all__ = ["LEAST_BLOCKS", "Comparison", "Level", "support"]

LEAST_BLOCKS = 8
"""Fewer blocks than this say nothing."""
_HALF, _STEP, _REACH = 12, 10, 10
_AT_REST_PX = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The two slides at one µm/px, with the features of the H&E at hand.

    Attributes
    ----------
    he, ihc : Picture
    fixed : ndarray of shape (rows, cols, 4)
        Features of the H&E.
    """

    he: Picture
    ihc: Picture
    fixed: NDArray[np.float32]

    @classmethod
    def of(cls, he: Picture, ihc: Picture, um_per_px: float, stretch: float = 1.0) -> Level:
        """Bring two pictures to that µm/px (never finer than they are).

        ``stretch`` is IHC µm per H&E µm, where it is known not to be one.
        """
        coarse = he.at(um_per_px)
        return cls(coarse, ihc.at(um_per_px * stretch), describe(coarse.dark, coarse.seen))

    @property
    def um_per_px(self) -> float:
        """Of the common grid."""
        return self.he.um_per_px

    def compare(self, carry: Carry) -> Comparison:
        """Draw the IHC on the H&E's grid; ``carry`` maps H&E µm to IHC µm."""
        drawn = resampled(self.ihc, self.he, carry)
        return Comparison(self.he, drawn, self.fixed, describe(drawn.dark, drawn.seen))


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Both slides on the grid of the H&E.

    Attributes
    ----------
    he : Picture
    drawn : Picture
        The IHC on the same grid.
    fixed, moving : ndarray of shape (rows, cols, 4)
        Their features.
    """

    he: Picture
    drawn: Picture
    fixed: NDArray[np.float32]
    moving: NDArray[np.float32]

    @property
    def common(self) -> NDArray[np.bool_]:
        """Where both slides were seen."""
        return self.he.seen & self.drawn.seen

    @property
    def shared_tissue(self) -> NDArray[np.bool_]:
        """Where both slides have tissue."""
        return self.he.tissue & self.drawn.tissue & self.common

    @property
    def overlap_fraction(self) -> float:
        """Shared tissue over the smaller of the two tissues on this grid."""
        smaller = min(int(self.he.tissue.sum()), int(self.drawn.tissue.sum()))
        return float(self.shared_tissue.sum()) / max(smaller, 1)

    def matches(self, half: int, step: int, reach: int) -> Matches:
        """Block matching wherever one of them has tissue."""
        usable = (self.he.tissue | self.drawn.tissue) & self.common
        return match_blocks(self.fixed, self.moving, block_centres(usable, half, step), half, reach)


def support(seen: Comparison) -> float:
    """How strongly blocks speak for a map: 0.2 to 0.35 by chance, 0.5 to 2 where it is true.

    The share of blocks that match best (almost) where they lie, plus twice the height of the common
    peak of all correlation surfaces above their median.
    """
    found = seen.matches(_HALF, _STEP, _REACH)
    if len(found) < LEAST_BLOCKS:
        return 0.0
    agreeing = float((np.linalg.norm(found.shifts, axis=1) <= _AT_REST_PX).mean())
    surface = found.surfaces.mean(axis=0)
    peak = surface[_REACH - 1 : _REACH + 2, _REACH - 1 : _REACH + 2].max()
    return agreeing + 2 * float(peak - np.median(surface))
