"""The tumour area that a person drew, on its way from the canvas to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2._napari.session import SlideRole

__all__ = ["Ring", "rings_of", "write_rings"]

CLOSED = ("polygon", "rectangle", "ellipse")
TUMOUR_CLASS = "Tumor"


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """One closed shape, in µm from the corner of the slide it was drawn on."""

    role: SlideRole
    points_um: NDArray[np.float64]


def rings_of(layer: Any) -> list[NDArray[np.float64]]:
    """Return the closed shapes of a napari Shapes layer as rings (n, 2) in world units (µm).

    Ellipses come as polygons; lines and paths enclose nothing and are left out.
    """
    rings = []
    for shape, kind in zip(layer.data, layer.shape_type, strict=True):
        if str(kind) in CLOSED:
            corners = (
                _ellipse(np.asarray(shape, float)) if str(kind) == "ellipse" else np.asarray(shape, float)
            )
            rings.append(np.array([layer.data_to_world(point) for point in corners]))
    return rings


def _ellipse(corners: NDArray[np.float64], n: int = 72) -> NDArray[np.float64]:
    """Return an ellipse given by the four corners of its box as a polygon."""
    middle = corners.mean(axis=0)
    one, two = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    # The box's edges are the axes, so half of each is a radius.
    ring: NDArray[np.float64] = middle + np.cos(angle) * one + np.sin(angle) * two
    return ring


def write_rings(path: Path, rings: Sequence[Ring], um_per_px: dict[SlideRole, float]) -> None:
    """Write the drawn area as GeoJSON that the pipeline and QuPath read.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    from napari_her2.exchange import Area, write_areas

    areas = [
        Area(outline=ring.points_um / um_per_px[ring.role], name=TUMOUR_CLASS, slide=ring.role)
        for ring in rings
    ]
    write_areas(path, areas)
