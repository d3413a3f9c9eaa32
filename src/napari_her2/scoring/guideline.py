"""What a guideline is, as values: tests in order, their thresholds, the table for ISH."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from napari_her2.scoring.counts import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.vocabulary import Score

__all__ = [
    "DEFAULT_RULE",
    "Category",
    "FlagIfPresent",
    "Floor",
    "IshTable",
    "Otherwise",
    "Rule",
    "RuleTest",
    "Status",
]

Category = Literal["null", "ultralow", "low", "negative", "equivocal", "positive", "not_scorable"]
Status = Literal["negative", "equivocal", "positive", "discordant", "indeterminate"]

DEFAULT_RULE: Final = "asco-cap-breast-2023"


@dataclass(frozen=True, slots=True)
class Floor:
    """What may be noise: fewer than ``percent`` of the cells, or fewer than ``cells`` of them."""

    percent: Fraction
    cells: int

    def percent_of(self, total: int) -> Fraction:
        """Return the floor as a percentage of ``total`` cells: the larger of the two."""
        return max(self.percent, Fraction(100 * self.cells, max(total, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One line of a rule: a sum of columns against a threshold.

    Attributes
    ----------
    score, category, test
        What holds if it decides, and its wording; a wording belongs to one score.
    of : tuple of int
        Columns of the table of counts that are summed.
    alone : tuple of int
        If these columns would not pass by themselves, the call is flagged ``mixture``.
    op : {">", ">="}
    percent, cells, floor
        The threshold; exactly one is set.
    """

    score: Score
    category: Category
    test: str
    of: tuple[int, ...]
    op: Literal[">", ">="]
    percent: Fraction | None = None
    cells: int | None = None
    floor: Floor | None = None
    alone: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def counts_cells(self) -> bool:
        """Whether the value is a number of cells, not a percentage."""
        return self.cells is not None

    def threshold(self, total: int) -> Fraction:
        """Return the threshold in the test's own unit (cells or percent) for ``total`` cells."""
        if self.cells is not None:
            return Fraction(self.cells)
        return self.floor.percent_of(total) if self.floor is not None else self.percent or Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """What holds if no test does; its value is the complement of the last test's."""

    score: Score
    category: Category
    test: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagIfPresent:
    """A flag for calls of some scores where a pattern reaches ``percent`` of the cells."""

    flag: str
    scores: tuple[Score, ...]
    of: tuple[int, ...]
    percent: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class IshTable:
    """HER2 status by in-situ hybridisation result and score.

    Attributes
    ----------
    dual : mapping from group 1..5 to {score: status}
    single : mapping from "high" (>= 6 copies), "middle", "low" (< 4) to {score: status}
    recount_scores, recount_groups
        Where a blinded recount must come before the status; until then it is equivocal.
    min_cells : int
        Fewer counted cells do not settle anything.
    negative_category : str
        Category of an equivocal score that ISH found negative.
    """

    dual: Mapping[int, Mapping[Score, Status]]
    single: Mapping[str, Mapping[Score, Status]]
    min_cells: int
    negative_category: Category
    recount_scores: tuple[Score, ...] = ()
    recount_groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A guideline that can be applied to counts.

    Attributes
    ----------
    name, title, edition, tissue, sources
        What it is and where it comes from.
    counted : {"cells", "clusters", "patches"}
        What the counts are; ``clusters`` compares the largest connected cluster, not percentages.
    min_cells : int
        Fewer evaluable cells are not scorable; 0 for a rule without a minimum.
    tests, otherwise
        In order of evaluation.
    """

    name: str
    title: str
    edition: str
    tissue: str
    counted: Literal["cells", "clusters", "patches"]
    min_cells: int
    sources: tuple[str, ...]
    tests: tuple[RuleTest, ...]
    otherwise: Otherwise
    ish: IshTable
    flag_if_present: tuple[FlagIfPresent, ...] = ()

    @property
    def by_clusters(self) -> bool:
        """Whether clusters of cells decide."""
        return self.counted == "clusters"

    @property
    def needs_split(self) -> bool:
        """Whether some test tells moderate from intense incomplete staining."""
        pair = {COLUMNS.index("incomplete_moderate"), COLUMNS.index("incomplete_intense")}
        return any(len(pair & set(test.of)) == 1 for test in self.tests)

    def to_json(self) -> dict[str, object]:
        """Name, edition and sources, as ``rule --list --json`` shows them."""
        return {
            "name": self.name,
            "title": self.title,
            "edition": self.edition,
            "tissue": self.tissue,
            "counted": self.counted,
            "min_cells": self.min_cells,
            "sources": list(self.sources),
        }
