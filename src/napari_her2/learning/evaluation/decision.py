"""Decision curves: whether acting on a model is better than acting on all, or on none.

Net benefit NB(t) = TP/n - FP/n · t/(1-t) at the probability t from which one would act (Vickers & Elkin
2006). Probabilities must be calibrated for the thresholds to mean anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.learning.evaluation.bootstrap import over_draws, sum_by_case

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.learning.evaluation.bootstrap import Statistic

__all__ = ["THRESHOLD", "DecisionPoint", "decision_curve", "net_benefit"]

THRESHOLD: Final = 0.30
"""The paper's threshold: one missed event weighs as much as 7/3 needless actions."""
CURVE: Final = tuple(round(0.01 * k, 2) for k in range(1, 61))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPoint:
    """Net benefits at one threshold.

    Attributes
    ----------
    threshold : float
    model, act_on_all : float
        Net benefit of acting on the model's word, and of acting always; of never acting it is 0.
    avoided_per_100 : float
        Needless actions that the model avoids per 100 samples, against acting on all.
    """

    threshold: float
    model: float
    act_on_all: float
    avoided_per_100: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {field: getattr(self, field) for field in self.__slots__}


def net_benefit(
    probability: NDArray[Any],
    event: NDArray[np.bool_],
    case: NDArray[np.intp],
    *,
    threshold: float = THRESHOLD,
    over_all: bool = False,
) -> Statistic:
    """Net benefit of acting from the threshold on, as a statistic of draws.

    Parameters
    ----------
    probability, event, case : ndarray of shape (n,)
        Of the event, whether it was there, and the sample's case.
    threshold : float
        0 to below 1.
    over_all : bool
        Less the net benefit of acting on all samples.

    Raises
    ------
    ValueError
        If the threshold is not from 0 to below 1.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"a threshold must lie from 0 to below 1, got {threshold}")
    odds = threshold / (1 - threshold)
    acts = np.asarray(probability, np.float64) >= threshold
    gain = np.where(event, 1.0, -odds)
    worth = gain * acts - gain * over_all
    tallies = sum_by_case(np.column_stack([worth, np.ones(len(worth))]), case, int(case.max(initial=-1)) + 1)

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total, n = over_draws(drawn, tallies).T
        return total / n

    return statistic


def decision_curve(
    probability: NDArray[Any], event: NDArray[np.bool_], thresholds: tuple[float, ...] = CURVE
) -> tuple[DecisionPoint, ...]:
    """Net benefits over a range of thresholds, all samples counting alike."""
    if not len(event):
        return ()
    one = np.ones((1, 1))
    alone = np.zeros(len(event), np.intp)
    points = []
    for t in thresholds:
        model = float(net_benefit(probability, event, alone, threshold=t)(one)[0])
        always = float(net_benefit(np.ones(len(event)), event, alone, threshold=t)(one)[0])
        avoided = (model - always) / (t / (1 - t)) * 100 if t else 0.0
        points.append(DecisionPoint(threshold=t, model=model, act_on_all=always, avoided_per_100=avoided))
    return tuple(points)
