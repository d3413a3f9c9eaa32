"""Areas that people drew or brought along, apart from what a run writes, so that no run drops them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_her2.exchange.geojson import Area, read_areas, write_areas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.case import CaseFiles

__all__ = ["REVIEWED", "add_drawn", "areas_on", "drawn_areas", "is_reviewed"]

REVIEWED: Final = "Reviewed"
"""Class of areas in which everything is labelled, so that unlabelled means background."""


def is_reviewed(area: Area) -> bool:
    """Whether an area says that everything in it is labelled."""
    return area.name.lower() in ("reviewed", "region*", "training")


def drawn_areas(files: CaseFiles) -> tuple[Area, ...]:
    """Return the areas people drew or imported; none where there are none."""
    return read_areas(files.drawn) if files.drawn.is_file() else ()


def areas_on(files: CaseFiles, slide: str) -> tuple[Area, ...]:
    """Return all areas of a slide: the run's, then people's."""
    found = read_areas(files.annotations) if files.annotations.is_file() and _has_any(files) else ()
    return tuple(area for area in (*found, *drawn_areas(files)) if (area.slide or "ihc") == slide)


def _has_any(files: CaseFiles) -> bool:
    """Whether the run's file holds an area at all; one without tissue holds none."""
    with files.annotations.open(encoding="utf-8") as file:
        return '"Feature"' in file.read(4096)


def add_drawn(files: CaseFiles, areas: Sequence[Area], *, slide: str, source: str) -> None:
    """Add areas to those of people; areas of the same source are replaced.

    Parameters
    ----------
    files : CaseFiles
    areas : sequence of Area
    slide : {"he", "ihc"}
        Where an area does not say itself.
    source : str
        Name of the file they come from.
    """
    signed = [
        replace(
            area,
            slide=area.slide or slide,
            properties={**(area.properties or {}), "method": "person", "confirmed": True, "source": source},
        )
        for area in areas
    ]
    kept = [area for area in drawn_areas(files) if (area.properties or {}).get("source") != source]
    write_areas(files.drawn, [*kept, *signed])
