"""Intervals by drawing whole cases again: patches of one case are alike, cases are what was sampled.

Each measure is a function of how often every case was drawn. Counts add up over cases, so thousands of
draws are one matrix product; that is why the measures here are not those of a library that takes one
sample at a time (the tests hold them equal to scikit-learn).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FEW_CASES",
    "LEAST_CASES",
    "Difference",
    "Estimate",
    "Measure",
    "Statistic",
    "draw_cases",
    "estimate",
    "estimate_difference",
]

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(draws, cases) times each case was drawn → (draws,) values; NaN where a draw leaves it undefined."""

LEAST_CASES: Final = 10
"""With fewer cases a bootstrap knows too few values to give an interval (choice)."""
FEW_CASES: Final = 30
"""Below, percentile intervals are known to be too narrow: they are given with a note (choice)."""
MOST_UNDEFINED: Final = 0.05
Z: Final = 1.959964


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """A named figure that can be measured on any draw of the cases.

    Attributes
    ----------
    name : str
    of : str
        The class it belongs to; empty for all.
    statistic : callable
    best : float
        Its value for a perfect model (1 for a share, 0 for an error).
    ratio : bool
        Whether it is one count by another, so that a case without the second says nothing about it.
    """

    name: str
    of: str
    statistic: Statistic
    best: float = 1.0
    ratio: bool = False

    def cases(self, of: int) -> int:
        """Return how many of the cases hold something to measure."""
        return int(np.isfinite(self.statistic(np.eye(of))).sum()) if self.ratio and of else of


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes
    ----------
    name, of : str
        What was measured, and for which class (empty: all).
    value : float or None
        None where it is not defined on these data.
    low, high : float or None
        None where there are too few cases for an interval.
    cases : int
        Independent units behind it.
    note : str
        Why there is no interval, or why it should not be trusted; empty if all is well.
    """

    name: str
    of: str
    value: float | None
    low: float | None
    high: float | None
    cases: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {field: getattr(self, field) for field in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """First minus second model on the same cases.

    Attributes
    ----------
    name, of : str
    value, low, high : float or None
        Difference with its paired 95 % interval.
    p : float or None
        Two-sided: twice the smaller share of draws on either side of 0, at least 2 / (draws + 1).
    cases : int
    note : str
    """

    name: str
    of: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    cases: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {field: getattr(self, field) for field in self.__slots__}


def draw_cases(cases: int, draws: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw as many cases as there are, with replacement: (draws, cases) times each was drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(cases, np.full(cases, 1 / cases), size=draws).astype(np.float64)


def estimate(measure: Measure, drawn: NDArray[np.float64]) -> Estimate:
    """Value on all cases once, and the 2.5 and 97.5 percentiles over the draws.

    A share that is 0 or 1 in every draw gets the other end from Wilson's interval for as many cases,
    because a bootstrap cannot imagine what it has not seen.
    """
    value, cases = _on_all(measure, drawn.shape[1]), measure.cases(drawn.shape[1])
    facts: dict[str, Any] = {"name": measure.name, "of": measure.of, "value": value, "cases": cases}
    note = _objection(value, cases)
    if note:
        return Estimate(**facts, low=None, high=None, note=note)
    values = measure.statistic(drawn)
    known = values[np.isfinite(values)]
    if len(known) < (1 - MOST_UNDEFINED) * len(values):
        why = "no interval: undefined in many draws (a class is in few cases)"
        return Estimate(**facts, low=None, high=None, note=why)
    low, high = (float(v) for v in np.quantile(known, (0.025, 0.975)))
    note = _caution(cases)
    if low == high == measure.best == 1.0:
        low, note = _wilson_low_of_all(cases), _joined(note, "perfect on all: low end by Wilson")
    elif low == high == 0.0 and measure.ratio:
        high, note = 1 - _wilson_low_of_all(cases), _joined(note, "none at all: high end by Wilson")
    elif low == high:
        return Estimate(**facts, low=None, high=None, note="no interval: the same in every draw")
    return Estimate(**facts, low=min(low, value or low), high=max(high, value or high), note=note)


def estimate_difference(one: Measure, other: Measure, drawn: NDArray[np.float64]) -> Difference:
    """Compare two models by the same draws of the same cases (paired bootstrap).

    Parameters
    ----------
    one, other : Measure
        The same figure of two models, over the same cases in the same order.
    drawn : ndarray of shape (draws, cases)
    """
    values = [_on_all(measure, drawn.shape[1]) for measure in (one, other)]
    cases = min(measure.cases(drawn.shape[1]) for measure in (one, other))
    away = None if values[0] is None or values[1] is None else values[0] - values[1]
    facts: dict[str, Any] = {"name": one.name, "of": one.of, "value": away, "cases": cases}
    note = _objection(away, cases)
    if note:
        return Difference(**facts, low=None, high=None, p=None, note=note)
    found = one.statistic(drawn) - other.statistic(drawn)
    known = found[np.isfinite(found)]
    if len(known) < (1 - MOST_UNDEFINED) * len(found):
        return Difference(**facts, low=None, high=None, p=None, note="no interval: undefined in many draws")
    low, high = (float(v) for v in np.quantile(known, (0.025, 0.975)))
    p = min(1.0, 2 * (1 + min((known <= 0).sum(), (known >= 0).sum())) / (len(known) + 1))
    return Difference(**facts, low=low, high=high, p=float(p), note=_caution(cases))


def _on_all(measure: Measure, cases: int) -> float | None:
    if cases == 0:
        return None
    value = float(measure.statistic(np.ones((1, cases)))[0])
    return value if np.isfinite(value) else None


def _objection(value: float | None, cases: int) -> str:
    if value is None:
        return "not defined on these data"
    return f"no interval: {cases} cases, at least {LEAST_CASES} are needed" if cases < LEAST_CASES else ""


def _caution(cases: int) -> str:
    return f"few cases ({cases}): the interval may be too narrow" if cases < FEW_CASES else ""


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _wilson_low_of_all(n: int) -> float:
    """Lower end of Wilson's 95 % interval when all of n succeed: n / (n + z²)."""
    return n / (n + Z**2)


def sum_by_case(values: NDArray[Any], case: NDArray[np.intp], cases: int) -> NDArray[np.float64]:
    """Add values (n, ...) up by case: (cases, ...)."""
    total = np.zeros((cases, *values.shape[1:]))
    np.add.at(total, case, values)
    return total


def over_draws(drawn: NDArray[np.float64], tallies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tallies (cases, ...) of each draw: (draws, ...)."""
    return np.tensordot(drawn, tallies, axes=1)


def measured(measures: Sequence[Measure], drawn: NDArray[np.float64]) -> tuple[Estimate, ...]:
    """All measures by the same draws."""
    return tuple(estimate(measure, drawn) for measure in measures)
