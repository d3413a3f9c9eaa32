"""Corrections as people make them, for tests: strokes, areas, verdicts, all in a case's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.annotation import KINDS, AreaBook, AreaStroke, EditableMask, MaskFacts, new_area, to_codes
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path

READER = "A. Reader"


def square(x: float, y: float, width: float, height: float):  # type: ignore[no-untyped-def]
    """Return a polygon in (row, col)."""
    from shapely import box

    return box(y, x, y + height, x + width)


def paint(
    case: Path,
    name: str,
    label: str,
    place: tuple[float, float, float, float],
    *,
    shape: tuple[int, int],
    um_per_px: float,
    sha256: str = "",
) -> None:
    """Paint a box (x, y, width, height) of level 0 in a mask such as ``ihc_tumour``."""
    role, _, kind = name.partition("_")
    facts = MaskFacts(kind=KINDS[kind], slide=role, shape=shape, um_per_px=um_per_px, sha256=sha256)
    mask = EditableMask(case / "edits" / name, facts, ReviewLog(case / "review.jsonl", READER))
    code = int(to_codes(KINDS[kind].named(label).value))
    mask.paint(AreaStroke(shape=square(*place), code=code, about={"class": label}))
    mask.close()


def draw(case: Path, role: str, name: str, place: tuple[float, float, float, float]) -> None:
    """Draw an area (x, y, width, height) of level 0."""
    AreaBook(case / "edits" / f"{role}_areas.jsonl").change([new_area(square(*place), name, READER)])
