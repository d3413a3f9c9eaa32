"""Areas as GeoJSON, in QuPath's dialect: x, y in level-0 pixels, origin at the top left corner."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.classes import colour_of
from napari_her2.exchange.opening import is_packed, reading, writing
from napari_her2.geometry import from_xy, to_xy
from napari_her2.store import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Area", "classification", "feature_text", "read_areas", "write_areas"]

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
        Further properties, written as they are and, as text, in QuPath's ``metadata`` as well: QuPath keeps
        only those.
    colour : (red, green, blue) or None
        Of the classification; by default that of its name.
    kind : str
        QuPath's object type: ``annotation``, ``detection``, ``cell`` or ``tile``.
    title : str
        The object's own name.
    measurements : dict
        Numbers by name.
    feature_id : str or None
        The object's UUID.
    """

    outline: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()
    name: str = ""
    slide: str | None = None
    properties: dict[str, Any] | None = None
    colour: tuple[int, int, int] | None = None
    kind: str = "annotation"
    title: str = ""
    measurements: dict[str, float] | None = None
    feature_id: str | None = None


def read_areas(path: Path) -> tuple[Area, ...]:
    """Read the polygons of a GeoJSON file.

    Accepts a FeatureCollection, a Feature, a list of Features (as QuPath writes it) or a bare geometry,
    with Polygon and MultiPolygon; points and lines are passed over.

    Raises
    ------
    CaseError
        If the file is no GeoJSON, a polygon is damaged, or there is none.
    """
    areas = tuple(area for feature in _features(_content(path), path) for area in _areas(feature, path))
    if not areas:
        raise CaseError(f"{path.name} holds no polygon: draw an area and export it as GeoJSON")
    return areas


def _content(path: Path) -> Any:
    if not is_packed(path):
        return read_json(path)
    with reading(path) as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise CaseError(f"{path.name} is not valid JSON: check or write it again") from error


def write_areas(path: Path, areas: Sequence[Area]) -> None:
    """Write a FeatureCollection that QuPath opens; packed if the name ends in ``.gz``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with writing(path) as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for k, area in enumerate(areas):
            file.write((",\n" if k else "\n") + feature_text(area))
        file.write("]}\n")


def feature_text(area: Area) -> str:
    """Return one feature as a line of JSON."""
    return json.dumps(_feature(area), ensure_ascii=False, allow_nan=False)


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
        kept = _further(properties)
        slide = kept.pop("slide", None)
        yield Area(
            outline=outline,
            holes=tuple(holes),
            name=_name(properties),
            slide=slide if slide in ("he", "ihc") else None,
            properties=kept or None,
            colour=_colour(properties),
            kind=str(properties.get("objectType") or properties.get("object_type") or "annotation"),
            title=str(properties.get("name") or ""),
            measurements=_measurements(properties.get("measurements")),
            feature_id=feature["id"] if isinstance(feature.get("id"), str) else None,
        )


_KNOWN: Final = frozenset(
    {"objectType", "object_type", "classification", "measurements", "metadata", "name", "color", "isLocked"}
)
_WORDS: Final = {"true": True, "false": False, "null": None}


def _further(properties: dict[str, Any]) -> dict[str, Any]:
    """Return what the file says beyond QuPath's own fields; QuPath hands it on as text in ``metadata``."""
    stored = properties.get("metadata")
    found = {
        str(k): _WORDS.get(v, v) if isinstance(v, str) else v
        for k, v in (stored.items() if isinstance(stored, dict) else ())
    }
    return {**found, **{k: v for k, v in properties.items() if k not in _KNOWN}}


def _measurements(found: Any) -> dict[str, float] | None:
    """Return measurements: a mapping or, before QuPath 0.4, a list of name and value."""
    if isinstance(found, list):
        found = {m.get("name"): m.get("value") for m in found if isinstance(m, dict)}
    if not isinstance(found, dict):
        return None
    numbers = {
        str(k): float(v)
        for k, v in found.items()
        if isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v)
    }
    return numbers or None


def _colour(properties: dict[str, Any]) -> tuple[int, int, int] | None:
    """Return the classification's colour, else the object's; before QuPath 0.4 it was one packed number."""
    named = properties.get("classification")
    said = (
        (named.get("color"), named.get("colorRGB"), properties.get("color"))
        if isinstance(named, dict)
        else (properties.get("color"),)
    )
    for value in said:
        if isinstance(value, list) and len(value) == 3 and all(isinstance(v, int) for v in value):
            red, green, blue = (min(max(v, 0), 255) for v in value)
            return red, green, blue
        if isinstance(value, int) and not isinstance(value, bool):
            return value >> 16 & 255, value >> 8 & 255, value & 255
    return None


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
    further = {**({"slide": area.slide} if area.slide else {}), **(area.properties or {})}
    properties = {
        "objectType": area.kind,
        **({"name": area.title} if area.title else {}),
        **({"classification": classification(area.name, area.colour)} if area.name else {}),
        **({"measurements": area.measurements} if area.measurements else {}),
        **({"metadata": {k: _text(v) for k, v in further.items()}} if further else {}),
        **further,
    }
    identity = {"id": area.feature_id} if area.feature_id else {}
    geometry = {"type": "Polygon", "coordinates": rings}
    return {"type": "Feature", **identity, "geometry": geometry, "properties": properties}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def classification(name: str, colour: tuple[int, int, int] | None = None) -> dict[str, Any]:
    """Return a class as QuPath writes it."""
    return {"name": name, "color": list(colour or colour_of(name))}


def _closed(ring: NDArray[np.float64]) -> list[list[float]]:
    points = np.round(to_xy(ring), 2).tolist()
    return [*points, points[0]]
