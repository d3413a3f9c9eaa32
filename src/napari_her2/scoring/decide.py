"""From a table of counts to the test that decides: one code for a call, its resamples and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.scoring.guideline import Category, Rule, RuleTest
    from napari_her2.vocabulary import Score

__all__ = ["PathEntry", "Table", "deciding", "verdict"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Counts that a rule looks at.

    Attributes
    ----------
    rows : ndarray of shape (n, 6), int64
        Counts by ``COLUMNS``.
    totals : ndarray of shape (n,), int64
        Evaluable cells of each row.
    """

    rows: NDArray[np.int64]
    totals: NDArray[np.int64]

    @classmethod
    def of(cls, columns: NDArray[np.int64]) -> Table:
        """One row, or rows whose totals are their sums."""
        rows = np.atleast_2d(np.asarray(columns, np.int64))
        return cls(rows, rows.sum(axis=1))

    def sums(self, of: tuple[int, ...]) -> NDArray[np.int64]:
        """Cells in some columns, one number a row."""
        return self.rows[:, list(of)].sum(axis=1)

    @property
    def total(self) -> int:
        """Evaluable cells of the first row."""
        return int(self.totals[0])


@dataclass(frozen=True, slots=True)
class PathEntry:
    """One evaluated test: its words, the value, the threshold and whether it holds."""

    test: str
    value: float
    threshold: float
    holds: bool

    def to_json(self) -> dict[str, object]:
        """Return the object of a report."""
        return {"test": self.test, "value": self.value, "threshold": self.threshold, "holds": self.holds}


def holding(test: RuleTest, cells: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a test holds for each row, in whole numbers: 10.0 % is never more than 10 %."""
    if test.cells is not None:
        return _compare(cells, np.full_like(cells, test.cells), test.op)
    if test.floor is not None:
        percent, least = test.floor.percent, test.floor.cells
        above = _compare(100 * percent.denominator * cells, percent.numerator * totals, test.op)
        return above & _compare(cells, np.full_like(cells, least), test.op)
    cut = test.percent or Fraction(0)
    return _compare(100 * cut.denominator * cells, cut.numerator * totals, test.op)


def deciding(rule: Rule, table: Table) -> NDArray[np.intp]:
    """Index of the test that decides each row; ``len(rule.tests)`` where none holds."""
    rows = [holding(test, table.sums(test.of), table.totals) for test in rule.tests]
    held = np.array([*rows, np.ones(len(table.totals), bool)])
    return np.argmax(held, axis=0)


def verdict(rule: Rule, index: int) -> tuple[Score, Category]:
    """Score and category that the test at ``index`` stands for."""
    entry = rule.tests[index] if index < len(rule.tests) else rule.otherwise
    return entry.score, entry.category


def path_to(rule: Rule, table: Table, index: int) -> tuple[PathEntry, ...]:
    """Return the tests of the first row in order of evaluation, up to the one that decides."""
    entries = [_entry(test, table) for test in rule.tests[: index + 1]]
    if index == len(rule.tests):
        entries.append(_complement(rule, table))
    return tuple(entries)


def _entry(test: RuleTest, table: Table) -> PathEntry:
    cells = table.sums(test.of)[:1]
    holds = bool(holding(test, cells, table.totals[:1])[0])
    return PathEntry(
        test.test, float(_value(test, int(cells[0]), table.total)), float(test.threshold(table.total)), holds
    )


def _complement(rule: Rule, table: Table) -> PathEntry:
    """No test held: the cells outside the last test's columns, against what that test left to them."""
    last = rule.tests[-1]
    whole = Fraction(table.total) if last.counts_cells else Fraction(100)
    value = _value(last, int(table.sums(last.of)[0]), table.total)
    return PathEntry(
        rule.otherwise.test, float(whole - value), float(whole - last.threshold(table.total)), holds=True
    )


def _value(test: RuleTest, cells: int, total: int) -> Fraction:
    return Fraction(cells) if test.counts_cells else Fraction(100 * cells, max(total, 1))


def _compare(left: NDArray[np.int64], right: NDArray[np.int64], op: str) -> NDArray[np.bool_]:
    return left > right if op == ">" else left >= right
