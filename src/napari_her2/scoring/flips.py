"""How far a call is from its neighbours, in cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.scoring.counts import COLUMNS, CellCounts, as_counts
from napari_her2.scoring.decide import Table, deciding, verdict
from napari_her2.scoring.guideline import DEFAULT_RULE, Rule
from napari_her2.scoring.rule_files import load_rule
from napari_her2.vocabulary import SCORES, Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Flip", "what_would_flip"]

_SPLIT = ("incomplete_moderate", "incomplete_intense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The least that would change a call to another score.

    Attributes
    ----------
    score : str
        The score it would become.
    cells : int
        How many cells would have to be taken for another kind; no smaller number does it.
    to : str
        The kind they would become.
    taken_from : dict of str to int
        Which cells, by their kind now.
    """

    score: Score
    cells: int
    to: str
    taken_from: dict[str, int]

    def to_json(self) -> dict[str, object]:
        """Return the object of a report."""
        return {"score": self.score, "cells": self.cells, "to": self.to, "from": dict(self.taken_from)}


def what_would_flip(
    counts: CellCounts | Mapping[str, int],
    rule: str | Path | Rule = DEFAULT_RULE,
    *,
    clusters: CellCounts | Mapping[str, int] | None = None,
) -> tuple[Flip, ...]:
    """Smallest number of cells whose re-classing leads to the next score up, and to the next down.

    Where several re-classings need as few cells, the one between the most alike kinds is told. The order
    is up, then down; a direction that no re-classing reaches is absent. For biopsies the cells are those
    of the cluster (and cells that would join it).
    """
    used = rule if isinstance(rule, Rule) else load_rule(rule)
    taken = as_counts(counts)
    seen = (
        taken
        if clusters is None or not used.by_clusters
        else as_counts(clusters, what="clusters").within(taken)
    )
    columns = seen.columns()
    if not columns.sum():
        return ()
    rank = _rank(used, columns)
    names = _names(seen)
    best: dict[bool, tuple[int, _Way]] = {}
    for way in _ways(used, names):
        cells = _least(used, columns, way, rank)
        if cells is not None and (way.up not in best or cells < best[way.up][0]):
            best[way.up] = cells, way
    return tuple(_flip(used, columns, *best[up], names) for up in (True, False) if up in best)


@dataclass(frozen=True, slots=True)
class _Way:
    """Cells become ``to``; they are taken from the columns of ``order``, one after the other."""

    up: bool
    to: int
    order: tuple[int, ...]


def _names(seen: CellCounts) -> tuple[str, ...]:
    """Names of the columns; where the split is not known both parts bear the name of the sum."""
    if seen.incomplete_intense is not None:
        return COLUMNS
    return tuple("incomplete_moderate_intense" if name in _SPLIT else name for name in COLUMNS)


def _ways(rule: Rule, names: tuple[str, ...]) -> Iterator[_Way]:
    """Re-classings to each kind: from the nearest kinds first (told if equal), then from the farthest.

    Kinds are ordered by how many tests count them, which is how strong the rule takes them to be.
    """
    order = sorted(range(len(names)), key=lambda c: (sum(c in test.of for test in rule.tests), c))
    targets = [c for c in order if names.index(names[c]) == c]  # a sum that is not split is one kind
    for up, aims in ((True, targets), (False, targets[::-1])):
        for to in aims:
            place = order.index(to)
            sources = tuple(order[:place][::-1] if up else order[place + 1 :])
            yield _Way(up, to, sources)
            yield _Way(up, to, sources[::-1])


def _least(rule: Rule, columns: NDArray[np.int64], way: _Way, rank: int) -> int | None:
    """Fewest cells along one way that reach another score, by bisection: scores never turn back."""
    most = int(columns[list(way.order)].sum())
    if not most or not _beyond(_rank(rule, _moved(columns, way, most)), rank, up=way.up):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if _beyond(_rank(rule, _moved(columns, way, middle)), rank, up=way.up):
            high = middle
        else:
            low = middle
    return high


def _flip(rule: Rule, columns: NDArray[np.int64], cells: int, way: _Way, names: tuple[str, ...]) -> Flip:
    moved = _moved(columns, way, cells)
    taken = {names[c]: int(columns[c] - moved[c]) for c in way.order if columns[c] > moved[c]}
    return Flip(score=SCORES[_rank(rule, moved)], cells=cells, to=names[way.to], taken_from=taken)


def _moved(columns: NDArray[np.int64], way: _Way, cells: int) -> NDArray[np.int64]:
    moved, left = columns.copy(), cells
    for source in way.order:
        taken = min(left, int(columns[source]))
        moved[source] -= taken
        left -= taken
    moved[way.to] += cells
    return moved


def _beyond(rank: int, start: int, *, up: bool) -> bool:
    return rank > start if up else rank < start


def _rank(rule: Rule, columns: NDArray[np.int64]) -> int:
    return SCORES.index(verdict(rule, int(deciding(rule, Table.of(columns))[0]))[0])
