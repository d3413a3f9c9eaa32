"""The page as HTML: one file, printable, with nothing from outside and every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from napari_her2.report.bars import percent_bars
from napari_her2.report.blocks import Bars, Block, Bullets, CallBox, Pictures, Rows, Section, Text
from napari_her2.report.content import PageParts, sheet_of
from napari_her2.report.tables import document, section, table
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.case import Report
    from napari_her2.report.pictures import Picture

__all__ = ["render_page"]


def render_page(report: Report, pictures: Sequence[Picture] = (), parts: PageParts | None = None) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    report : Report
    pictures : sequence of Picture
        Maps, where no `parts` are given.
    parts : PageParts, optional
    """
    sheet = sheet_of(report, parts or PageParts(maps=pictures))
    head = f'<h1>{escape(sheet.heading)}</h1>\n<p class="soft">{escape(sheet.subtitle)}</p>'
    body = "\n".join([head, *map(_section, sheet.sections), f"<footer>{escape(sheet.footer)}</footer>"])
    return document(sheet.title, body)


def _section(part: Section) -> str:
    content = "\n".join(_block(block) for block in part.blocks)
    return section(part.title, content) if part.title else content


def _block(block: Block) -> str:
    match block:
        case Text():
            return _text(block)
        case Rows():
            return table(
                block.rows, block.head, block.numbers, codes=block.codes, last_decides=block.last_decides
            )
        case Bullets():
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>"
        case Bars():
            return percent_bars(block.percent, block.intervals)
        case CallBox():
            return _call(block)
        case Pictures():
            return _pictures(block)


def _text(block: Text) -> str:
    tag = {"banner": "div", "heading": "h3"}.get(block.kind, "p")
    mark = f' class="{block.kind}"' if block.kind in ("banner", "soft") else ""
    return f"<{tag}{mark}>{escape(block.text)}</{tag}>"


def _call(box: CallBox) -> str:
    mark, score = ("score", box.score) if box.score else ("score none", "not scorable")
    lines = "".join(f"<p>{escape(line)}</p>" for line in box.lines)
    return (
        f'<div class="call"><div class="{mark}">{escape(score)}</div>'
        f'<div><div class="headline">{escape(box.status)}</div>{lines}</div></div>'
    )


def _pictures(block: Pictures) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(p.title)}" src="{p.data_uri()}">'
        f"<figcaption><b>{escape(p.title)}</b>. {escape(p.caption)}</figcaption></figure>"
        for p in block.pictures
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in COLOURS.items()
    )
    below = f'<p class="legend">{legend}</p>' if block.legend else ""
    kind = "pictures three" if block.columns == 3 else "pictures"
    return f'<div class="{kind}">{figures}</div>{below}'
