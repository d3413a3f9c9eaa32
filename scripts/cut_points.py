"""Cut points between four classes, fitted on one source and tested on another."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CANDIDATES: Final = 24


def fit_cuts(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Three cut points with the best quadratic kappa; of equally good ones those in the middle.

    Parameters
    ----------
    values : float ndarray of shape (n,)
    classes : int ndarray of shape (n,)
        0 to 3.
    """
    distinct = np.unique(values)
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > MOST_CANDIDATES:
        between = np.quantile(between, np.linspace(0.01, 0.99, MOST_CANDIDATES))
    triples = np.array(list(combinations(between, 3)))
    kappas = np.array([kappa(classes, classed(values, cuts)) for cuts in triples])
    best = triples[kappas > kappas.max() - 1e-9]
    middle = np.abs(best - np.median(best, axis=0)).sum(axis=1)
    return np.asarray(best[np.argmin(middle)])


def classed(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Class of each value: how many cut points it exceeds."""
    return np.searchsorted(cuts, values, side="left")


def kappa(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Quadratic-weighted kappa of classes 0 to 3."""
    chance = ((truth[:, None] - said[None, :]) ** 2).mean()
    return float(1 - ((truth - said) ** 2).mean() / chance) if chance else float("nan")
