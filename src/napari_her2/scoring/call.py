"""What a guideline answers, and what it may be told besides counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_her2.scoring.decide import PathEntry
from napari_her2.scoring.ish import Ish

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.scoring.guideline import Category, Status
    from napari_her2.vocabulary import Score

__all__ = ["Call", "Evidence"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What is known about counts besides themselves; all of it is optional.

    Attributes
    ----------
    draws : ndarray of shape (n, 6)
        Resampled counts by ``COLUMNS`` (tile bootstrap); without them cells are taken as independent.
    engine_bias_points : float
        Largest measured bias of the engine on a percentage, in points.
    false_faint_percent, false_faint_upper_percent : float
        Share of unstained cells that the engine calls stained, and its upper bound.
    control_adequate : bool
        Whether the control tissue on the glass shows what is expected; None if there is none.
    flags : tuple of str
        Flags that others found and the call carries on.
    """

    draws: NDArray[np.int64] | None = None
    engine_bias_points: float = 0.0
    false_faint_percent: float | None = None
    false_faint_upper_percent: float | None = None
    control_adequate: bool | None = None
    flags: tuple[str, ...] = ()

    @property
    def false_faint_bound(self) -> float | None:
        """The upper bound of the false-faint rate, or the rate itself."""
        known = (self.false_faint_upper_percent, self.false_faint_percent)
        return max((rate for rate in known if rate is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a rule says about a case; fields as the contract for reports has them.

    Attributes
    ----------
    score : {"0", "1+", "2+", "3+"} or None
    category : str
        Additional information on treatment relevance, no result of the guideline.
    her2_status : str
        The headline, with ISH where given.
    path : tuple of PathEntry
        Tests in order of evaluation; the last one decides and holds.
    alternatives : dict of str to float
        Probability of each score over the resamples: of sampling alone, not calibrated on real cases.
    """

    score: Score | None
    category: Category
    her2_status: Status
    rule: dict[str, str]
    reason: str
    path: tuple[PathEntry, ...]
    flags: tuple[str, ...] = ()
    borderline: bool = False
    reflex_ish: bool = False
    alternatives: dict[str, float] = field(default_factory=dict)
    ish: Ish | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the ``call`` object of a report, with the HER2 status and ISH beside it."""
        return {
            "score": self.score,
            "category": self.category,
            "rule": dict(self.rule),
            "reason": self.reason,
            "path": [entry.to_json() for entry in self.path],
            "flags": list(self.flags),
            "borderline": self.borderline,
            "reflex_ish": self.reflex_ish,
            "alternatives": dict(self.alternatives),
            "her2_status": self.her2_status,
            "ish": None if self.ish is None else self.ish.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Call:
        """Take what :meth:`to_json` gave."""
        values = dict(data)
        values["path"] = tuple(PathEntry(**entry) for entry in values["path"])
        values["flags"] = tuple(values["flags"])
        values["ish"] = None if values.get("ish") is None else Ish.from_json(values["ish"])
        return cls(**values)
