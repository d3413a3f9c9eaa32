"""The report's fields are a promise: none more, none less, none of another kind."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.case.example import report_dict

from napari_her2.case import Report, report_from_json
from napari_her2.errors import CaseError

PROMISED = [
    "schema", "call", "percent", "percent_ci95", "cells", "her2_status", "ish", "specimen", "reader", "final",
    "h_score", "coverage", "paper", "patches", "mapping", "unsure_band", "agreement", "qc", "stress",
    "models", "provenance", "disclaimer",
]  # fmt: skip
PROMISED_CALL = [
    "score", "category", "rule", "reason", "path", "flags", "borderline", "reflex_ish", "alternatives",
    "agreement",
]  # fmt: skip


def test_a_report_is_written_as_it_was_read_with_the_promised_keys_in_order() -> None:
    plain = report_dict()
    again = json.loads(report_from_json(json.dumps(plain)).to_json())
    assert again == plain
    assert list(again) == PROMISED
    assert list(again["call"]) == PROMISED_CALL


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("extra",), 1),
        (("schema",), "napari-her2/report/3"),
        (("call", "score"), "4+"),
        (("call", "category"), "high"),
        (("call", "alternatives"), {"2+": 0.5}),
        (("percent", "3+"), 101),
        (("percent", "3+"), float("nan")),
        (("cells", "evaluable"), -1),
        (("her2_status",), "maybe"),
        (("h_score",), 301),
        (("disclaimer",), "For diagnosis."),
        (("provenance", "patient"), "Jane"),
    ],
)
def test_anything_else_is_refused(where: tuple[str, ...], value: Any) -> None:
    plain = copy.deepcopy(report_dict())
    inner = plain
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(CaseError, match="not a report of schema"):
        report_from_json(json.dumps(plain))


def test_a_report_cannot_be_changed() -> None:
    report = Report.model_validate(report_dict())
    with pytest.raises(ValidationError):
        report.her2_status = "positive"


def test_not_scorable_is_a_report_too() -> None:
    call = {**report_dict()["call"], "score": None, "category": "not_scorable", "alternatives": {}}
    report = Report.model_validate(report_dict(call=call, her2_status="indeterminate"))
    assert not report.scorable
    assert report.provisional


def of_schema_1(*flags: str) -> dict[str, Any]:
    plain = copy.deepcopy(report_dict())
    del plain["stress"], plain["call"]["agreement"]
    for name in ("unread_stain", "white", "pixel_size"):
        del plain["qc"][name]
    plain["call"]["flags"] = list(flags)
    return {**plain, "schema": "napari-her2/report/1"}


@pytest.mark.parametrize(("flags", "state"), [((), "not_checked"), (("scorers_disagree",), "disagree")])
def test_a_report_of_schema_1_opens_and_says_what_was_not_looked_at(
    flags: tuple[str, ...], state: str
) -> None:
    report = report_from_json(json.dumps(of_schema_1(*flags)))
    assert report.call.agreement.state == state
    assert report.call.agreement.scorers == ()
    qc = report.qc
    assert (report.stress, qc.unread_stain, qc.white, qc.pixel_size) == ((), None, None, None)
    assert report.to_dict()["schema"] == "napari-her2/report/2"


def test_a_report_of_schema_1_may_hold_nothing_else() -> None:
    with pytest.raises(CaseError, match="not a report of schema"):
        report_from_json(json.dumps({**of_schema_1(), "extra": 1}))
