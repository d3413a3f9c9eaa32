"""Areas that a person drew: read, checked against the slide, and asked for points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange import Area, read_areas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Roi", "read_roi"]

OVERHANG_PX: Final = 1.0
LEFT_OUT: Final = {
    "in situ": "in_situ",
    "in_situ": "in_situ",
    "dcis": "in_situ",
    "ignore": "artefact",
    "exclude": "artefact",
    "artefact": "artefact",
    "artifact": "artefact",
    "necrosis": "artefact",
}
"""Words in an area's classification that leave it out, with the reason its cells get."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roi:
    """The tumour area of a person, on one of the slides.

    Attributes
    ----------
    slide : {"he", "ihc"}
        Whose pixels the areas are in.
    areas : tuple of Area
        Inside of these cells count.
    left_out : tuple of (Area, reason)
        Except inside of these.
    """

    slide: Literal["he", "ihc"]
    areas: tuple[Area, ...]
    left_out: tuple[tuple[Area, str], ...] = ()

    def inside(self, points_px: ArrayLike) -> NDArray[np.bool_]:
        """Whether points (n, 2), (row, col), lie in the area."""
        return _within(self.areas, points_px)

    def depth_um(self, points_px: NDArray[np.float64], um_per_px: float) -> NDArray[np.float64]:
        """Distance of points to the area, in µm and negative, where they lie outside; infinite inside."""
        import shapely

        whole = shapely.union_all([_polygon(area) for area in self.areas])
        shapely.prepare(whole)
        away = shapely.distance(whole, shapely.points(points_px[:, ::-1])) * um_per_px
        return np.asarray(np.where(away > 0, -away, np.inf), np.float64)

    def reasons(self, points_px: ArrayLike) -> dict[str, NDArray[np.bool_]]:
        """Return by reason the points that are left out."""
        reasons = dict.fromkeys(reason for _, reason in self.left_out)
        return {
            reason: _within([area for area, why in self.left_out if why == reason], points_px)
            for reason in reasons
        }


def _within(areas: Sequence[Area], points_px: ArrayLike) -> NDArray[np.bool_]:
    import shapely

    points = np.asarray(points_px, np.float64).reshape(-1, 2)
    whole: Any = shapely.union_all([_polygon(area) for area in areas])
    shapely.prepare(whole)
    found: NDArray[np.bool_] = shapely.contains_xy(whole, points[:, 1], points[:, 0])
    return found


def _polygon(area: Area) -> Any:
    """Area → valid polygon in x, y; a ring that crosses itself is taken apart."""
    import shapely

    rings = [ring[:, ::-1] for ring in (area.outline, *area.holes)]
    return shapely.make_valid(shapely.Polygon(rings[0], rings[1:]))


def read_roi(path: Path, shapes: Mapping[str, tuple[int, int]]) -> Roi:
    """Read the area that a person drew.

    Areas belong to the IHC unless their property ``slide`` says ``he``. A classification that says
    "in situ", "DCIS", "ignore" or "necrosis" leaves an area out.

    Parameters
    ----------
    path : Path
        GeoJSON.
    shapes : mapping of role to (rows, cols)
        Of the slides of the case.

    Raises
    ------
    CaseError
        If it holds no area, or one that is not wholly on its slide.
    """
    areas = read_areas(path)
    slide: Literal["he", "ihc"] = "he" if all(area.slide == "he" for area in areas) else "ihc"
    if slide not in shapes:
        raise CaseError(f"{path.name} was drawn on the H&E slide, which is missing: give it with --he")
    here = [area for area in areas if (area.slide or slide) == slide]
    for area in here:
        _check_on_slide(area, shapes[slide], path)
    left_out = tuple((area, reason) for area in here if (reason := _reason(area)) is not None)
    kept = tuple(area for area in here if _reason(area) is None)
    if not kept:
        raise CaseError(f"{path.name} leaves areas out but holds none that counts: draw the tumour area too")
    return Roi(slide=slide, areas=kept, left_out=left_out)


def _reason(area: Area) -> str | None:
    words = area.name.lower()
    return next((reason for word, reason in LEFT_OUT.items() if word in words), None)


def _check_on_slide(area: Area, shape: tuple[int, int], path: Path) -> None:
    low, high = area.outline.min(axis=0), area.outline.max(axis=0)
    if (low < -OVERHANG_PX).any() or (high > np.asarray(shape) + OVERHANG_PX).any():
        size = f"{shape[1]} x {shape[0]} px"
        raise CaseError(f"{path.name} reaches outside the image ({size}): draw the area on this slide")
