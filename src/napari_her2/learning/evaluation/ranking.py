"""How well a probability sorts: area under the ROC curve and average precision, for weighted samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["auc", "average_precision", "ranked"]

CHUNK: Final = 4_000_000  # weights held at once
SPECIFICITY: Final = 0.95


def ranked(
    score: NDArray[np.floating[Any]],
    positive: NDArray[np.bool_],
    case: NDArray[np.intp],
    *,
    what: str = "auc",
) -> Any:
    """Return a statistic of draws of cases: AUC, average precision, or sensitivity at a specificity.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Higher means more likely positive.
    positive : bool ndarray of shape (n,)
    case : ndarray of shape (n,)
        Index of the case of each sample.
    what : {"auc", "ap", "sensitivity"}
        The last is the highest at a specificity of at least 0.95.
    """
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    score, positive, case = np.asarray(score, np.float64)[order], positive[order], case[order]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.empty(0, np.intp)
    figure = _FIGURES[what]

    def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = max(CHUNK // max(len(score), 1), 1)
        parts = [
            figure(*_cumulated(drawn[start : start + rows][:, case], positive, ends))
            for start in range(0, len(drawn), rows)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    return statistic


def auc(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Probability that a positive sample has the higher score, ties counting half; NaN without both."""
    return float(ranked(score, positive, np.arange(len(score)))(np.ones((1, len(score))))[0])


def average_precision(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Σ (R_k - R_(k-1)) P_k over the distinct scores from the highest on."""
    index = np.arange(len(score))
    return float(ranked(score, positive, index, what="ap")(np.ones((1, len(score))))[0])


def _cumulated(
    weights: NDArray[np.float64], positive: NDArray[np.bool_], ends: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count true and false positives (draws, distinct scores + 1) as the threshold falls, from none on."""
    true = np.cumsum(weights * positive, axis=1)[:, ends]
    false = np.cumsum(weights * ~positive, axis=1)[:, ends]
    none = np.zeros((len(weights), 1))
    return np.hstack([none, true]), np.hstack([none, false])


def _auc(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    area = (np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2).sum(axis=1)
    whole = true[:, -1] * false[:, -1]
    return np.divide(area, whole, out=np.full(len(area), np.nan), where=whole > 0)


def _average_precision(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    called = true[:, 1:] + false[:, 1:]
    precision = np.divide(true[:, 1:], called, out=np.zeros_like(called), where=called > 0)
    found = (np.diff(true, axis=1) * precision).sum(axis=1)
    whole = true[:, -1]
    return np.divide(found, whole, out=np.full(len(found), np.nan), where=whole > 0)


def _sensitivity(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest sensitivity among the thresholds whose specificity is at least 0.95."""
    strict = false <= (1 - SPECIFICITY) * false[:, -1:] + 1e-9
    best, whole = np.where(strict, true, 0).max(axis=1), true[:, -1]
    known = (whole > 0) & (false[:, -1] > 0)
    return np.divide(best, whole, out=np.full(len(best), np.nan), where=known)


_FIGURES: Final = {"auc": _auc, "ap": _average_precision, "sensitivity": _sensitivity}
