"""Whether probabilities mean what they say: reliability, expected calibration error, Brier, log loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.learning.evaluation.bootstrap import over_draws, sum_by_case

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.learning.evaluation.bootstrap import Statistic

__all__ = [
    "BINS",
    "ReliabilityBin",
    "calibration_error",
    "mean_of",
    "reliability",
    "squared_error",
    "surprise",
]

BINS: Final = 15
LEAST_PROBABILITY: Final = 1e-7
"""Log loss of a certain error would be infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Samples of like probability.

    Attributes
    ----------
    low, high : float
        Ends of the bin.
    n : int
    stated : float
        Mean probability that the model stated.
    found : float
        Share that came true.
    """

    low: float
    high: float
    n: int
    stated: float
    found: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {field: getattr(self, field) for field in self.__slots__}


def _edges(stated: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Inner edges of bins that hold about equally many samples."""
    return np.unique(np.quantile(stated, np.linspace(0, 1, bins + 1)[1:-1]))


def reliability(
    stated: NDArray[Any], came_true: NDArray[np.bool_], bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Compare stated probabilities with what came true, in bins of about equally many samples."""
    stated = np.asarray(stated, np.float64)
    if not len(stated):
        return ()
    inner = _edges(stated, bins)
    at = np.searchsorted(inner, stated, side="right")
    ends = np.concatenate([[stated.min()], inner, [stated.max()]])
    return tuple(
        ReliabilityBin(
            low=float(ends[k]),
            high=float(ends[k + 1]),
            n=int((at == k).sum()),
            stated=float(stated[at == k].mean()),
            found=float(came_true[at == k].mean()),
        )
        for k in np.unique(at)
    )


def calibration_error(
    stated: NDArray[Any], came_true: NDArray[np.bool_], case: NDArray[np.intp], bins: int = BINS
) -> Statistic:
    """Return the expected calibration error as a statistic of draws.

    It is Σ n_b/N · |found_b - stated_b| (Naeini 2015).

    The bins hold about equally many samples and stay the same in all draws. On few samples the error is
    biased upwards, for a bin's noise counts as miscalibration.
    """
    stated = np.asarray(stated, np.float64)
    inner = _edges(stated, bins) if len(stated) else np.empty(0)
    inside = np.searchsorted(inner, stated, side="right")[:, None] == np.arange(len(inner) + 1)
    parts = np.stack([inside, inside * stated[:, None], inside * came_true[:, None]], axis=2)
    tallies = sum_by_case(parts, case, int(case.max(initial=-1)) + 1)

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        n, sure, true = np.moveaxis(over_draws(drawn, tallies), 2, 0)
        return np.abs(true - sure).sum(axis=1) / n.sum(axis=1)

    return statistic


def mean_of(values: NDArray[np.float64], case: NDArray[np.intp]) -> Statistic:
    """Mean over samples as a statistic of draws."""
    pair = np.column_stack([values, np.ones(len(values))])
    tallies = sum_by_case(pair, case, int(case.max(initial=-1)) + 1)

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, n = over_draws(drawn, tallies).T
        return total / n

    return statistic


def squared_error(probabilities: NDArray[Any], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Brier's score of each sample, Σ_c (p_c - y_c)²: (n,), 0 to 2."""
    right = np.eye(probabilities.shape[1])[truth]
    return np.asarray(((probabilities - right) ** 2).sum(axis=1), np.float64)


def surprise(probabilities: NDArray[Any], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Negative log of the probability of what was true: (n,), in nats."""
    of_truth = np.asarray(probabilities, np.float64)[np.arange(len(truth)), truth]
    return -np.log(np.maximum(of_truth, LEAST_PROBABILITY))
