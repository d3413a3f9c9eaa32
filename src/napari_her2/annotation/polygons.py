"""Polygons in level-0 pixels (row, col): areas, boolean operations, simplification, pixels inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_her2.annotation.painting import paint
from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

    from napari_her2.geometry import Box

__all__ = ["Operation", "combined", "mm2", "polygon_of", "rasterised", "rings_of", "simplified"]

Operation = Literal["union", "subtract", "intersect", "exclude"]


DECIMALS: Final = 6
"""Of a corner in pixels; corners that lie closer together than that, GEOS cannot always put in order."""


def polygon_of(outline: ArrayLike, holes: Sequence[ArrayLike] = ()) -> BaseGeometry:
    """Return a valid polygon (or several) from rings; what crosses itself is repaired.

    Parameters
    ----------
    outline : array-like of shape (n, 2)
        (row, col) corners; kept to a millionth of a pixel.
    holes : sequence of array-like
        Likewise.

    Raises
    ------
    UsageError
        If nothing is enclosed.
    """
    from shapely import Polygon

    points = np.round(np.asarray(outline, np.float64).reshape(-1, 2), DECIMALS)
    rings = [np.round(np.asarray(hole, np.float64).reshape(-1, 2), DECIMALS) for hole in holes]
    if len(points) < 3 or not np.isfinite(points).all():
        raise UsageError("an area needs at least three corners: click more of them")
    return _surface(Polygon(points, [ring for ring in rings if len(ring) >= 3]))


def _surface(shape: BaseGeometry) -> BaseGeometry:
    """Return what of a shape is a surface, made valid.

    Raises
    ------
    UsageError
        If nothing is left.
    """
    from shapely import get_parts, make_valid, union_all

    valid = shape if shape.is_valid else make_valid(shape)
    parts = [part for part in get_parts(valid) if part.geom_type in ("Polygon", "MultiPolygon") and part.area]
    if not parts:
        raise UsageError("nothing is left of the area: draw it again, or undo")
    return parts[0] if len(parts) == 1 else union_all(parts, grid_size=10.0**-DECIMALS)


def rings_of(shape: BaseGeometry) -> list[list[NDArray[np.float64]]]:
    """Return the parts of a shape, each as its outline and its holes; rings (n, 2) that are not closed."""
    from shapely import get_parts

    return [
        [np.asarray(ring.coords)[:-1] for ring in (part.exterior, *part.interiors)]
        for part in get_parts(shape)
    ]


def combined(shapes: Sequence[BaseGeometry], how: Operation) -> BaseGeometry:
    """Return a boolean operation on areas, in their order.

    Parameters
    ----------
    shapes : sequence of shapely geometries
        At least two.
    how : {"union", "subtract", "intersect", "exclude"}
        ``subtract`` takes all others from the first, ``exclude`` keeps what belongs to one of two.

    Raises
    ------
    UsageError
        If there are too few areas, or nothing is left.
    """
    from shapely import intersection_all, union_all

    if len(shapes) < 2:
        raise UsageError("choose at least two areas: click one, then Shift+click the others")
    first, others = shapes[0], shapes[1:]
    found = {
        "union": lambda: union_all(list(shapes)),
        "intersect": lambda: intersection_all(list(shapes)),
        "subtract": lambda: first.difference(union_all(list(others))),
        "exclude": lambda: first.symmetric_difference(union_all(list(others))),
    }[how]()
    return _surface(found)


def mm2(shape: BaseGeometry, um_per_px: float) -> float:
    """Return the area in mm²."""
    return float(shape.area) * um_per_px**2 / 1e6


def simplified(shape: BaseGeometry, tolerance_px: float) -> BaseGeometry:
    """Return the area with fewer corners, no edge further away than ``tolerance_px``; holes stay holes."""
    return _surface(shape.simplify(tolerance_px, preserve_topology=True))


def rasterised(shape: BaseGeometry, box: Box, downsample: float = 1.0) -> NDArray[np.bool_]:
    """Return which pixels of a box have their middle inside (even-odd rule).

    Parameters
    ----------
    shape : shapely geometry
        In level-0 pixels.
    box : Box
        In pixels ``downsample`` times coarser.
    downsample : float
    """
    rings = [ring / downsample for part in rings_of(shape) for ring in part]
    return paint(rings, box, (box.height, box.width))
