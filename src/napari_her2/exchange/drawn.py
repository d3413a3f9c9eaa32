"""Areas that people drew or brought along: in the case's own books, which no run writes or withdraws."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_her2.annotation import REVIEWED, AreaBook, new_area, polygon_of, rings_of
from napari_her2.exchange.geojson import Area, read_areas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_her2.case import CaseFiles

__all__ = ["add_drawn", "areas_on", "drawn_areas", "is_reviewed", "run_areas"]

REVIEWED_TOO: Final = ("region*", "training")
"""Other programs' names for areas in which everything is labelled."""


def is_reviewed(area: Area) -> bool:
    """Whether an area says that everything in it is labelled."""
    return area.name.lower() in (REVIEWED.lower(), *REVIEWED_TOO)


def drawn_areas(files: CaseFiles, slide: str) -> tuple[Area, ...]:
    """Return the areas that people drew or imported on a slide; none where there are none.

    Raises
    ------
    CaseError
        If their file cannot be read.
    """
    path = files.drawn(slide)
    return tuple(_given(AreaBook(path), slide)) if path.is_file() else ()


def _given(book: AreaBook, slide: str) -> Iterator[Area]:
    for drawn in book:
        facts = {"method": "person", "confirmed": True, **({"who": drawn.who} if drawn.who else {})}
        for outline, *holes in rings_of(drawn.shape):
            yield Area(outline=outline, holes=tuple(holes), name=drawn.name, slide=slide, properties=facts)


def run_areas(files: CaseFiles) -> tuple[Area, ...]:
    """Return the areas that the run wrote; a case without tissue has none."""
    path = files.annotations
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as file:
        empty = '"Feature"' not in file.read(4096)
    return () if empty else read_areas(path)


def areas_on(files: CaseFiles, slide: str) -> tuple[Area, ...]:
    """Return all areas of a slide: the run's, then people's."""
    of_run = tuple(area for area in run_areas(files) if (area.slide or "ihc") == slide)
    return of_run + drawn_areas(files, slide)


def add_drawn(files: CaseFiles, areas: Sequence[Area], *, slide: str, source: str, who: str = "") -> None:
    """Add areas to those of people, as one act that can be undone; areas of the same source are replaced.

    Parameters
    ----------
    files : CaseFiles
    areas : sequence of Area
    slide : {"he", "ihc"}
        Where an area does not say itself.
    source : str
        Name of the file they come from.
    who : str

    Raises
    ------
    UsageError
        If an area encloses nothing.
    OutputError
        If they cannot be written.
    """
    mark = hashlib.sha256(source.encode()).hexdigest()[:8]
    for role in dict.fromkeys(area.slide or slide for area in areas):
        here = [area for area in areas if (area.slide or slide) == role]
        book = AreaBook(files.drawn(role))
        put = [
            replace(
                new_area(polygon_of(area.outline, area.holes), area.name or "unnamed", who), key=f"{mark}-{k}"
            )
            for k, area in enumerate(here)
        ]
        kept = {area.key for area in put}
        book.change(
            put, [area.key for area in book if area.key.startswith(f"{mark}-") and area.key not in kept]
        )
