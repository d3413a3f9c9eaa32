"""Reader studies: how far several readers of the same cases agree, in scores and in percentages.

Cohen's kappa, quadratically weighted (Cohen 1968), and Fleiss' kappa for all readers (Fleiss 1971);
positive and negative percent agreement where one reader is the reference, average agreement where none is;
Bland and Altman's limits for percentages (Bland & Altman 1986). Intervals by drawing cases again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.learning.evaluation.agreement import accuracy, confusion, share, weighted_kappa
from napari_her2.learning.evaluation.bootstrap import Measure, draw_cases, estimate
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_her2.learning.evaluation.bootstrap import Estimate

__all__ = ["EVENTS", "BlandAltman", "ReaderPair", "ReaderStudy", "compare_readers"]

EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "3+": ("3+",),
    "2+ or 3+": ("2+", "3+"),
    "1+ or more": ("1+", "2+", "3+"),
}
"""What counts as positive in percent agreement, by its name."""

_NO_SCORE: Final = -1
_Z95: Final = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlandAltman:
    """Differences of two readers' percentages, the second less the first.

    Attributes
    ----------
    of : str
        Class.
    n : int
    bias, low, high : float
        Mean difference, and the limits that hold 95 % of differences if they are normal; in points.
    bias_ci95 : (low, high)
        Of the mean; NaN below two cases.
    mean, difference : float64 ndarrays of shape (n,)
        The points of the plot.
    cases : tuple of str
    """

    of: str
    n: int
    bias: float
    low: float
    high: float
    bias_ci95: tuple[float, float]
    mean: NDArray[np.float64]
    difference: NDArray[np.float64]
    cases: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        numbers = {k: _plain(getattr(self, k)) for k in ("bias", "low", "high")}
        points = zip(self.cases, self.mean.tolist(), self.difference.tolist(), strict=True)
        return {
            "of": self.of,
            "n": self.n,
            **numbers,
            "bias_ci95": [_plain(v) for v in self.bias_ci95],
            "points": [{"case": c, "mean": m, "difference": d} for c, m, d in points],
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReaderPair:
    """Two readers on the cases that both scored.

    Attributes
    ----------
    one, other : str
        Rows and columns of the table; `one` is the reference where there is one.
    table : int64 ndarray of shape (4, 4)
        Cases by score.
    estimates : tuple of Estimate
        Agreement, kappas, and positive and negative agreement per event.
    percent : tuple of BlandAltman
        Per class that both estimated.
    """

    one: str
    other: str
    table: NDArray[np.int64]
    estimates: tuple[Estimate, ...]
    percent: tuple[BlandAltman, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "one": self.one,
            "other": self.other,
            "cases": int(self.table.sum()),
            "table": self.table.tolist(),
            "estimates": [e.to_json() for e in self.estimates],
            "percent": [b.to_json() for b in self.percent],
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReaderStudy:
    """All readers of a study.

    Attributes
    ----------
    readers : tuple of str
    cases : tuple of str
        Scored by at least two readers.
    reference : str or None
    pairs : tuple of ReaderPair
        With a reference: it with each other reader; else all pairs.
    fleiss : Estimate
        Of all readers, on the cases that all of them scored.
    unscored : mapping of reader to int
        Cases that a reader called not scorable.
    """

    readers: tuple[str, ...]
    cases: tuple[str, ...]
    reference: str | None
    pairs: tuple[ReaderPair, ...]
    fleiss: Estimate
    unscored: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "readers": list(self.readers),
            "cases": list(self.cases),
            "reference": self.reference,
            "unscored": dict(self.unscored),
            "fleiss": self.fleiss.to_json(),
            "pairs": [pair.to_json() for pair in self.pairs],
        }


def compare_readers(
    scores: Mapping[str, Mapping[str, str | None]],
    percent: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    *,
    reference: str | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> ReaderStudy:
    """Compare readers.

    Parameters
    ----------
    scores : mapping of reader to mapping of case to score
        None where the reader called the case not scorable: it is counted and left out of agreement.
    percent : mapping of reader to mapping of case to mapping of class to 0..100, optional
    reference : str, optional
        The reader that the others are measured against.
    draws, seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there are fewer than two readers, or the reference is none of them.
    """
    readers = tuple(sorted(scores))
    if len(readers) < 2:
        raise ValueError(f"a reader study needs two readers or more, got {len(readers)}")
    if reference is not None and reference not in readers:
        raise ValueError(f"the reference {reference!r} is none of the readers ({', '.join(readers)})")
    pairs = (
        [(reference, other) for other in readers if other != reference]
        if reference is not None
        else list(combinations(readers, 2))
    )
    found = tuple(
        _pair(one, other, scores, percent or {}, referred=reference is not None, draws=(draws, seed))
        for one, other in pairs
    )
    seen = [case for reader in readers for case in scores[reader]]
    shared = tuple(sorted({case for case in seen if seen.count(case) > 1}))
    return ReaderStudy(
        readers=readers,
        cases=shared,
        reference=reference,
        pairs=found,
        fleiss=_fleiss_of(scores, draws, seed),
        unscored={r: sum(s is None for s in scores[r].values()) for r in readers},
    )


def _codes(scores: Mapping[str, str | None], cases: Sequence[str]) -> NDArray[np.int64]:
    names: dict[str, int] = {name: k for k, name in enumerate(SCORES)}
    return np.array([names.get(scores.get(case) or "", _NO_SCORE) for case in cases], np.int64)


def _pair(
    one: str,
    other: str,
    scores: Mapping[str, Mapping[str, str | None]],
    percent: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    referred: bool,
    draws: tuple[int, int],
) -> ReaderPair:
    cases = sorted(set(scores[one]) & set(scores[other]))
    first, second = _codes(scores[one], cases), _codes(scores[other], cases)
    both = (first >= 0) & (second >= 0)
    first, second = first[both], second[both]
    drawn = draw_cases(len(first), *draws) if len(first) else np.zeros((1, 0))
    measures = [*_overall(first, second), *_by_event(first, second, referred=referred)]
    return ReaderPair(
        one=one,
        other=other,
        table=confusion(first, second, len(SCORES)),
        estimates=tuple(estimate(measure, drawn) for measure in measures),
        percent=_limits(percent.get(one, {}), percent.get(other, {})),
    )


def _overall(first: NDArray[np.int64], second: NDArray[np.int64]) -> list[Measure]:
    k = len(SCORES)
    each = np.zeros((len(first), k, k))
    each[np.arange(len(first)), first, second] = 1

    def of(figure: Callable[[NDArray[Any]], NDArray[np.float64]]) -> Callable[..., NDArray[np.float64]]:
        return lambda drawn: figure(np.tensordot(drawn, each, 1))

    return [
        Measure("same score", "", of(accuracy), ratio=True),
        Measure("kappa, quadratic weights", "", of(weighted_kappa)),
        Measure("kappa, no weights", "", of(_plain_kappa)),
    ]


def _plain_kappa(c: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa (1960) of a stack of tables."""
    total = c.sum((-2, -1))
    seen = share(np.trace(c, axis1=-2, axis2=-1), total)
    chance = share((c.sum(-1) * c.sum(-2)).sum(-1), total**2)
    return share(seen - chance, 1 - chance)


def _by_event(first: NDArray[np.int64], second: NDArray[np.int64], *, referred: bool) -> list[Measure]:
    """Give positive and negative agreement of each event: of the reference, or averaged over both."""
    names = ("PPA", "NPA") if referred else ("average positive agreement", "average negative agreement")
    measures = []
    for event, positive in EVENTS.items():
        codes = [SCORES.index(name) for name in SCORES if name in positive]
        yes, other = np.isin(first, codes), np.isin(second, codes)
        for name, mine, theirs in ((names[0], yes, other), (names[1], ~yes, ~other)):
            measures.append(Measure(name, event, _agreement(mine, theirs, referred=referred), ratio=True))
    return measures


def _agreement(
    mine: NDArray[np.bool_], theirs: NDArray[np.bool_], *, referred: bool
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    both = (mine & theirs).astype(np.float64)
    whole = mine.astype(np.float64) if referred else (mine.astype(np.float64) + theirs) / 2
    return lambda drawn: share(drawn @ both, drawn @ whole)


def _limits(
    one: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]]
) -> tuple[BlandAltman, ...]:
    cases = sorted(set(one) & set(other))
    found = []
    for name in reversed(SCORES):
        here = [case for case in cases if name in one[case] and name in other[case]]
        if here:
            first = np.array([one[case][name] for case in here], np.float64)
            second = np.array([other[case][name] for case in here], np.float64)
            found.append(_bland_altman(name, tuple(here), first, second))
    return tuple(found)


def _bland_altman(
    name: str, cases: tuple[str, ...], first: NDArray[np.float64], second: NDArray[np.float64]
) -> BlandAltman:
    difference = second - first
    n = len(difference)
    spread = float(difference.std(ddof=1)) if n > 1 else float("nan")
    bias = float(difference.mean())
    error = _student(n) * spread / np.sqrt(n)
    return BlandAltman(
        of=name,
        n=n,
        bias=bias,
        low=bias - _Z95 * spread,
        high=bias + _Z95 * spread,
        bias_ci95=(bias - error, bias + error),
        mean=(first + second) / 2,
        difference=difference,
        cases=cases,
    )


def _student(n: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1)) if n > 1 else float("nan")


def _fleiss_of(scores: Mapping[str, Mapping[str, str | None]], draws: int, seed: int) -> Estimate:
    common = sorted(set.intersection(*(set(cases) for cases in scores.values())))
    codes = np.array([_codes(scores[reader], common) for reader in scores], np.int64).T
    codes = codes[(codes >= 0).all(axis=1)] if len(common) else codes.reshape(0, len(scores))
    votes = np.array([np.bincount(row, minlength=len(SCORES)) for row in codes]).reshape(-1, len(SCORES))
    drawn = draw_cases(len(votes), draws, seed) if len(votes) else np.zeros((1, 0))
    return estimate(Measure("Fleiss' kappa", "", lambda d: _fleiss(votes, d)), drawn)


def _fleiss(votes: NDArray[np.int64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kappa of several readers (Fleiss 1971) on each draw of the cases."""
    readers = float(votes[0].sum())
    alike = ((votes * (votes - 1)).sum(axis=1)) / (readers * (readers - 1))
    total = drawn.sum(axis=1)
    seen = share(drawn @ alike, total)
    shares = share(drawn @ votes, (total * readers)[:, None])
    chance = (shares**2).sum(axis=1)
    return share(seen - chance, 1 - chance)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
