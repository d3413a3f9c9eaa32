"""The tables of cases: every boundary of every rule, every cell of the ISH tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from napari_her2.scoring import CellCounts, Ish, apply_rule

CASES = Path(__file__).resolve().parent.parent / "cases"
KEYS = {
    "ci": "complete_intense",
    "cw": "complete_weak_moderate",
    "u": "incomplete_moderate_intense",
    "um": "incomplete_moderate",
    "ui": "incomplete_intense",
    "f": "incomplete_faint",
    "n": "none",
}
SCORED = {  # counts that give each score, by rule
    "0": {"none": 1000},
    "1+": {"incomplete_faint": 600, "none": 400},
    "2+": {"complete_weak_moderate": 600, "none": 400},
    "3+": {"complete_intense": 600, "none": 400},
}


def _load(name: str) -> list[tuple[str, dict[str, Any]]]:
    table = yaml.safe_load((CASES / name).read_text(encoding="utf-8"))
    return [(rule, case) for rule, cases in table.items() for case in cases]


def _named(short: dict[str, int]) -> dict[str, int]:
    return {KEYS[key]: number for key, number in short.items()}


@pytest.mark.parametrize(
    ("rule", "case"), _load("guideline.yaml"), ids=lambda v: v if isinstance(v, str) else v["about"]
)
def test_rule_answers_the_table(rule: str, case: dict[str, Any]) -> None:
    clusters = None if "clusters" not in case else _named(case["clusters"])
    call = apply_rule(_named(case["counts"]), rule, min_cells=case.get("min_cells"), clusters=clusters)
    assert call.score == case["score"]
    found = {
        "category": call.category,
        "flags": list(call.flags),
        "borderline": call.borderline,
        "reflex": call.reflex_ish,
    }
    assert {key: found[key] for key in found if key in case} == {
        key: case[key] for key in found if key in case
    }
    assert call.path[-1].holds
    assert not any(entry.holds for entry in call.path[:-1])


@pytest.mark.parametrize(
    ("rule", "case"),
    _load("ish.yaml"),
    ids=lambda v: v if isinstance(v, str) else f"{v['group']}-{v['her2_copies']}",
)
def test_ish_table(rule: str, case: dict[str, Any]) -> None:
    given = {key: case[key] for key in ("probe", "ratio", "her2_copies", "cells", "recounted") if key in case}
    assert Ish.from_json(given).group == case["group"]
    calls = {score: apply_rule(counts, rule, ish=given) for score, counts in SCORED.items()}
    assert [call.score for call in calls.values()] == list(SCORED)
    assert [call.her2_status for call in calls.values()] == case["status"]


def test_status_without_ish() -> None:
    statuses = [apply_rule(counts).her2_status for counts in SCORED.values()]
    assert statuses == ["negative", "negative", "equivocal", "positive"]


@pytest.mark.parametrize(
    ("score", "ish", "category", "reflex"),
    [
        ("2+", {"probe": "dual", "ratio": 1.0, "her2_copies": 2.0}, "low", False),
        ("2+", {"probe": "dual", "ratio": 3.0, "her2_copies": 9.0}, "positive", False),
        ("2+", {"probe": "dual", "ratio": 1.5, "her2_copies": 5.0}, "equivocal", False),
        ("2+", {"probe": "single", "her2_copies": 5.0}, "equivocal", True),
        ("2+", {"probe": "dual", "ratio": 1.0, "her2_copies": 2.0, "cells": 12}, "equivocal", True),
        ("1+", {"probe": "dual", "ratio": 1.0, "her2_copies": 2.0}, "low", False),
        ("1+", {"probe": "dual", "ratio": 3.0, "her2_copies": 9.0}, "positive", False),
        ("0", {"probe": "dual", "ratio": 1.0, "her2_copies": 2.0}, "null", False),
        ("3+", {"probe": "dual", "ratio": 1.0, "her2_copies": 2.0}, "positive", False),
    ],
)
def test_category_with_ish(score: str, ish: dict[str, Any], category: str, reflex: bool) -> None:
    call = apply_rule(SCORED[score], ish=ish)
    assert (call.category, call.reflex_ish) == (category, reflex)


def test_too_few_cells_stay_indeterminate_with_ish() -> None:
    call = apply_rule(CellCounts(none=99), ish={"probe": "dual", "ratio": 3.0, "her2_copies": 9.0})
    assert (call.score, call.her2_status, call.alternatives) == (None, "indeterminate", {})
    assert "99 evaluable tumour cells of at least 100" in call.reason


def test_a_recount_is_asked_for_in_words() -> None:
    call = apply_rule(SCORED["2+"], ish={"probe": "dual", "ratio": 1.5, "her2_copies": 7.0})
    assert "recount" in call.reason


def test_every_reason_is_one_sentence_with_its_numbers() -> None:
    for counts in SCORED.values():
        reason = apply_rule(counts, ish={"probe": "dual", "ratio": 1.5, "her2_copies": 7.0}).reason
        assert reason.endswith(".")
        assert "1000 cells" in reason
        assert len(reason) < 400


def test_a_share_compared_with_a_number_of_cells_is_rounded() -> None:
    call = apply_rule({"complete_intense": 10, "complete_weak_moderate": 183, "none": 229})
    assert call.score == "2+"
    assert ": 2.4 % of 422 cells." in call.reason
