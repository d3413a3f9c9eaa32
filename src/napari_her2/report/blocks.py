"""What a page consists of, whatever it is printed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.report.pictures import Picture

__all__ = ["Bars", "Block", "Bullets", "CallBox", "Pictures", "Rows", "Section", "Sheet", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``soft`` is grey, ``banner`` a warning in a box, ``heading`` a heading of third rank."""

    text: str
    kind: Literal["plain", "soft", "banner", "heading"] = "plain"


@dataclass(frozen=True, slots=True)
class Rows:
    """A table; columns in ``numbers`` are set to the right, those in ``codes`` in small letters."""

    rows: tuple[tuple[Any, ...], ...]
    head: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    codes: tuple[int, ...] = ()
    last_decides: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Percentages by class with their 95 % intervals."""

    percent: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CallBox:
    """The score in large letters, the status beside it, and lines below that."""

    score: str | None
    status: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures in rows, with the legend of classes below if wanted."""

    pictures: tuple[Picture, ...]
    legend: bool = False
    columns: int = 2


Block = Text | Rows | Bullets | Bars | CallBox | Pictures


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A heading and what stands below it; without blocks it is left out."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The whole page.

    Attributes
    ----------
    title : str
        Of the window or file.
    heading, subtitle : str
    sections : tuple of Section
        The first may have no title.
    footer : str
        On every printed page.
    """

    title: str
    heading: str
    subtitle: str
    sections: tuple[Section, ...]
    footer: str
