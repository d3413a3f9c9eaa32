"""How easily a measured share falls on the other side of a cut-off: what sampling alone does not say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from napari_her2.scoring.decide import holding, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.scoring.decide import Table
    from napari_her2.scoring.guideline import Rule, RuleTest
    from napari_her2.vocabulary import Score

__all__ = ["across", "softened"]

SPREAD: Final = 0.35
"""Standard deviation of the log odds of a measured share (choice): 10 % may be 7 or 14 %."""
LEAST: Final = 0.001
"""Smaller probabilities are left out."""
MOST: Final = 0.5
"""What the other scores may take together: the called one stays the likeliest."""


def across(rule: Rule, table: Table, index: int) -> dict[Score, float]:
    """Probability of each neighbouring score, were the measured shares off by chance.

    Parameters
    ----------
    rule : Rule
    table : Table
        Of one row.
    index : int
        Of the test that decides.
    """
    called = verdict(rule, index)[0]
    found: dict[Score, float] = {}
    for at, test in enumerate(rule.tests[: index + 1]):
        score = verdict(rule, at)[0] if at < index else _below(rule, table, index)
        if score != called and test.percent is not None:
            found[score] = max(found.get(score, 0.0), _crossing(test, table))
    return {score: p for score, p in found.items() if p >= LEAST}


def softened(shares: Mapping[str, float], beyond: Mapping[Score, float], called: str) -> dict[str, float]:
    """Give neighbouring scores at least their probability by nearness; all sum to 1."""
    others = {score: p for score, p in shares.items() if score != called}
    for score, p in beyond.items():
        others[score] = max(others.get(score, 0.0), p)
    total = sum(others.values())
    limit = max(1 - shares[called], MOST)
    scale = min(limit / total, 1.0) if total else 1.0
    kept = {score: p * scale for score, p in others.items()}
    return {called: 1 - sum(kept.values()), **kept}


def _below(rule: Rule, table: Table, index: int) -> Score:
    """Score if the deciding test did not hold."""
    rest = range(index + 1, len(rule.tests))
    held = (k for k in rest if holding(rule.tests[k], table.sums(rule.tests[k].of), table.totals)[0])
    return verdict(rule, next(held, len(rule.tests)))[0]


def _crossing(test: RuleTest, table: Table) -> float:
    cells, total = int(table.sums(test.of)[0]), table.total
    share, cut = (cells + 0.5) / (total + 1), float(test.percent or 0) / 100
    if not 0 < cut < 1:
        return 0.0
    apart = abs(math.log(share / (1 - share)) - math.log(cut / (1 - cut)))
    return 0.5 * math.erfc(apart / SPREAD / math.sqrt(2))
