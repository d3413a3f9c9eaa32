"""The page a person reads."""

from __future__ import annotations

from napari_her2.report.content import PageParts
from napari_her2.report.evaluation import render_evaluation
from napari_her2.report.page import render_page
from napari_her2.report.pdf import render_pdf
from napari_her2.report.pictures import Picture, draw_labels, draw_outlines
from napari_her2.report.readers import render_readers
from napari_her2.report.words import CATEGORY_WORDS, EXCLUDED_WORDS, FLAG_WORDS, PROVISIONAL

__all__ = [
    "CATEGORY_WORDS",
    "EXCLUDED_WORDS",
    "FLAG_WORDS",
    "PROVISIONAL",
    "PageParts",
    "Picture",
    "draw_labels",
    "draw_outlines",
    "render_evaluation",
    "render_page",
    "render_pdf",
    "render_readers",
]
