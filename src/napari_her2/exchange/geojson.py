"""Areas as GeoJSON, in QuPath's dialect: x, y in level-0 pixels, origin at the top left corner."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.geometry import from_xy, to_xy
from napari_her2.store import read_json, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Area", "read_areas", "write_areas"]

_COLOURS: Final = {"Tumor": (27, 120, 55), "Tissue": (120, 120, 120), "Control": (200, 140, 0)}
_MOST_POINTS: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """One polygon with its holes.

    Attributes
    ----------
    outline : float64 ndarray of shape (n, 2)
        (row, col) in level-0 pixels; not closed.
    holes : tuple of ndarrays
        Likewise.
    name : str
        The classification, e.g. ``Tumor``; empty where there is none.
    slide : {"he", "ihc"} or None
        Whose pixels these are, where the file says so.
    properties : dict
        Further properties, written as they are.
    """

    outline: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()
    name: str = ""
    slide: str | None = None
    properties: dict[str, Any] | None = None


def read_areas(path: Path) -> tuple[Area, ...]:
    """Read the polygons of a GeoJSON file.

    Accepts a FeatureCollection, a Feature, a list of Features (as QuPath writes it) or a bare geometry,
    with Polygon and MultiPolygon; points and lines are passed over.

    Raises
    ------
    CaseError
        If the file is no GeoJSON, a polygon is damaged, or there is none.
    """
    areas = tuple(area for feature in _features(read_json(path), path) for area in _areas(feature, path))
    if not areas:
        raise CaseError(f"{path.name} holds no polygon: draw an area and export it as GeoJSON")
    return areas


def write_areas(path: Path, areas: Sequence[Area]) -> None:
    """Write a FeatureCollection that QuPath opens.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    features = [_feature(area) for area in areas]
    text = json.dumps(
        {"type": "FeatureCollection", "features": features}, ensure_ascii=False, allow_nan=False
    )
    write_bytes(path, (text + "\n").encode("utf-8"))


def _bad(path: Path, why: str) -> CaseError:
    return CaseError(f"{path.name} cannot be used as GeoJSON ({why}): export the area again")


def _features(data: Any, path: Path) -> list[dict[str, Any]]:
    """Return the features of whatever form the file has."""
    if isinstance(data, list):
        return [feature for item in data for feature in _features(item, path)]
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        raise _bad(path, "it has no type")
    if data["type"] == "FeatureCollection":
        return _features(data.get("features"), path)
    if data["type"] == "Feature":
        return [data]
    return [{"type": "Feature", "geometry": data, "properties": {}}]


def _areas(feature: dict[str, Any], path: Path) -> Iterator[Area]:
    geometry, properties = feature.get("geometry"), feature.get("properties") or {}
    if not isinstance(geometry, dict) or not isinstance(properties, dict):
        raise _bad(path, "a feature has no geometry")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    polygons = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(str(kind), [])
    for rings in polygons or []:
        if not isinstance(rings, list) or not rings:
            raise _bad(path, "a polygon has no ring")
        outline, *holes = (_ring(ring, path) for ring in rings)
        slide = properties.get("slide")
        yield Area(
            outline=outline,
            holes=tuple(holes),
            name=_name(properties),
            slide=slide if slide in ("he", "ihc") else None,
        )


def _name(properties: dict[str, Any]) -> str:
    """Return QuPath's classification, new (``name``) or old (``names``), or the feature's own name."""
    found = properties.get("classification")
    if isinstance(found, dict):
        found = found.get("name") or ": ".join(map(str, found.get("names", [])))
    return str(found or properties.get("name") or "")


def _ring(ring: Any, path: Path) -> NDArray[np.float64]:
    try:
        points = np.array([pair[:2] for pair in ring], np.float64)
    except (TypeError, ValueError, IndexError) as error:
        raise _bad(path, "a point is not two numbers") from error
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise _bad(path, "a point is not two finite numbers")
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    if not 3 <= len(points) <= _MOST_POINTS:
        raise _bad(path, f"a ring has {len(points)} points")
    return from_xy(points)


def _feature(area: Area) -> dict[str, Any]:
    rings = [_closed(ring) for ring in (area.outline, *area.holes)]
    named = {"classification": _classification(area.name)} if area.name else {}
    on = {"slide": area.slide} if area.slide else {}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {"objectType": "annotation", **named, **on, **(area.properties or {})},
    }


def _classification(name: str) -> dict[str, Any]:
    return {"name": name, "color": list(_COLOURS.get(name, (90, 90, 90)))}


def _closed(ring: NDArray[np.float64]) -> list[list[float]]:
    points = np.round(to_xy(ring), 2).tolist()
    return [*points, points[0]]
