"""The page as PDF on A4, by reportlab: no browser, no fonts from elsewhere, equal content, equal bytes."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any, Final

from napari_her2.report.blocks import Bars, Bullets, CallBox, Pictures, Rows, Section, Text
from napari_her2.report.content import PageParts, sheet_of
from napari_her2.report.pdf_parts import (
    BODY,
    BOLD,
    bars_drawing,
    call_table,
    fonts,
    legend_line,
    picture_rows,
    printable,
    rows_table,
    styles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2.case import Report
    from napari_her2.report.blocks import Block, Sheet

__all__ = ["render_pdf"]

MARGIN_MM: Final = (14.0, 15.0)
PADDING: Final = 6.0
"""Of the library's frame, in points."""


def render_pdf(report: Report, parts: PageParts | None = None) -> bytes:
    """Return the report as PDF.

    Parameters
    ----------
    report : Report
    parts : PageParts, optional
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    fonts()
    sheet = sheet_of(report, parts or PageParts())
    buffer = io.BytesIO()
    side, top = MARGIN_MM
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=side * mm,
        rightMargin=side * mm,
        topMargin=top * mm,
        bottomMargin=(top + 4) * mm,
        title=printable(sheet.title),
        author="napari-her2",
        subject=sheet.footer,
        invariant=1,
    )
    document.build(list(_story(sheet, document.width - 2 * PADDING)), canvasmaker=_canvas(sheet.footer))
    return buffer.getvalue()


def _story(sheet: Sheet, width: float) -> Iterator[Any]:
    from reportlab.platypus import Paragraph

    look = styles()
    yield Paragraph(escape(printable(sheet.heading)), look["title"])
    yield Paragraph(escape(printable(sheet.subtitle)), look["soft"])
    for section in sheet.sections:
        yield from _section(section, width)


def _section(section: Section, width: float) -> Iterator[Any]:
    """Give the parts of a section; its heading stays with what follows."""
    from reportlab.platypus import CondPageBreak, Paragraph

    parts = [part for block in section.blocks for part in _block(block, width)]
    if section.title:
        yield CondPageBreak(90)
        yield Paragraph(escape(printable(section.title)), styles()["section"])
    yield from parts


def _block(block: Block, width: float) -> list[Any]:
    from reportlab.platypus import Paragraph

    look = styles()
    match block:
        case Text():
            return [Paragraph(escape(printable(block.text)), look[block.kind])]
        case Rows():
            return [rows_table(block, width)]
        case Bullets():
            return [
                Paragraph(escape(printable(item)), look["bullet"], bulletText="•") for item in block.items
            ]
        case Bars():
            return [bars_drawing(block, width)]
        case CallBox():
            return [call_table(block, width)]
        case Pictures():
            below = [legend_line(width)] if block.legend else []
            return [*picture_rows(block.pictures, width, block.columns), *below]


def _canvas(footer: str) -> type:
    """Return a canvas that writes the footer and ``page n of m`` once the number of pages is known."""
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):
        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **how)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._kept, 1):
                self.__dict__.update(state)
                self._footer(number, len(self._kept))
                super().showPage()
            super().save()

        def _footer(self, number: int, of: int) -> None:
            side, top = MARGIN_MM
            width = self._pagesize[0]
            self.setStrokeGray(0.8)
            self.line(side * mm, top * mm, width - side * mm, top * mm)
            self.setFillGray(0.1)
            self.setFont(BOLD, 8)
            self.drawString(side * mm, (top - 4.5) * mm, printable(footer))
            self.setFont(BODY, 8)
            self.drawRightString(width - side * mm, (top - 4.5) * mm, f"page {number} of {of}")

    return Numbered
