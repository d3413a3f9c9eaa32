"""Annotations of ASAP and of Aperio ImageScope (XML), in: polygons with classes and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.geojson import Area
from napari_her2.geometry import from_xy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

__all__ = ["read_xml_areas"]

_MOST_BYTES: Final = 512 * 2**20
_RECTANGLE, _ELLIPSE = "1", "2"


def read_xml_areas(path: Path) -> tuple[Area, ...]:
    """Read the polygons of an ASAP or ImageScope file; points, lines and rulers are passed over.

    ASAP: ``Annotations/Annotation`` with its group as class, holes being polygons of a group whose name
    says ``hole`` or ``exclude``. ImageScope: each layer's name is the class; regions marked as negative
    are holes of the regions around them. Both give x, y in level-0 pixels.

    Raises
    ------
    CaseError
        If it is neither, is damaged, or holds no polygon.
    """
    root = _root(path)
    if root.tag == "ASAP_Annotations":
        found = list(_asap(root, path))
    elif root.tag == "Annotations":
        found = list(_imagescope(root, path))
    else:
        raise CaseError(
            f"{path.name} is XML of another kind ({root.tag[:40]}): export annotations of ASAP or ImageScope"
        )
    if not found:
        raise CaseError(f"{path.name} holds no polygon: draw an area and export it again")
    return tuple(_with_holes(found))


def _root(path: Path) -> Element:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CaseError(f"{path.name} is larger than 512 MiB: export fewer annotations at once")
        data = path.read_bytes()
    except OSError as error:
        raise CaseError(f"{path.name} cannot be read ({error.strerror or error}): check its name") from error
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise CaseError(f"{path.name} declares entities, which annotations do not need: export it again")
    try:
        return ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise CaseError(f"{path.name} is not valid XML ({error}): export the annotations again") from error


def _asap(root: Element, path: Path) -> Iterator[tuple[Area, bool]]:
    colours = {g.get("Name", ""): g.get("Color") for g in root.iter("Group")}
    for item in root.iter("Annotation"):
        if item.get("Type") not in ("Polygon", "Rectangle", "Spline"):
            continue
        places = sorted(item.iter("Coordinate"), key=lambda c: int(c.get("Order", "0")))
        ring = _ring([(c.get("X"), c.get("Y")) for c in places], path)
        group = item.get("PartOfGroup", "None")
        name = "" if group == "None" else group
        colour = _hex(colours.get(group) or item.get("Color"))
        hole = any(word in name.lower() for word in ("hole", "exclude"))
        yield Area(outline=ring, name=name, colour=colour, title=item.get("Name", "")), hole


def _imagescope(root: Element, path: Path) -> Iterator[tuple[Area, bool]]:
    for layer in root.iter("Annotation"):
        name = layer.get("Name") or _layer_name(layer)
        colour = _packed(layer.get("LineColor"))
        for region in layer.iter("Region"):
            points = [(v.get("X"), v.get("Y")) for v in region.iter("Vertex")]
            ring = _shape(region.get("Type", "0"), points, path)
            if ring is not None:
                area = Area(outline=ring, name=name, colour=colour, title=region.get("Text", ""))
                yield area, region.get("NegativeROA", "0") == "1"


def _layer_name(layer: Element) -> str:
    """Older files name a layer by an attribute called Description."""
    for attribute in layer.iter("Attribute"):
        if attribute.get("Name") == "Description":
            return attribute.get("Value") or ""
    return ""


def _shape(kind: str, points: list[tuple[str | None, str | None]], path: Path) -> NDArray[np.float64] | None:
    """Return the ring of a region: freehand (0), rectangle (1), ellipse (2, by its box); else None."""
    if kind not in ("0", _RECTANGLE, _ELLIPSE):
        return None
    if kind != _ELLIPSE or len(points) > 4:
        return _ring(points, path)
    corners = _numbers(points, path)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    angle = np.arange(64) * (2 * np.pi / 64)
    x = (left + right) / 2 + (right - left) / 2 * np.cos(angle)
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(angle)
    return from_xy(np.column_stack([x, y]))


def _numbers(points: list[tuple[str | None, str | None]], path: Path) -> NDArray[np.float64]:
    try:
        # Some programs write the decimal comma of their language.
        values = np.array(
            [[float((v or "").replace(",", ".")) for v in point] for point in points], np.float64
        )
    except ValueError as error:
        raise CaseError(f"{path.name} holds a corner that is not two numbers: export it again") from error
    return values.reshape(-1, 2)


def _ring(points: list[tuple[str | None, str | None]], path: Path) -> NDArray[np.float64]:
    ring = _numbers(points, path)
    if len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(ring) < 3 or not np.isfinite(ring).all():
        raise CaseError(f"{path.name} holds an area of {len(ring)} corners: remove it or draw it again")
    return from_xy(ring)


def _hex(colour: str | None) -> tuple[int, int, int] | None:
    digits = (colour or "").removeprefix("#")
    if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        return None
    red, green, blue = (int(digits[k : k + 2], 16) for k in (0, 2, 4))
    return red, green, blue


def _packed(colour: str | None) -> tuple[int, int, int] | None:
    """ImageScope packs blue, green, red into one number."""
    if not colour or not colour.lstrip("-").isdigit():
        return None
    value = int(colour)
    return value & 255, value >> 8 & 255, value >> 16 & 255


def _with_holes(found: list[tuple[Area, bool]]) -> Iterator[Area]:
    """Give each area the holes that lie in it."""
    from dataclasses import replace

    import cv2

    def holds(area: Area, ring: NDArray[np.float64]) -> bool:
        x, y = ring.mean(axis=0)[::-1].tolist()
        outline = np.ascontiguousarray(area.outline[:, ::-1], np.float32)
        return bool(cv2.pointPolygonTest(outline, (x, y), measureDist=False) >= 0)

    holes = [area.outline for area, is_hole in found if is_hole]
    for area, is_hole in found:
        if not is_hole:
            yield replace(area, holes=tuple(ring for ring in holes if holds(area, ring)))
