"""From a first guess to an affine map: block matching and a robust fit, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.blocks import block_centres, match_blocks
from napari_her2.mapping.coarse import Pose
from napari_her2.mapping.features import describe
from napari_her2.mapping.fitting import robust_fit
from napari_her2.mapping.picture import resampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.blocks import Matches
    from napari_her2.mapping.fitting import Form
    from napari_her2.mapping.picture import Picture

__all__ = ["Comparison", "compare", "refine"]


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

    def agreement(self) -> float:
        """Correlation of the features over the common field, -1 to 1."""
        mask = self.common & (self.he.tissue | self.drawn.tissue)
        fixed, moving = self.fixed[mask], self.moving[mask]
        power = float(np.sqrt((fixed**2).sum() * (moving**2).sum()))
        return float((fixed * moving).sum()) / power if power > 0 else 0.0

    def matches(self, half: int, step: int, reach: int) -> Matches:
        """Block matching over the shared tissue."""
        usable = (self.he.tissue | self.drawn.tissue) & self.common
        return match_blocks(self.fixed, self.moving, block_centres(usable, half, step), half, reach)


def compare(
    he: Picture, ihc: Picture, carry: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Comparison:
    """Draw the IHC on the H&E's grid; ``carry`` maps H&E µm to IHC µm."""
    drawn = resampled(ihc, he, carry)
    return Comparison(he, drawn, describe(he.dark, he.seen), describe(drawn.dark, drawn.seen))


def refine(he: Picture, ihc: Picture, affine_um: Affine, *, form: Form, rounds: int = 3) -> Pose:
    """Improve a map at one µm/px; the score is the agreement times the root of the overlap."""
    for turn in range(rounds):
        seen = compare(he, ihc, affine_um)
        half, reach = 8, (8, 6, 4)[min(turn, 2)]
        found = seen.matches(half, half, reach)
        if len(found) < 6:
            break
        affine_um = _moved(affine_um, he, found, form)
    seen = compare(he, ihc, affine_um)
    smaller = max(min(int(he.tissue.sum()), int(seen.drawn.tissue.sum())), 1)
    overlap = float(seen.shared_tissue.sum()) / smaller
    return Pose(affine_um, seen.agreement() * np.sqrt(overlap))


def _moved(affine_um: Affine, he: Picture, found: Matches, form: Form) -> Affine:
    source = he.to_um(found.centres)
    target = affine_um(he.to_um(found.centres + found.shifts))
    weights = np.maximum(found.scores, 0.0) ** 2
    pixel = he.um_per_px * np.sqrt(abs(affine_um.determinant))
    scales = tuple(pixel * factor for factor in (found.reach, found.reach / 2, 2.0, 1.5, 1.5))
    moved, _ = robust_fit(source, target, weights, form, scales)
    return moved if _plausible(moved, affine_um) else affine_um


def _plausible(moved: Affine, before: Affine) -> bool:
    """No sudden change of face or size, and no wild stretch."""
    stretch = np.linalg.svd(moved.linear, compute_uv=False)
    change = moved.determinant / before.determinant
    return bool(0.5 < change < 2.0 and stretch[0] / stretch[1] < 1.6)
