"""What people did, in words: no code word of an act reaches the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.case.example import report_dict

import napari_her2
from napari_her2.case import Report
from napari_her2.report import PageParts, render_page
from napari_her2.report.people import ACT_WORDS, CORRECTION_WORDS, people_blocks

TIME = "2026-11-21T10:05:09+00:00"
ENTRIES: list[dict[str, Any]] = [
    {"act": "paint", "mask": "ihc_her2", "tool": "magic_wand", "after": {"3+": 120, "unsure": 4}},
    {"act": "undo", "mask": "ihc_her2", "of": 1},
    {
        "act": "areas",
        "areas": "he",
        "tool": "draw",
        "before": [],
        "after": [{"class": "In situ", "mm2": 0.2}],
    },
    {"act": "cells", "cells": 3, "before": {"2+": 2, "1+": 1}, "after": "exclude"},
    {"act": "undo-cells"},
    {"act": "field", "after": "accepted", "comment": "fine here"},
    {"act": "tumour_area", "after": {"areas": 2, "left_out": 1}},
    {"act": "sign", "before": None, "after": "3+", "reason": "clusters"},
]  # fmt: skip
EDITS = [
    {"what": "ihc_exclusions", "mm2": {"fold": 0.1}, "changed_cells": 312,
     "by": [{"who": "Dr A", "acts": 4, "first": TIME, "last": "2026-11-21T10:40:00+00:00"}]},
    {"what": "tumour_area", "file": "roi.geojson", "by": []},
]  # fmt: skip


def report(**changes: Any) -> Report:
    values = report_dict(**changes)
    values["provenance"] = {**values["provenance"], "edits": EDITS}
    return Report.model_validate(values)


def test_every_act_that_the_program_logs_has_words() -> None:
    """Acts are looked for in the source, so that a new one without words fails here."""
    sources = [path.read_text(encoding="utf-8") for path in Path(napari_her2.__file__).parent.rglob("*.py")]
    logged = {
        act
        for text in sources
        if "log.append(" in text or "_log(" in text or "def cell_entry" in text
        for act in re.findall(r'\{"act": "([a-z_-]+)"', text)
    }
    assert {"cells", "sign", "areas"} - {"cells"} <= logged
    assert logged <= set(ACT_WORDS)


def test_no_code_word_reaches_the_page() -> None:
    entries = [{"time": TIME, "who": "Dr B", **entry} for entry in ENTRIES]
    page = render_page(report(), parts=PageParts(edits=entries))
    text = re.sub(r"<[^>]+>", " ", page[page.index("What people corrected") :])
    text = text[: text.index("Other views")]
    for code in (
        "ihc_",
        "he_",
        "undo-",
        "tumour_area",
        "magic_wand",
        "exclude",
        "left_out",
        "3fa9",
        "corners",
        "{",
        "None",
    ):
        assert code not in text
    for words in (
        "Mask of exclusions on the IHC", "Dr A", "2026-11-21 10:05 to 10:40", "312",
        "Tumour area, drawn or confirmed", "not named",
        "painted: HER2 classes on the IHC", "magic wand: 3+, unsure", "drew or changed areas on the H&amp;E",
        "3 cells: 2+ 2, 1+ 1 → left out", "In situ 0.2 mm²", "accepted (fine here)",
        "areas 2, left out 1", "3+ (clusters)",
    ):  # fmt: skip
        assert words in text, words


def test_a_case_that_nobody_touched_says_nothing() -> None:
    untouched = Report.model_validate(report_dict())
    assert people_blocks(untouched, ()) == ()


@pytest.mark.parametrize(("time", "older"), [("2020-01-01T00:00:00+00:00", True), ("2999-01-01", False)])
def test_a_signature_older_than_the_numbers_is_said_to_be(time: str, older: bool) -> None:
    word = {"score": "2+", "her2_status": "equivocal"}
    signed = {**word, "reader": "Dr A", "time": time, "blind": True, "reason": ""}
    page = render_page(Report.model_validate(report_dict(reader=signed, final=word)))
    assert ("before this run" in page) == older
    assert "Before seeing the program" in page
    assert "her2_status" not in page


def test_corrections_of_a_run_have_words() -> None:
    from napari_her2.pipeline.correcting import WHAT

    assert set(WHAT) == set(CORRECTION_WORDS)
