"""The tumour area that a person drew, on its way from the canvas to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2._napari.session import SlideRole
    from napari_her2.mapping import SlideMapping

__all__ = [
    "AREA_CLASSES",
    "Ring",
    "ellipse_ring",
    "mm2_of",
    "on_one_slide",
    "rings_of",
    "write_rings",
]

CLOSED = ("polygon", "rectangle", "ellipse")
TUMOUR_CLASS = "Tumor"

AREA_CLASSES: Final = ("Tumor", "In situ", "Necrosis")
"""What an area can be: the first counts, the others are taken out of it (as QuPath spells them)."""


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """One closed shape, in µm from the corner of the slide it was drawn on."""

    role: SlideRole
    points_um: NDArray[np.float64]
    name: str = TUMOUR_CLASS

    @property
    def counts(self) -> bool:
        """Whether it is invasive tumour."""
        return self.name == TUMOUR_CLASS


def mm2_of(rings: Sequence[Ring]) -> float:
    """Return the invasive area of rings on one slide, less what is left out, in mm²; overlaps count once."""
    import shapely

    def union(counts: bool) -> Any:
        chosen = [shapely.make_valid(shapely.Polygon(r.points_um)) for r in rings if r.counts is counts]
        return shapely.union_all(chosen)

    return float(union(True).difference(union(False)).area) / 1e6


def on_one_slide(rings: Sequence[Ring], mapping: SlideMapping | None) -> list[Ring]:
    """Return the rings on one slide: those of the H&E are carried to the IHC where both were drawn on.

    Without a mapping they stay where they are.
    """
    if mapping is None or len({ring.role for ring in rings}) < 2:
        return list(rings)
    return [ring if ring.role == "ihc" else carried(ring, mapping) for ring in rings]


def carried(ring: Ring, mapping: SlideMapping) -> Ring:
    """Return a ring as it lies on the other slide."""
    from napari_her2.mapping import carry_polygon

    here, there = (mapping.he, mapping.ihc) if ring.role == "he" else (mapping.ihc, mapping.he)
    points = carry_polygon(mapping, here.to_px(ring.points_um), ring.role)
    return Ring("ihc" if ring.role == "he" else "he", there.to_um(points), ring.name)


def rings_of(layer: Any) -> list[tuple[NDArray[np.float64], str]]:
    """Return the closed shapes of a napari Shapes layer: rings (n, 2) in world units (µm), and their class.

    Ellipses come as polygons; lines and paths enclose nothing and are left out.
    """
    names = layer.features.get("class", [TUMOUR_CLASS] * len(layer.data))
    rings = []
    for shape, kind, name in zip(layer.data, layer.shape_type, names, strict=True):
        if str(kind) in CLOSED:
            corners = np.asarray(shape, float)
            corners = ellipse_ring(corners) if str(kind) == "ellipse" else corners
            known = str(name) if str(name) in AREA_CLASSES else TUMOUR_CLASS
            rings.append((np.array([layer.data_to_world(point) for point in corners]), known))
    return rings


def ellipse_ring(corners: NDArray[np.float64], n: int = 72) -> NDArray[np.float64]:
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
        Area(outline=ring.points_um / um_per_px[ring.role], name=ring.name, slide=ring.role) for ring in rings
    ]
    write_areas(path, areas)
