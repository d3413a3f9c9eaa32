"""A seeded sample of patches in which every kind of place has its part, with the weight of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Drawn", "draw", "kinds_of"]

SEED: Final = 13
LEAST: Final = 2
"""Fewest of each kind, so that a small strong part is seen."""
DAB_STEPS: Final = (0.05, 0.12, 0.25)
"""Mean density of DAB of a patch that parts kinds; they spread the sample and decide nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Indices into what was drawn from, in order, and of how many each stands for."""

    index: NDArray[np.intp]
    weight: NDArray[np.float64]

    @property
    def number(self) -> float:
        """How many equally weighted ones are worth as much (Kish)."""
        squares = float((self.weight**2).sum())
        return float(self.weight.sum()) ** 2 / squares if squares else 0.0


def kinds_of(dab_od: NDArray[np.float64], cell_class: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each patch a number by its DAB and by the class of most of its cells (-1: no cells)."""
    brown = np.searchsorted(DAB_STEPS, dab_od)
    return np.asarray(brown * 8 + cell_class + 1, np.int64)


def draw(kinds: NDArray[np.int64], most: int, seed: int = SEED) -> Drawn:
    """Draw at most about ``most``, in proportion to the kinds and at least two of each.

    Parameters
    ----------
    kinds : int64 ndarray of shape (n,)
    most : int
    seed : int
    """
    if len(kinds) <= most:
        return Drawn(np.arange(len(kinds)), np.ones(len(kinds)))
    rng, chosen, weight = np.random.default_rng(seed), [], []
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        n = min(max(round(most * len(members) / len(kinds)), LEAST), len(members))
        chosen.append(rng.choice(members, n, replace=False))
        weight.append(np.full(n, len(members) / n))
    index, weights = np.concatenate(chosen), np.concatenate(weight)
    order = np.argsort(index)
    return Drawn(index[order], weights[order])
