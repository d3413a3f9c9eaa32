"""From a first guess to an affine map: block matching and a robust fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.compare import LEAST_BLOCKS
from napari_her2.mapping.fitting import robust_fit

if TYPE_CHECKING:
    from napari_her2.geometry import Affine
    from napari_her2.mapping.blocks import Matches
    from napari_her2.mapping.compare import Level
    from napari_her2.mapping.fitting import Form
    from napari_her2.mapping.picture import Picture

__all__ = ["refine"]


def refine(
    level: Level, affine_um: Affine, form: Form, *, half: int = 8, rounds: int = 3, step: int = 0
) -> Affine:
    """Improve an affine map (H&E µm → IHC µm) at one µm/px with blocks of 2 * half pixels."""
    for turn in range(rounds):
        found = level.compare(affine_um).matches(half, step or half, (8, 6, 4)[min(turn, 2)])
        if len(found) < LEAST_BLOCKS:
            break
        affine_um = _moved(affine_um, level.he, found, form)
    return affine_um


def _moved(affine_um: Affine, he: Picture, found: Matches, form: Form) -> Affine:
    source = he.to_um(found.centres)
    target = affine_um(he.to_um(found.centres + found.shifts))
    weights = np.maximum(found.scores, 0.0) ** 2
    pixel = he.um_per_px * affine_um.stretch
    scales = tuple(pixel * factor for factor in (found.reach, found.reach / 2, 2.0, 1.5, 1.5))
    moved, _ = robust_fit(source, target, weights, form, scales)
    return moved if _plausible(moved, affine_um) else affine_um


def _plausible(moved: Affine, before: Affine) -> bool:
    """No sudden change of face or size, and no wild stretch."""
    stretch = np.linalg.svd(moved.linear, compute_uv=False)
    change = moved.determinant / before.determinant
    return bool(0.5 < change < 2.0 and stretch[0] / stretch[1] < 1.6)
