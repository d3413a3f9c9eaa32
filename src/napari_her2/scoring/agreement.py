"""Whether scorers agree, and whether a control shows what it should."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.scoring.apply import apply_rule
from napari_her2.scoring.counts import as_counts
from napari_her2.scoring.guideline import DEFAULT_RULE
from napari_her2.vocabulary import RASTER_LABELS, SCORES, Score

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.scoring.counts import CellCounts
    from napari_her2.scoring.guideline import Rule

__all__ = ["Agreement", "ControlResult", "agreement", "control_call"]

_CONTROL_CELLS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two scorers of one case.

    Attributes
    ----------
    scorers : pair of str
        Such as ``("cells", "patches")``.
    scores : pair of str or None
    fraction_area : float or None
        Share of the area that both judged on which they see the same class; None if it is not known.
    """

    scorers: tuple[str, str]
    scores: tuple[Score | None, Score | None]
    fraction_area: float | None = None

    @property
    def same(self) -> bool:
        """Whether both give the same score."""
        return self.scores[0] == self.scores[1]

    def to_json(self) -> dict[str, Any]:
        """Return the object of a report."""
        return {
            "scorers": list(self.scorers),
            "scores": dict(zip(self.scorers, self.scores, strict=True)),
            "same": self.same,
            "fraction_area": self.fraction_area,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """A control tissue against what it should show."""

    expected: Score
    found: Score | None
    adequate: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the object of a report."""
        return {
            "expected": self.expected,
            "found": self.found,
            "adequate": self.adequate,
            "reason": self.reason,
        }


def agreement(
    scores: Mapping[str, Score | None], rasters: Mapping[str, ArrayLike] | None = None
) -> tuple[Agreement, ...]:
    """Compare all pairs of scorers that ran.

    Parameters
    ----------
    scores : mapping
        Score by scorer.
    rasters : mapping, optional
        Label rasters (values of ``RASTER_LABELS``, one shape) by scorer. Background, unsure and excluded
        area of either scorer is left out; unusual counts as 2+.
    """
    labels = {name: np.asarray(raster) for name, raster in (rasters or {}).items()}
    return tuple(
        Agreement(
            scorers=(one, other),
            scores=(scores[one], scores[other]),
            fraction_area=_same_area(labels[one], labels[other])
            if one in labels and other in labels
            else None,
        )
        for one, other in combinations(scores, 2)
    )


def control_call(
    counts: CellCounts | Mapping[str, int], expected: Score, rule: str | Path | Rule = DEFAULT_RULE
) -> ControlResult:
    """Score a control tissue (from 20 cells on) and say whether it is adequate: just as expected.

    Raises
    ------
    UsageError
        If ``expected`` is no score.
    """
    if expected not in SCORES:
        raise UsageError(
            f"a control cannot be expected to score {str(expected)[:40]!r}: use {', '.join(SCORES)}"
        )
    found = apply_rule(as_counts(counts), rule, min_cells=_CONTROL_CELLS).score
    if found is None:
        reason = f"the control expected to be {expected} has too few cells to tell"
    elif found == expected:
        reason = f"the control is {found}, as expected"
    else:
        reason = f"the control is {found}, expected was {expected}"
    return ControlResult(expected=expected, found=found, adequate=found == expected, reason=reason)


def _same_area(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    if one.shape != other.shape:
        raise UsageError(f"rasters of shape {one.shape} and {other.shape} cannot be compared: resample one")
    judged = np.isin(one, _JUDGED) & np.isin(other, _JUDGED)
    if not judged.any():
        return None
    first, second = _without_unusual(one[judged]), _without_unusual(other[judged])
    return float((first == second).mean())


_JUDGED = [RASTER_LABELS[name] for name in (*SCORES, "unusual")]


def _without_unusual(labels: NDArray[Any]) -> NDArray[Any]:
    return np.where(labels == RASTER_LABELS["unusual"], RASTER_LABELS["2+"], labels)
