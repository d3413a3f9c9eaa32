"""A guideline applied to counts: the call, the path that led to it, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.scoring.call import Call, Evidence
from napari_her2.scoring.counts import CellCounts, as_counts, percent_text
from napari_her2.scoring.decide import PathEntry, Table, deciding, holding, path_to, verdict
from napari_her2.scoring.guideline import DEFAULT_RULE, Rule
from napari_her2.scoring.intervals import multinomial_draws, percent_interval, shifted
from napari_her2.scoring.ish import Ish, her2_status
from napari_her2.scoring.nearness import across, softened
from napari_her2.scoring.rule_files import load_rule
from napari_her2.vocabulary import SCORES, ordered_flags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_her2.scoring.guideline import Category, RuleTest, Status

__all__ = ["apply_rule"]

_FEW = 100


def apply_rule(
    counts: CellCounts | Mapping[str, int],
    rule: str | Path | Rule = DEFAULT_RULE,
    *,
    ish: Ish | Mapping[str, object] | None = None,
    min_cells: int | None = None,
    clusters: CellCounts | Mapping[str, int] | None = None,
    evidence: Evidence | None = None,
) -> Call:
    """Apply a guideline to counts of evaluable tumour cells.

    Parameters
    ----------
    counts : CellCounts or mapping
        Cells by membrane staining (patches for ``paper-max``).
    rule : str, Path or Rule
        Name of a rule, or a rule.
    ish : Ish or mapping, optional
        In-situ hybridisation result.
    min_cells : int, optional
        Fewer evaluable cells are not scorable; the rule's own number by default. Rules without a
        minimum (biopsies) ignore it. Under 100 cells the call is flagged ``few_cells``.
    clusters : CellCounts or mapping, optional
        Cells in the largest connected cluster, for rules that look at clusters.
    evidence : Evidence, optional
        Resamples, the engine's measured errors, controls, flags found elsewhere.

    Raises
    ------
    UsageError
        If counts, clusters, ISH or the rule cannot be used. Too few cells are a result, not an error.
    """
    case = _Case.of(counts, rule, clusters, evidence or Evidence())
    taken = ish if ish is None or isinstance(ish, Ish) else Ish.from_json(ish)
    if min_cells is not None and min_cells < 1:
        raise UsageError(f"a minimum of {min_cells} cells is no minimum: give 1 or more")
    wanted = case.rule.min_cells if min_cells is None else min_cells
    needed = max(wanted, 1) if case.rule.min_cells else 1
    return _not_scorable(case, needed, taken) if case.counts.total < needed else _scored(case, taken)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """Counts as one rule sees them."""

    rule: Rule
    counts: CellCounts
    seen: CellCounts
    evidence: Evidence
    clusters_assumed: bool = False

    @classmethod
    def of(
        cls,
        counts: CellCounts | Mapping[str, int],
        rule: str | Path | Rule,
        clusters: CellCounts | Mapping[str, int] | None,
        evidence: Evidence,
    ) -> _Case:
        taken = as_counts(counts)
        cluster = None if clusters is None else as_counts(clusters, what="clusters").within(taken)
        used = rule if isinstance(rule, Rule) else load_rule(rule)
        return cls(
            rule=used,
            counts=taken,
            seen=cluster if used.by_clusters and cluster is not None else taken,
            evidence=evidence,
            clusters_assumed=used.by_clusters and cluster is None and taken.stained > 0,
        )

    def table(self, *, unknown_as: str = "incomplete_moderate") -> Table:
        return Table.of(self.seen.columns(unknown_as=unknown_as))

    def draws(self) -> tuple[Table, ...]:
        """Resample the table: single cells, and by tiles where known (those are of cells, not of patches)."""
        single = multinomial_draws(self.table().rows[0])
        tiles = self.evidence.draws if self.rule.counted == "cells" else None
        kinds = (single,) if tiles is None or not len(tiles) else (single, tiles)
        return tuple(Table.of(rows) for rows in kinds)


def _scored(case: _Case, ish: Ish | None) -> Call:
    table, rule = case.table(), case.rule
    index = int(deciding(rule, table)[0])
    score, category = verdict(rule, index)
    draws = case.draws()
    ends = [_ends(case, test, table, draws[-1]) for test in rule.tests]
    path = path_to(rule, table, index)
    status, words = her2_status(score, ish, rule)
    if case.evidence.control_adequate is False:
        status, words = "indeterminate", _joined(words, "the control on the glass is not as expected")
    return Call(
        score=score,
        category=_with_ish(rule, score, category, status, ish),
        her2_status=status,
        rule={"name": rule.name, "edition": rule.edition},
        reason=_joined(f"{score} for {_reason(case, table, index, path[-1])}", words) + ".",
        path=path,
        flags=ordered_flags((*_found(case, table, index), *_unresolved(case, category, ends))),
        borderline=any(_extreme(rule, table, ends, end) != score for end in (0, 1)),
        reflex_ish=score == "2+" and _unsettled(rule, ish),
        alternatives=_alternatives(case, index, draws),
        ish=ish,
    )


def _not_scorable(case: _Case, needed: int, ish: Ish | None) -> Call:
    total, what = case.counts.total, "patches" if case.rule.counted == "patches" else "tumour cells"
    entry = PathEntry(
        f"evaluable {what} missing from the minimum of {needed}", needed - total, 0.0, holds=True
    )
    lost = ("control_inadequate",) if case.evidence.control_adequate is False else ()
    return Call(
        score=None,
        category="not_scorable",
        her2_status="indeterminate",
        rule={"name": case.rule.name, "edition": case.rule.edition},
        reason=f"Not scorable: {total} evaluable {what} of at least {needed}.",
        path=(entry,),
        flags=ordered_flags((*case.evidence.flags, *lost)),
        ish=ish,
    )


# ------------------------------------------------------------------ words


def _reason(case: _Case, table: Table, index: int, last: PathEntry) -> str:
    unit = "patches" if case.rule.counted == "patches" else "cells"
    test = case.rule.tests[min(index, len(case.rule.tests) - 1)]
    if test.counts_cells:
        return f"{last.test}: {last.value:g} of {table.total} {unit}"
    part = int(table.sums(test.of)[0])
    shown = part if index < len(case.rule.tests) else table.total - part
    round_cuts = (
        (last.threshold,) if round(last.threshold, 2) == last.threshold else ()
    )  # no cells in percent
    return f"{last.test}: {percent_text(shown, table.total, round_cuts)} % of {table.total} {unit}"


def _joined(first: str, second: str) -> str:
    return f"{first}; {second}" if first and second else first or second


# ------------------------------------------------------------------ flags, status


def _found(case: _Case, table: Table, index: int) -> list[str]:
    """Collect the flags of the evidence, of the pattern and of the counts themselves."""
    flags = [*case.evidence.flags]
    if index < len(case.rule.tests):
        flags += _of_test(case.rule.tests[index], table)
    flags += _if_present(case.rule, table, index)
    facts = {
        "few_cells": bool(case.rule.min_cells) and case.counts.total < _FEW,
        "clusters_assumed": case.clusters_assumed,
        "lateral_intensity_unknown": _lateral_matters(case, index),
        "control_inadequate": case.evidence.control_adequate is False,
    }
    return flags + [flag for flag, holds in facts.items() if holds]


def _of_test(test: RuleTest, table: Table) -> list[str]:
    mixed = bool(test.alone) and not holding(test, table.sums(test.alone), table.totals)[0]
    return [*test.flags, *(["mixture"] if mixed else [])]


def _if_present(rule: Rule, table: Table, index: int) -> list[str]:
    score = verdict(rule, index)[0]
    return [
        entry.flag
        for entry in rule.flag_if_present
        if score in entry.scores and 100 * int(table.sums(entry.of)[0]) >= entry.percent * table.total
    ]


def _lateral_matters(case: _Case, index: int) -> bool:
    if case.seen.split_known or not case.rule.needs_split:
        return False
    other = int(deciding(case.rule, case.table(unknown_as="incomplete_intense"))[0])
    return verdict(case.rule, other)[0] != verdict(case.rule, index)[0]


def _with_ish(rule: Rule, score: str, category: Category, status: Status, ish: Ish | None) -> Category:
    if ish is None:
        return category
    if status == "positive":
        return "positive"
    return rule.ish.negative_category if score == "2+" and status == "negative" else category


def _unsettled(rule: Rule, ish: Ish | None) -> bool:
    """Whether ISH must still be done: none yet, too few cells, or one probe between the limits."""
    if ish is None or (ish.cells is not None and ish.cells < rule.ish.min_cells):
        return True
    return ish.group is None and rule.ish.single[ish.band]["2+"] == "equivocal"


# ------------------------------------------------------------------ how sure


def _ends(case: _Case, test: RuleTest, table: Table, draws: Table) -> tuple[float, float]:
    """Interval of a test's value, in its own unit; a number of cells may be wrong by one cell."""
    cells = int(table.sums(test.of)[0])
    if test.counts_cells:
        return (cells - 1.0, cells + 1.0) if cells else (0.0, 0.0)
    drawn = (draws.sums(test.of), draws.totals)
    return percent_interval(cells, table.total, drawn, case.evidence.engine_bias_points)


def _extreme(rule: Rule, table: Table, ends: list[tuple[float, float]], end: int) -> str:
    """Score if every value were at that end of its interval."""
    held = [_passes(test, value[end], table.total) for test, value in zip(rule.tests, ends, strict=True)]
    return verdict(rule, next((index for index, holds in enumerate(held) if holds), len(held)))[0]


def _passes(test: RuleTest, value: float, total: int) -> bool:
    cut = float(test.threshold(total))
    return value > cut if test.op == ">" else value >= cut


def _unresolved(case: _Case, category: Category, ends: list[tuple[float, float]]) -> list[str]:
    """Whether null or ultralow cannot be told.

    The floor lies in the interval, or staining reaches its percentage but not its number of cells, or all
    of the staining may be false.
    """
    floors = [i for i, test in enumerate(case.rule.tests) if test.category == "ultralow"]
    if category not in ("null", "ultralow") or not floors:
        return []
    low, high = ends[floors[0]]
    test, total, bound = case.rule.tests[floors[0]], case.counts.total, case.evidence.false_faint_bound
    straddles = _passes(test, low, total) != _passes(test, high, total)
    share = 100 * int(case.table().sums(test.of)[0]) / total
    few = category == "null" and test.floor is not None and share >= test.floor.percent
    false = bound is not None and category == "ultralow" and low <= bound
    return ["null_ultralow_unresolved"] if straddles or few or false else []


def _alternatives(case: _Case, index: int, draws: tuple[Table, ...]) -> dict[str, float]:
    """Share of each score over the resamples that are less sure of the call; the call is one of them.

    Where an engine measured the counts, a cut-off that is near has its part, whatever sampling says.
    """
    called = verdict(case.rule, index)[0]
    shares = [_shares(case, called, table) for table in draws]
    least = min(shares, key=lambda share: share[called])
    if not case.evidence.engine_bias_points:
        return least
    return softened(least, across(case.rule, case.table(), index), called)


def _shares(case: _Case, called: str, draws: Table) -> dict[str, float]:
    moved = Table.of(shifted(draws.rows, case.evidence.engine_bias_points))
    votes = dict.fromkeys(reversed(SCORES), 0)
    votes[called] = 1  # type: ignore[index]
    for index, number in enumerate(np.bincount(deciding(case.rule, moved), minlength=1)):
        votes[verdict(case.rule, min(index, len(case.rule.tests)))[0]] += int(number)
    total = sum(votes.values())
    return {score: number / total for score, number in votes.items() if number}
