"""The page: everything a person must see, nothing that could run or call home."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from tests.case.example import report_dict

from napari_her2.case import Report
from napari_her2.report import (
    EXCLUDED_WORDS,
    FLAG_WORDS,
    PROVISIONAL,
    Picture,
    draw_labels,
    draw_outlines,
    render_page,
)
from napari_her2.vocabulary import EXCLUDED_REASONS, FLAGS, RASTER_LABELS


class _Checker(HTMLParser):
    """Collects tags, attributes and texts; sees that what opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(pictures: tuple[Picture, ...] = (), **changes: Any) -> _Checker:
    checker = _Checker()
    checker.feed(render_page(Report.model_validate(report_dict(**changes)), pictures))
    checker.close()
    assert checker.open == []
    return checker


def call(**changes: Any) -> dict[str, Any]:
    return {**report_dict()["call"], **changes}


def test_a_person_finds_the_call_with_its_reasons() -> None:
    text = page().text
    for expected in (
        "2+", "HER2 status: equivocal", "ASCO/CAP 2018, affirmed 2023", "35.0 % (30.0 to 40.0)", PROVISIONAL,
        "intense complete staining > 10 %", "2+ 97%", "400", "unsure_gate", "he.ome.tif", "9.0 µm",
        "For research use only; not for diagnosis.", "asks for in-situ hybridisation", "0" * 64,
    ):  # fmt: skip
        assert expected in text, expected


def test_a_confirmed_area_is_not_provisional() -> None:
    assert PROVISIONAL not in page(call=call(flags=[])).text


def test_not_scorable_says_so() -> None:
    changed = call(score=None, category="not_scorable", alternatives={}, reason="Only 12 tumour cells.")
    cells = {"evaluable": 0, "excluded": {}, "by_class": dict.fromkeys(("3+", "2+", "unusual", "1+", "0"), 0)}
    found = page(
        call=changed, her2_status="indeterminate", cells=cells, mapping=None, paper=None, h_score=None
    )
    assert "not scorable" in found.text
    assert "Only 12 tumour cells." in found.text
    assert "svg" not in found.tags


def test_nothing_on_the_page_can_run_or_call_home() -> None:
    evil = '<script>alert("x")</script>&<img src=http://evil>'
    provenance = copy.deepcopy(report_dict()["provenance"])
    provenance["slides"][0]["name"] = evil
    provenance["settings"]["specimen"] = {"value": {evil: evil}, "source": evil}
    specimen = {**report_dict()["specimen"], "specimen": evil}
    picture = Picture(evil, evil, np.zeros((4, 4, 3), np.uint8))
    found = page((picture,), call=call(reason=evil, flags=[evil]), provenance=provenance, specimen=specimen)
    assert "script" not in found.tags
    assert found.text.count(evil) >= 6
    assert all(link.startswith("data:image/jpeg;base64,") for link in found.links)
    raw = render_page(Report.model_validate(report_dict()))
    assert not re.search(r"https?://|@import|url\(", raw)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_explained(flag: str) -> None:
    assert FLAG_WORDS[flag] in page(call=call(flags=[flag])).text


def test_every_reason_to_leave_a_cell_out_is_explained() -> None:
    assert set(EXCLUDED_WORDS) == set(EXCLUDED_REASONS) - {""}


def test_ish_and_reader_are_shown_where_given() -> None:
    ish = {"probe": "dual", "ratio": 2.4, "her2_copies": 6.1, "cells": 40, "recounted": False, "group": 1}
    reader = {
        "score": "2+",
        "her2_status": "positive",
        "reader": "R1",
        "time": "2026-11-21T12:00:00+00:00",
        "blind": True,
        "reason": "ISH amplified",
    }
    text = page(ish=ish, reader=reader).text
    assert "6.1" in text
    assert "ISH amplified" in text
    assert "In-situ" not in page().text


def test_pictures_are_inside_the_page() -> None:
    rgb = np.full((30, 40, 3), 200, np.uint8)
    found = page((Picture("H&E", "outlined", rgb),))
    assert len(found.links) == 1
    assert "H&E" in found.text


def test_outlines_and_labels_lie_where_they_belong() -> None:
    rgb = np.full((40, 40, 3), 255, np.uint8)
    ring = np.array([[10.0, 10.0], [10.0, 30.0], [30.0, 30.0], [30.0, 10.0]])
    drawn = draw_outlines(rgb, [ring], "#FF0000")
    assert drawn[10, 20].tolist() == [255, 0, 0]
    assert drawn[20, 20].tolist() == [255, 255, 255]
    assert (rgb == 255).all(), "the picture itself is unchanged"
    labels = np.zeros((20, 20), np.uint8)
    labels[10:] = RASTER_LABELS["3+"]
    labels[:, 10:] = RASTER_LABELS["unsure"]
    shown = draw_labels(rgb, labels, opacity=1.0)
    assert shown[30, 5].tolist() == [0xD7, 0x30, 0x27]
    assert shown[30, 30].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("share", "said"), [(0.32, False), (0.4, True), (None, False)])
def test_much_left_out_as_no_epithelium_is_said(share: float | None, said: bool) -> None:
    cells = report_dict()["cells"] | {"not_epithelial_share": share, "in_doubt": 31}
    text = page(cells=cells).text
    assert ("40 % of the nuclei in the scored area were left out" in text) is said
    assert "of these in doubt" in text
    assert "of these in doubt" not in page(cells=cells | {"in_doubt": 0}).text
