"""Rigid, affine or smooth: the simplest map that foretells blocks it has not seen as well as any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.fitting import robust_fit
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.nonrigid import yielded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.nonrigid import Wishes
    from napari_her2.mapping.smoothing import Smoother

__all__ = ["KINDS", "foretold"]

KINDS = ("rigid", "affine", "nonrigid")
_CELL_REACHES = 3.0
_SURE = 2.0


def foretold(wishes: Wishes, affine_um: Affine, smoother: Smoother, reach_um: float) -> str:
    """Return the kind that two-fold cross-validation over a chequerboard of cells favours.

    A richer kind is taken only if the held-out blocks that it foretells exceed those of the simpler
    one by more than two standard errors.
    """
    folds = _chequers(wishes.source_um, _CELL_REACHES * reach_um)
    hits = {kind: np.zeros(len(wishes)) for kind in KINDS}
    for held_out in (folds, ~folds):
        if held_out.sum() < 8 or (~held_out).sum() < 8:
            return "affine"
        train, test = wishes.taken(~held_out), wishes.taken(held_out)
        for kind in KINDS:
            guess = _predicted(kind, train, test, affine_um, smoother, reach_um)
            miss = guess - test.target_um
            hits[kind][held_out] = 1 / (1 + ((miss / test.scale_um[:, None]) ** 2).sum(axis=1))
    best = "rigid"
    for kind in KINDS[1:]:
        gain = hits[kind] - hits[best]
        if gain.mean() > _SURE * gain.std() / np.sqrt(len(gain)):
            best = kind
    return best


def _chequers(points_um: NDArray[np.float64], cell_um: float) -> NDArray[np.bool_]:
    return np.asarray(np.floor(points_um / cell_um).astype(int).sum(axis=1) % 2 == 0)


def _predicted(
    kind: str, train: Wishes, test: Wishes, affine_um: Affine, smoother: Smoother, reach_um: float
) -> NDArray[np.float64]:
    scale = float(np.median(train.scale_um))
    scales = (4 * scale, 2 * scale, scale, scale)
    if kind == "rigid":
        onto = affine_um(train.target_um)
        stiff, _ = robust_fit(train.source_um, onto, train.weights, "rigid", scales)
        return affine_um.inverse(stiff(test.source_um))
    if kind == "affine":
        straight, _ = robust_fit(train.source_um, train.target_um, train.weights, "affine", scales)
        return straight(test.source_um)
    return yielded(smoother, Flow.of(smoother.lattice), train, reach_um)(test.source_um)
