"""Rigid, affine or smooth: the simplest map that foretells blocks it has not seen as well as any.

The blocks must lie side by side, so that no two share a pixel; of every two by two of them, three
foretell the fourth, in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["Choice", "foretold"]

_LEAST = 32
_SOFTER = (1.0, 0.4)
"""Standard errors by which affine must beat rigid, and each smooth map what is stiffer than it."""
_STIFFNESS = (2.0, 1.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of map.

    Attributes
    ----------
    kind : str
        ``"rigid"``, ``"affine"`` or ``"nonrigid"``.
    stiffness : float
        Of a smooth map, as a factor of the usual reach.
    """

    kind: str
    stiffness: float = 1.0


def foretold(wishes: Wishes, affine_um: Affine, smoother: Smoother, reach_um: float) -> Choice:
    """Return the kind that four-fold cross-validation favours.

    Parameters
    ----------
    wishes : Wishes
        Of blocks side by side, not overlapping.
    affine_um : Affine
        H&E µm → IHC µm, what the wishes refer to.
    smoother : Smoother
    reach_um : float
        Usual reach of the smooth part.
    """
    folds = _quarters(wishes.source_um, wishes.extent_um)
    if np.bincount(folds, minlength=4).min() * 4 < _LEAST:
        return Choice("affine")
    choices = [Choice("rigid"), Choice("affine"), *(Choice("nonrigid", factor) for factor in _STIFFNESS)]
    hits = [_held_out(choice, wishes, folds, affine_um, (smoother, reach_um)) for choice in choices]
    best = 0
    for richer in range(1, len(choices)):
        gain = hits[richer] - hits[best]
        sure = _SOFTER[0] if choices[richer].kind == "affine" else _SOFTER[1]
        if gain.mean() > sure * gain.std() / np.sqrt(len(gain)):
            best = richer
    return choices[best]


def _held_out(
    choice: Choice,
    wishes: Wishes,
    folds: NDArray[np.intp],
    affine_um: Affine,
    smooth: tuple[Smoother, float],
) -> NDArray[np.float64]:
    """Return how well each block is foretold by those of the other folds, 0 to 1."""
    hits = np.zeros(len(wishes))
    for fold in range(4):
        train, test = wishes.taken(folds != fold), wishes.taken(folds == fold)
        miss = _predicted(choice, train, test, affine_um, smooth) - test.target_um
        hits[folds == fold] = 1 / (1 + ((miss / test.scale_um[:, None]) ** 2).sum(axis=1))
    return hits


def _quarters(points_um: NDArray[np.float64], block_um: float) -> NDArray[np.intp]:
    cells = np.round((points_um - points_um.min(axis=0, initial=np.inf)) / block_um).astype(np.intp) % 2
    return np.asarray(2 * cells[:, 0] + cells[:, 1])


def _predicted(
    choice: Choice, train: Wishes, test: Wishes, affine_um: Affine, smooth: tuple[Smoother, float]
) -> NDArray[np.float64]:
    scale = float(np.median(train.scale_um))
    scales = (4 * scale, 2 * scale, scale, scale)
    if choice.kind == "rigid":
        onto = affine_um(train.target_um)
        stiff, _ = robust_fit(train.source_um, onto, train.weights, "rigid", scales)
        return affine_um.inverse(stiff(test.source_um))
    if choice.kind == "affine":
        straight, _ = robust_fit(train.source_um, train.target_um, train.weights, "affine", scales)
        return straight(test.source_um)
    smoother, reach_um = smooth
    bent = yielded(smoother, Flow.of(smoother.lattice), train, choice.stiffness * reach_um)
    return bent(test.source_um)
