"""What must hold for any counts."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.scoring import (
    Call,
    CellCounts,
    apply_rule,
    list_rules,
    load_rule,
    percent_text,
    what_would_flip,
)
from napari_her2.scoring.decide import Table, deciding, verdict
from napari_her2.vocabulary import FLAGS, SCORES

RULES = [rule.name for rule in list_rules()]
# Each class is listed with the classes that are stronger for the rule's tissue.
KEYS = (  # each kind may become any later one, except that breast and gastric rules rank the fourth apart
    "none",
    "incomplete_faint",
    "incomplete_moderate",
    "incomplete_intense",
    "complete_weak_moderate",
    "complete_intense",
)
STRONGER = {key: KEYS[place + 1 :] for place, key in enumerate(KEYS[:-1])}
STRONGER["incomplete_intense"] = ("complete_intense",)

number = st.one_of(st.integers(0, 30), st.integers(0, 3000))
split_counts = st.fixed_dictionaries(dict.fromkeys(KEYS, number))


def rank(counts: dict[str, int], rule: str) -> int:
    score = apply_rule(counts, rule, min_cells=1).score
    return -1 if score is None else SCORES.index(score)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=80, deadline=None)
@given(counts=split_counts, data=st.data())
def test_a_stronger_cell_never_lowers_the_score(
    rule: str, counts: dict[str, int], data: st.DataObject
) -> None:
    weak = data.draw(st.sampled_from([key for key in STRONGER if counts[key]] or ["none"]))
    strong = data.draw(st.sampled_from(STRONGER[weak]))
    moved = data.draw(st.integers(0, counts[weak]))
    changed = counts | {weak: counts[weak] - moved, strong: counts[strong] + moved}
    assert rank(changed, rule) >= rank(counts, rule)


@pytest.mark.parametrize("rule", ["asco-cap-breast-2023", "gastric-resection", "paper-max"])
@settings(max_examples=60, deadline=None)
@given(
    shares=st.lists(st.one_of(st.just(0), st.integers(10, 1000)), min_size=5, max_size=5).filter(
        lambda shares: sum(shares) >= 100 and all(100 * s >= sum(shares) for s in shares if s)
    ),
    factor=st.integers(2, 50),
)
def test_the_score_is_free_of_scale(rule: str, shares: list[int], factor: int) -> None:
    keys = (
        "complete_intense",
        "complete_weak_moderate",
        "incomplete_moderate_intense",
        "incomplete_faint",
        "none",
    )
    once = apply_rule(dict(zip(keys, shares, strict=True)), rule)
    more = apply_rule({key: share * factor for key, share in zip(keys, shares, strict=True)}, rule)
    assert (once.score, once.category) == (more.score, more.category)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(counts=split_counts, min_cells=st.integers(1, 200))
def test_every_call_keeps_its_promises(rule: str, counts: dict[str, int], min_cells: int) -> None:
    call = apply_rule(counts, rule, min_cells=min_cells)
    assert call.path[-1].holds
    assert not any(entry.holds for entry in call.path[:-1])
    assert set(call.flags) <= set(FLAGS)
    assert len(set(call.flags)) == len(call.flags)
    if call.score is None:
        assert (call.category, call.alternatives, call.her2_status) == ("not_scorable", {}, "indeterminate")
        return
    assert sum(call.alternatives.values()) == pytest.approx(1, abs=1e-9)
    assert call.alternatives[call.score] > 0
    assert all(probability > 0 for probability in call.alternatives.values())


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None)
@given(counts=split_counts)
def test_a_call_survives_json(rule: str, counts: dict[str, int]) -> None:
    ish: dict[str, Any] = {"probe": "dual", "ratio": 1.4, "her2_copies": 5.0, "cells": 40, "recounted": True}
    call = apply_rule(counts, rule, ish=ish)
    written = json.dumps(call.to_json(), allow_nan=False)
    assert Call.from_json(json.loads(written)) == call


@settings(max_examples=60, deadline=None)
@given(counts=split_counts)
def test_counts_survive_json(counts: dict[str, int]) -> None:
    taken = CellCounts.from_json(counts)
    assert CellCounts.from_json(json.loads(json.dumps(taken.to_json()))) == taken
    assert taken.total == sum(counts.values())
    assert 0 <= taken.h_score <= 300
    assert sum(taken.percent.values()) == pytest.approx(100 if taken.total else 0)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None)
@given(counts=split_counts)
def test_flips_flip_and_one_cell_less_does_not(rule: str, counts: dict[str, int]) -> None:
    start = rank(counts, rule)
    for flip in what_would_flip(counts, rule):
        moved = dict(counts)
        for key, cells in flip.taken_from.items():
            moved[key] -= cells
        moved[flip.to] += flip.cells
        assert sum(flip.taken_from.values()) == flip.cells > 0
        assert SCORES[rank(moved, rule)] == flip.score
        moved[flip.to] -= 1
        moved[next(iter(flip.taken_from))] += 1
        assert flip.cells > 1 or rank(moved, rule) == start


@settings(max_examples=200, deadline=None)
@given(total=st.integers(1, 10**9), part=st.integers(0, 10**9))
def test_a_shown_percentage_stays_on_its_side(total: int, part: int) -> None:
    part = min(part, total)
    shown = float(percent_text(part, total))
    assert (shown > 10) == (10 * part > total)
    assert (shown < 10) == (10 * part < total)
    assert shown == pytest.approx(100 * part / total, abs=0.05 + 1e-9)


@settings(max_examples=200, deadline=None)
@given(total=st.integers(100, 10**8), offset=st.integers(-2, 2))
def test_no_rounding_at_ten_per_cent(total: int, offset: int) -> None:
    part = min(max(total // 10 + offset, 0), total)
    call = apply_rule({"complete_intense": part, "none": total - part}, min_cells=1)
    assert (call.score == "3+") == (10 * part > total)
    assert call.path[0].holds == (call.path[0].value > call.path[0].threshold)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=12, deadline=None)
@given(cells=st.lists(st.integers(0, 5), min_size=8, max_size=12))
def test_no_smaller_change_flips(rule: str, cells: list[int]) -> None:
    """Against every re-classing that there is, step by step."""
    keys = KEYS
    start = tuple(cells.count(kind) for kind in range(6))
    base = rank(dict(zip(keys, start, strict=True)), rule)
    flips = {
        SCORES.index(flip.score) > base: flip.cells
        for flip in what_would_flip(dict(zip(keys, start, strict=True)), rule)
    }
    seen, edge = {start}, {start}
    nearest: dict[bool, int] = {}
    for steps in (1, 2, 3):
        edge = {state for old in edge for state in neighbours(old)} - seen
        seen |= edge
        for found in {rank_quickly(dict(zip(keys, state, strict=True)), rule) for state in edge} - {base}:
            nearest.setdefault(found > base, steps)
    assert {up: number for up, number in flips.items() if number <= 3} == nearest


def neighbours(state: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All tables that one re-classed cell leads to."""
    moves = [(a, b) for a in range(6) for b in range(6) if a != b and state[a]]
    return [tuple(n - (i == a) + (i == b) for i, n in enumerate(state)) for a, b in moves]


@cache
def _rank_of(numbers: tuple[tuple[str, int], ...], rule: str) -> int:
    table = Table.of(CellCounts.from_json(dict(numbers)).columns())
    chosen = load_rule(rule)
    return SCORES.index(verdict(chosen, int(deciding(chosen, table)[0]))[0])


def rank_quickly(counts: dict[str, int], rule: str) -> int:
    return _rank_of(tuple(counts.items()), rule)
