"""Whether the scorers that looked beside the cells confirm the call: one rule, and its words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2.scoring import DEFAULT_RULE, CellCounts, apply_rule, load_rule
from napari_her2.scoring.intervals import wilson
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_her2.case import CallAgreement
    from napari_her2.scoring.guideline import Rule
    from napari_her2.vocabulary import Score

__all__ = [
    "CLUSTER_FREE",
    "Opinion",
    "Standing",
    "agreement_of",
    "agreement_with",
    "interval_of",
    "opinion_of",
    "percent_rule",
]

State = Literal["agree", "disagree", "not_checked"]
PARTS: Final = 10_000
"""Shares become counts of so many parts, so that a guideline's percentages apply to them."""
CLUSTER_FREE: Final = {"gastric-biopsy": "gastric-resection", "paper-max": DEFAULT_RULE}
"""What judges patches and areas where a rule counts clusters of five cells, or the strongest patch."""
FAR_APART: Final = 2
"""Classes by which pixels must differ: they name places well, and calls badly (docs/real_images.md)."""
TREATED_FROM: Final = SCORES.index("2+")
"""From here on treatment or ISH follows: what pixels see beyond it is never passed over."""
NAMES: Final = {"cells": "cells", "patches": "patches (model L)", "pixels": "pixels (model M)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one scorer says.

    Attributes
    ----------
    name : {"cells", "patches", "pixels"}
    score : str or None
        None where it could not answer.
    share, interval : float and pair of floats, or None
        Of what it judged with its score or a stronger one (for a 0: with 1+ or stronger), 95 % of sampling.
    looked : float or None
        Part of the area that counts which it looked at.
    places : tuple of (x, y)
        Level-0 pixels of the IHC where it contradicts the cells most.
    """

    name: str
    score: Score | None
    share: float | None = None
    interval: tuple[float, float] | None = None
    looked: float | None = None
    places: tuple[tuple[float, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object of a report."""
        return {
            "name": self.name, "score": self.score, "share": self.share, "interval": self.interval,
            "looked": self.looked, "places": self.places,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether the call is confirmed, why not, and who says what."""

    state: State = "not_checked"
    reason: str = ""
    scorers: tuple[Opinion, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return ``call.agreement`` of a report."""
        return {
            "state": self.state,
            "reason": self.reason,
            "scorers": [one.to_json() for one in self.scorers],
        }


def percent_rule(name: str) -> Rule:
    """Return the guideline by which shares of patches or area are judged."""
    return load_rule(CLUSTER_FREE.get(name, name))


def opinion_of(name: str, shares: Mapping[Score, float], number: float, rule: Rule, **more: Any) -> Opinion:
    """Judge the shares of a scorer by a guideline.

    Parameters
    ----------
    name : str
    shares : mapping of score to float
        That sum to 1; all 0 where nothing was judged.
    number : float
        How many independent things they rest on.
    rule : Rule
    **more
        Further fields of the opinion.
    """
    if not number or not sum(shares.values()):
        return Opinion(name=name, score=None, **more)
    counts = CellCounts.from_classes({score: round(PARTS * share) for score, share in shares.items()})
    score = apply_rule(counts, rule, min_cells=1).score
    least = max(SCORES.index(score), 1) if score is not None else 1
    share = min(sum(shares.get(one, 0.0) for one in SCORES[least:]), 1.0)
    return Opinion(name=name, score=score, share=round(share, 4), interval=interval_of(share, number), **more)


def interval_of(share: float, number: float) -> tuple[float, float]:
    """95 % interval of a share of so many things, 0..1."""
    low, high = wilson(share * number, number)
    return round(low / 100, 4), round(high / 100, 4)


def agreement_of(cells: Opinion, others: Sequence[Opinion], why_not: str = "") -> Standing:
    """Say whether the others confirm what the cells say.

    One that could not answer disagrees, as does one that answers cells that could not. Patches disagree
    with any other score, pixels from two classes on, and where they see 2+ or more and the cells do not.

    Parameters
    ----------
    cells : Opinion
    others : sequence of Opinion
        None: nobody looked.
    why_not : str
        Why nobody looked.
    """
    if not others:
        return Standing(reason=why_not, scorers=(cells,))
    against = [one for one in others if _contradicts(one, cells)]
    if not against and cells.score is None:
        why = "No scorer could answer, so that there is nothing to compare."
        return Standing(reason=why, scorers=(cells, *others))
    return Standing(
        state="disagree" if against else "agree",
        reason=" ".join(_words(one, cells) for one in against),
        scorers=(cells, *others),
    )


def agreement_with(before: CallAgreement, score: Score | None) -> Standing:
    """Return the agreement of a report once the cells have another score, as after a person's verdicts."""
    said = [Opinion(**one.model_dump()) for one in before.scorers]
    cells = [replace(one, score=score) for one in said if one.name == "cells"]
    others = [one for one in said if one.name != "cells"]
    if not cells or not others:
        return Standing(state=before.state, reason=before.reason, scorers=tuple(said))
    return agreement_of(cells[0], others)


def _contradicts(one: Opinion, cells: Opinion) -> bool:
    if one.score is None or cells.score is None:
        return one.score != cells.score
    apart = abs(SCORES.index(one.score) - SCORES.index(cells.score))
    if one.name != "pixels":
        return apart > 0
    missed = SCORES.index(one.score) >= TREATED_FROM > SCORES.index(cells.score)
    return missed or apart >= FAR_APART


def _words(one: Opinion, cells: Opinion) -> str:
    who, said = NAMES.get(one.name, one.name), cells.score or "no score"
    if one.score is None:
        return f"The {who} give no answer where the cells say {said}."
    shown = "" if one.share is None else f" ({one.share:.0%} of what they judged)"
    return f"The {who} say {one.score}{shown}, the cells {said}."
