"""In-situ hybridisation: its groups, and the HER2 status of score and ISH together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from napari_her2.scoring.guideline import Rule, Status
    from napari_her2.vocabulary import Score

__all__ = ["Ish", "her2_status"]

_KEYS: Final = ("probe", "ratio", "her2_copies", "cells", "recounted", "group")
_PLAIN: Final[dict[Score, Status]] = {"0": "negative", "1+": "negative", "2+": "equivocal", "3+": "positive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ish:
    """One in-situ hybridisation result.

    Attributes
    ----------
    probe : {"dual", "single"}
    her2_copies : float
        Mean HER2 copies per cell.
    ratio : float, optional
        HER2 to CEP17; only with two probes.
    cells : int, optional
        Cells counted.
    recounted : bool
        Whether an additional observer, blinded to the first result, has recounted at least 20 cells.
    """

    probe: Literal["dual", "single"]
    her2_copies: float
    ratio: float | None = None
    cells: int | None = None
    recounted: bool = False

    def __post_init__(self) -> None:
        if self.probe not in ("dual", "single"):
            raise UsageError(f"the ISH probe is {str(self.probe)[:40]!r}: it is dual or single")
        object.__setattr__(self, "her2_copies", _positive("her2_copies", self.her2_copies))
        if self.probe == "dual":
            object.__setattr__(self, "ratio", _positive("ratio", self.ratio))
        elif self.ratio is not None:
            raise UsageError("a single-probe ISH has no ratio: leave it out, or name the probe dual")
        if self.cells is not None and (isinstance(self.cells, bool) or not isinstance(self.cells, int)):
            raise UsageError(f"ISH cells is {str(self.cells)[:40]!r}: it is a whole number of cells counted")
        if self.cells is not None and self.cells < 1:
            raise UsageError(f"ISH cells is {self.cells}: it is the number of cells counted, at least 1")
        if not isinstance(self.recounted, bool):
            raise UsageError(f"ISH recounted is {str(self.recounted)[:40]!r}: it is true or false")

    @classmethod
    def from_json(cls, data: object) -> Ish:
        """Check and take the object that reports hold; ``group`` may be there if it is right."""
        if not isinstance(data, Mapping):
            raise UsageError(f"ish must be a JSON object with the keys {', '.join(_KEYS)}")
        unknown = [str(key)[:60] for key in data if key not in _KEYS]
        if unknown:
            raise UsageError(f"ish holds the unknown key {unknown[0]!r}: the keys are {', '.join(_KEYS)}")
        if "probe" not in data or "her2_copies" not in data:
            raise UsageError("ish needs probe (dual or single) and her2_copies")
        values = {key: value for key, value in data.items() if value is not None and key != "group"}
        ish = cls(**values)
        if data.get("group") is not None and data["group"] != ish.group:
            raise UsageError(
                f"ish states group {str(data['group'])[:40]}, its numbers give {ish.group}: leave it out"
            )
        return ish

    @property
    def group(self) -> int | None:
        """Group 1 to 5 of ASCO/CAP 2018 for two probes, None for one."""
        if self.ratio is None:
            return None
        if self.ratio >= 2:
            return 1 if self.her2_copies >= 4 else 2
        return 3 if self.her2_copies >= 6 else 4 if self.her2_copies >= 4 else 5

    @property
    def band(self) -> str:
        """For one probe: "high" from 6 copies, "low" under 4, "middle" between."""
        return "high" if self.her2_copies >= 6 else "middle" if self.her2_copies >= 4 else "low"

    def to_json(self) -> dict[str, object]:
        """Return the object of a report."""
        return {
            "probe": self.probe,
            "ratio": self.ratio,
            "her2_copies": self.her2_copies,
            "cells": self.cells,
            "recounted": self.recounted,
            "group": self.group,
        }


def her2_status(score: Score | None, ish: Ish | None, rule: Rule) -> tuple[Status, str]:
    """HER2 status of a score with ISH where given, and what to say about it ("" without ISH).

    Groups that need a recount stay equivocal for the scores the rule names until it is done; a recount
    that changes the group is for people to settle.
    """
    if score is None:
        return "indeterminate", ""
    if ish is None:
        return _PLAIN[score], ""
    table = rule.ish
    if ish.cells is not None and ish.cells < table.min_cells:
        return _PLAIN[
            score
        ], f"ISH counted only {ish.cells} cells of at least {table.min_cells} and settles nothing"
    if ish.group is None:
        status = table.single[ish.band][score]
        return status, f"single-probe ISH with {ish.her2_copies:g} HER2 copies per cell makes it {status}"
    if score in table.recount_scores and ish.group in table.recount_groups and not ish.recounted:
        return "equivocal", f"ISH group {ish.group} asks for a blinded recount of at least 20 cells first"
    status = table.dual[ish.group][score]
    return status, f"ISH group {ish.group} makes it {status}"


def _positive(key: str, value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value <= 0
    ):
        raise UsageError(f"ISH {key} is {str(value)[:40]!r}: it is a number above 0")
    return float(value)
