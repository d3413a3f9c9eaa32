"""What all pages share: the document around them, sections, and tables in which every cell is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from napari_her2.report.style import CSS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["document", "section", "table"]


def document(title: str, body: str) -> str:
    """Return a whole page around a body that is HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, content: str) -> str:
    """Return a section with its heading; nothing without content."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def table(
    rows: Iterable[Sequence[Any]],
    head: Sequence[str] = (),
    numbers: Sequence[int] = (),
    *,
    codes: Sequence[int] = (),
    last_decides: bool = False,
) -> str:
    """Return a table; every cell is escaped; ``numbers`` are set to the right, ``codes`` in small letters."""

    def line(cells: Sequence[Any], tag: str) -> str:
        kinds = (
            "n" if k in numbers else "c" if k in codes and tag == "td" else "" for k in range(len(cells))
        )
        marks = (f' class="{kind}"' if kind else "" for kind in kinds)
        return "".join(f"<{tag}{m}>{escape(str(c))}</{tag}>" for c, m in zip(cells, marks, strict=True))

    header = f"<tr>{line(head, 'th')}</tr>" if head else ""
    lines = [f"<tr>{line(row, 'td')}</tr>" for row in rows]
    if last_decides and lines:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="decides">', 1)
    return f"<table>{header}{''.join(lines)}</table>" if lines else ""
