"""The parts of the printed page: fonts, styles, tables, bars, pictures."""

from __future__ import annotations

import io
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.report.blocks import Bars, CallBox, Rows
    from napari_her2.report.pictures import Picture

__all__ = [
    "BODY",
    "BOLD",
    "bars_drawing",
    "call_table",
    "fonts",
    "legend_line",
    "picture_rows",
    "printable",
    "rows_table",
    "styles",
]

BODY: Final = "Vera"
BOLD: Final = "VeraBd"
CODE: Final = "Courier"
INK, SOFT, LINE = "#1b1f24", "#5b6470", "#d8dde3"
WARN, WARN_PAPER = "#8a4b00", "#fff4e0"
CUTOFF: Final = 10.0
GAP: Final = 10.0
TALLEST: Final = 204.0
"""Of a picture, in points: three rows with captions fill a page."""
_WORDS: Final = {"→": "to", "≥": ">=", "≤": "<=", "…": "...", "\N{MINUS SIGN}": "-", "\u202f": " "}


@cache
def fonts() -> frozenset[int]:
    """Register the fonts that come with reportlab; return the characters they have."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = [TTFont(name, f"{name}.ttf") for name in (BODY, BOLD)]
    for font in found:
        pdfmetrics.registerFont(font)
    pdfmetrics.registerFontFamily(BODY, normal=BODY, bold=BOLD, italic=BODY, boldItalic=BOLD)
    return frozenset(found[0].face.charToGlyph) & frozenset(found[1].face.charToGlyph)


def printable(text: object) -> str:
    """Return a text in characters that the fonts have; others become words, or ``?``."""
    known = fonts()
    return "".join(c if ord(c) in known else _WORDS.get(c, " " if c.isspace() else "?") for c in str(text))


@cache
def styles() -> dict[str, Any]:
    """Return paragraph styles by name."""
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    fonts()
    plain = ParagraphStyle(
        "plain", fontName=BODY, fontSize=9, leading=12, textColor=HexColor(INK), spaceAfter=3
    )
    small = ParagraphStyle("cell", plain, fontSize=8, leading=10, spaceAfter=0, splitLongWords=1)
    large = ParagraphStyle("section", plain, fontName=BOLD, fontSize=10.5, leading=13, spaceBefore=9)
    soft = ParagraphStyle("soft", plain, textColor=HexColor(SOFT), fontSize=8, leading=10.5)
    return {
        "plain": plain,
        "soft": soft,
        "title": ParagraphStyle("title", plain, fontName=BOLD, fontSize=14, leading=18),
        "section": ParagraphStyle("section", large, spaceAfter=4, keepWithNext=1),
        "heading": ParagraphStyle("heading", plain, fontName=BOLD, spaceBefore=6, keepWithNext=1),
        "banner": ParagraphStyle(
            "banner", plain, fontName=BOLD, textColor=HexColor(WARN), backColor=HexColor(WARN_PAPER),
            borderColor=HexColor("#e6c48a"), borderWidth=0.7, borderPadding=5, spaceBefore=8, spaceAfter=8,
        ),
        "bullet": ParagraphStyle("bullet", plain, leftIndent=11, bulletIndent=2),
        "cell": small,
        "cell_bold": ParagraphStyle("cell_bold", small, fontName=BOLD),
        "number": ParagraphStyle("number", small, alignment=2),
        "number_bold": ParagraphStyle("number_bold", small, fontName=BOLD, alignment=2),
        "code": ParagraphStyle("code", small, fontName=CODE, fontSize=7, leading=9),
        "caption": ParagraphStyle("caption", soft, spaceBefore=2, spaceAfter=6),
        "headline": ParagraphStyle("headline", plain, fontName=BOLD, fontSize=13, leading=17),
        "score": ParagraphStyle("score", plain, fontName=BOLD, fontSize=34, leading=40, alignment=1),
        "no_score": ParagraphStyle("no_score", plain, fontName=BOLD, fontSize=13, leading=17, alignment=1),
    }  # fmt: skip


def rows_table(block: Rows, width: float) -> Any:
    """Return a table that breaks between pages and repeats its head."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import LongTable, TableStyle

    look = styles()

    def cell(value: Any, column: int, *, bold: bool) -> Any:
        from reportlab.platypus import Paragraph

        if column in block.codes and not bold:
            return Paragraph(_breakable(printable(value)), look["code"])
        kind = "number" if column in block.numbers else "cell"
        return Paragraph(escape(printable(value)), look[f"{kind}_bold" if bold else kind])

    lines = [[cell(v, k, bold=True) for k, v in enumerate(block.head)]] if block.head else []
    last = len(block.rows) - 1
    lines += [
        [cell(v, k, bold=block.last_decides and n == last) for k, v in enumerate(row)]
        for n, row in enumerate(block.rows)
    ]
    rules = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, HexColor(LINE)),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return LongTable(
        lines,
        colWidths=_widths(block, width),
        style=rules,
        repeatRows=1 if block.head else 0,
        spaceAfter=5,
        hAlign="LEFT",
    )


def _breakable(text: str) -> str:
    """Let a hash break in the middle."""
    half = (len(text) + 1) // 2
    return f"{escape(text[:half])}<br/>{escape(text[half:])}" if len(text) == 64 else escape(text)


def _widths(block: Rows, width: float) -> list[float]:
    """Share the width by what the columns hold: long ones more, but none of them everything."""
    columns = len(block.rows[0])
    table = [*([block.head] if block.head else []), *block.rows]
    longest = [max(len(str(row[k])) for row in table) for k in range(columns)]
    weights = [min(max(n, 6), 42 if k not in block.codes else 34) ** 0.8 for k, n in enumerate(longest)]
    return [width * weight / sum(weights) for weight in weights]


def call_table(box: CallBox, width: float) -> Any:
    """Return the score in a frame, status and lines beside it."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Paragraph, Table, TableStyle

    look = styles()
    score = (
        Paragraph(escape(printable(box.score)), look["score"])
        if box.score
        else Paragraph("not scorable", look["no_score"])
    )
    beside = [Paragraph(escape(printable(box.status)), look["headline"])]
    beside += [Paragraph(escape(printable(line)), look["plain"]) for line in box.lines]
    rules = TableStyle(
        [
            ("BOX", (0, 0), (0, 0), 1.6, HexColor(INK)),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LEFTPADDING", (1, 0), (1, 0), 16),
        ]
    )
    return Table(
        [[score, beside]], colWidths=[90, width - 90], style=rules, spaceBefore=8, spaceAfter=8, hAlign="LEFT"
    )


def bars_drawing(block: Bars, width: float) -> Any:
    """Return one bar per class with its interval and the 10 % threshold."""
    from reportlab.graphics.shapes import Drawing, Line, Rect, String
    from reportlab.lib.colors import HexColor

    row, left, right = 17.0, 52.0, 118.0
    span, height = width - left - right, row * len(block.percent) + 4
    drawing = Drawing(width, height)

    def at(value: float) -> float:
        return left + span * min(max(value, 0.0), 100.0) / 100

    for k, (name, value) in enumerate(block.percent.items()):
        low, high = block.intervals.get(name, (value, value))
        bottom = height - (k + 1) * row
        colour = HexColor(COLOURS[name])
        drawing.add(Rect(left, bottom, span, 13, fillColor=HexColor("#f0f2f4"), strokeColor=None))
        drawing.add(Rect(left, bottom, at(value) - left, 13, fillColor=colour, strokeColor=None))
        for line in _whisker(at(low), at(high), bottom + 6.5):
            drawing.add(Line(*line, strokeColor=HexColor(INK), strokeWidth=1))
        drawing.add(String(0, bottom + 3, printable(name), fontName=BODY, fontSize=8.5))
        said = f"{value:.1f} % ({low:.1f} to {high:.1f})"
        drawing.add(String(left + span + 7, bottom + 3, said, fontName=BODY, fontSize=8.5))
    cut = at(CUTOFF)
    drawing.add(Line(cut, 0, cut, height, strokeColor=HexColor(WARN), strokeDashArray=(3, 3)))
    return drawing


def _whisker(low: float, high: float, middle: float) -> tuple[tuple[float, float, float, float], ...]:
    ends = tuple((x, middle - 3, x, middle + 3) for x in (low, high))
    return ((low, middle, high, middle), *ends)


def picture_rows(pictures: Sequence[Picture], width: float, columns: int) -> list[Any]:
    """Return pictures in rows, each with its caption below; a row never breaks between pages."""
    from reportlab.platypus import Table, TableStyle

    side = (width - GAP * (columns - 1)) / columns
    rules = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-2, -1), GAP),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
    )
    widths = [side + GAP] * (columns - 1) + [side]
    figures: list[Any] = [_figure(picture, side) for picture in pictures]
    figures += [""] * (-len(figures) % columns)
    rows = [figures[k : k + columns] for k in range(0, len(figures), columns)]
    return [Table([row], widths, style=rules, hAlign="LEFT") for row in rows]


def _figure(picture: Picture, side: float) -> list[Any]:
    from reportlab.platypus import Image, Paragraph

    rows, cols = picture.rgb.shape[:2]
    scale = min(side / cols, TALLEST / rows)
    image = Image(io.BytesIO(picture.jpeg()), width=cols * scale, height=rows * scale, hAlign="LEFT")
    words = f"<b>{escape(printable(picture.title))}</b>. {escape(printable(picture.caption))}"
    return [image, Paragraph(words, styles()["caption"])]


def legend_line(width: float) -> Any:
    """Return the colours of the classes with their names."""
    from reportlab.graphics.shapes import Drawing, Rect, String
    from reportlab.lib.colors import HexColor

    drawing = Drawing(width, 14)
    for k, (name, colour) in enumerate(COLOURS.items()):
        x = k * min(width / len(COLOURS), 75)
        drawing.add(
            Rect(x, 3, 8, 8, fillColor=HexColor(colour), strokeColor=HexColor("#888888"), strokeWidth=0.4)
        )
        drawing.add(String(x + 11, 4, name, fontName=BODY, fontSize=8))
    return drawing
