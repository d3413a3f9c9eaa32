"""The printed page: A4, readable text, pictures inside, nothing that could run; read by PDFium."""

from __future__ import annotations

from typing import Any

import numpy as np
import pypdfium2
import pytest
from tests.case.example import report_dict

from napari_her2.case import Report
from napari_her2.report import PageParts, Picture, render_page, render_pdf
from napari_her2.report.pdf_parts import printable

A4 = (595.28, 841.89)
SHA = "c0ffee" * 10 + "beef"


def a_report(**changes: Any) -> Report:
    model = {
        "name": "stain-tiny", "sha256": SHA, "um_per_px": 0.5, "licence": "BSD-3-Clause",
        "trained_on": "phantoms", "metrics": {"kappa": [0.8, 0.7, 0.9]},
    }  # fmt: skip
    return Report.model_validate(report_dict(**{"models": [model], **changes}))


def some_parts() -> PageParts:
    rng = np.random.default_rng(0)
    maps = [
        Picture(f"Map {k}", "whole slide", rng.integers(0, 255, (90, 120, 3), np.uint8)) for k in range(3)
    ]
    fields = [Picture(f"Field {k}", "20x", np.full((80, 80, 3), 40 * k, np.uint8)) for k in range(6)]
    edits = [
        {"time": "2026-11-21T10:00:00+00:00", "who": "Dr A", "act": "paint", "after": "3+"},
        {"time": "2026-11-21T10:05:00+00:00", "who": "Dr A", "act": "paint", "after": "2+"},
        {"time": "2026-11-21T11:00:00+00:00", "who": "Dr B", "act": "override", "before": {"score": "2+"},
         "after": {"score": "3+"}, "reason": "clusters"},
    ]  # fmt: skip
    return PageParts(maps=maps, fields=fields, edits=edits, seal="Sealed by Dr B.")


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


EXPECTED = (
    "2+", "HER2 status: equivocal", "35.0 % (30.0 to 40.0)", "intense complete staining > 10 %",
    "Provisional: tumour area not confirmed", "he.ome.tif", "9.0 µm",
    "For research use only; not for diagnosis.",
    "Antibody clone", "not entered", "equivocal (score 2+)", "Dr B", "clusters", "Sealed by Dr B.",
    "kappa 0.8 (0.7 to 0.9)", "Map 2", "Field 5", "400",
)  # fmt: skip


def test_the_printed_page_says_what_the_other_says() -> None:
    report, parts = a_report(), some_parts()
    text = " ".join(text_of(render_pdf(report, parts)).split())
    html = render_page(report, parts=parts)
    for words in EXPECTED:
        assert words in text, words
        assert words.replace(">", "&gt;") in html, words
    joined = text.replace(" ", "")
    assert SHA in joined, "the hash of the weights, in two lines"
    assert "score 2+ → score 3+ (clusters)" in html
    assert "score 2+ to score 3+ (clusters)" in text, "the fonts have no arrow"


def test_pages_are_a4_numbered_and_none_is_empty() -> None:
    document = pypdfium2.PdfDocument(render_pdf(a_report(), some_parts()))
    try:
        assert len(document) >= 2
        for number, page in enumerate(document, 1):
            assert page.get_size() == pytest.approx(A4, abs=0.5)
            text = page.get_textpage().get_text_bounded()
            assert f"page {number} of {len(document)}" in text
            assert "For research use only" in text
            pixels = page.render(scale=0.5).to_numpy()
            assert (pixels.min(axis=-1) < 250).mean() > 0.005
        images = sum(
            1
            for page in document
            for item in page.get_objects()
            if item.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
        )
        assert images == 9
    finally:
        document.close()


def test_a_case_that_cannot_be_scored_is_printed_too() -> None:
    call = {**report_dict()["call"], "score": None, "category": "not_scorable", "alternatives": {}}
    cells = {"evaluable": 0, "excluded": {}, "by_class": dict.fromkeys(("3+", "2+", "unusual", "1+", "0"), 0)}
    text = text_of(render_pdf(a_report(call=call, cells=cells, mapping=None, her2_status="indeterminate")))
    assert "not scorable" in text
    assert "cannot be determined" in text


def test_equal_cases_give_equal_bytes() -> None:
    assert render_pdf(a_report(), some_parts()) == render_pdf(a_report(), some_parts())


def test_foreign_words_are_neither_markup_nor_fatal() -> None:
    evil = '<b>&amp;</para><img src="x"/> "ß ł Д 病'
    call = {**report_dict()["call"], "reason": evil, "flags": [evil]}
    text = text_of(render_pdf(a_report(call=call)))
    assert "<b>&amp;</para>" in text
    assert "ß ł ? ?" in text
    assert printable("a\u202fb → c") == "a b to c"


def test_nothing_in_the_file_can_run() -> None:
    data = render_pdf(a_report(), some_parts())
    for word in (b"/JavaScript", b"/JS", b"/Launch", b"/URI", b"/EmbeddedFile"):
        assert word not in data


def test_what_is_missing_is_said_to_be_missing() -> None:
    html = render_page(a_report())
    assert html.count("not entered") >= 4
    entered = {**report_dict()["specimen"], "antibody_clone": "4B5", "controls_adequate": True}
    html = render_page(a_report(specimen=entered))
    assert "4B5" in html
    assert "adequate" in html
