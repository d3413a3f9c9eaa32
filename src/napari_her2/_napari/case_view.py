"""A finished case as the window shows it.

Read from its folder: the same way after a run and when a folder is dropped on the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.events import Progress
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.case import CaseBundle, Report
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.geometry import Affine
    from napari_her2.store import Multiscale

__all__ = ["CaseView", "CellsView", "SlidePlace", "cells_view", "load_case", "outline_um"]

OUTLINE_PX = 1500
"""The outline is traced on the raster's level that is about this long."""

TUMOUR_FROM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellsView:
    """The evaluable cells that are drawn.

    Attributes
    ----------
    points_um : ndarray of shape (n, 2)
        µm from the IHC's corner, (row, col).
    class_code : ndarray of uint8
    features : dict of str to ndarray
        For the table and the read-out under the mouse.
    total : int
        How many count; more than ``len(points_um)`` where only a sample is drawn.
    """

    points_um: NDArray[np.float64]
    class_code: NDArray[np.uint8]
    features: dict[str, NDArray[Any]]
    total: int


@dataclass(frozen=True, slots=True)
class SlidePlace:
    """A slide of the case; ``path`` is None where it was not found on this machine."""

    role: str
    name: str
    um_per_px: float
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseView:
    """All that the window shows of a finished case.

    Attributes
    ----------
    folder : Path
    report : Report
    slides : tuple of SlidePlace
    cells : CellsView
    outline : tuple of ndarray of shape (n, 2)
        Rings of the tumour area, µm on the IHC.
    tumour, her2 : Multiscale or None
        Rasters on the IHC.
    he_to_ihc_um : Affine or None
        Affine part of the mapping.
    """

    folder: Path
    report: Report
    slides: tuple[SlidePlace, ...] = ()
    cells: CellsView
    outline: tuple[NDArray[np.float64], ...] = ()
    tumour: Multiscale | None = None
    her2: Multiscale | None = None
    he_to_ihc_um: Affine | None = field(default=None)

    def slide(self, role: str) -> SlidePlace | None:
        """Return the slide of a role."""
        return next((slide for slide in self.slides if slide.role == role), None)


def load_case(folder: Path, *, cell_limit: int = 60000) -> Steps[CaseView]:
    """Read a finished case for the window; for a background thread.

    Raises
    ------
    CaseError
        If the folder is no finished case or a file of it is damaged.
    """
    from napari_her2.case import find_slide, read_case

    bundle = read_case(folder)
    yield Progress("opening", 1, 4, "parts")
    ihc = bundle.slide("ihc")
    if ihc is None:
        raise CaseError(f"{folder.name} has no IHC slide: run `score` again")
    cells = cells_view(bundle.cells(), ihc.um_per_px, limit=cell_limit)
    yield Progress("opening", 2, 4, "parts")
    tumour = _on_ihc(bundle, "tumour")
    outline = () if tumour is None else outline_um(tumour)
    yield Progress("opening", 3, 4, "parts")
    mapping = bundle.mapping()
    places = (SlidePlace(s.role, s.name, s.um_per_px, find_slide(s, folder)) for s in bundle.slides)
    return CaseView(
        folder=folder,
        report=bundle.report,
        slides=tuple(places),
        cells=cells,
        outline=outline,
        tumour=tumour,
        her2=_on_ihc(bundle, "her2"),
        he_to_ihc_um=None if mapping is None else mapping.affine_um,
    )


def _on_ihc(bundle: CaseBundle, name: Any) -> Multiscale | None:
    """Return the raster if the case has it and it lies on the IHC."""
    raster = bundle.raster(name)
    if raster is None:
        return None
    ours: Any = raster.metadata.get("napari-her2", {})
    return raster if ours.get("slide", "ihc") == "ihc" else None


def cells_view(cells: CellTable, um_per_px: float, *, limit: int) -> CellsView:
    """Return the evaluable cells in µm; of more than ``limit`` every n-th (rows are sorted by place)."""
    counted = cells.select(cells.in_tumour & (cells.excluded == 0))
    shown = counted.select(np.arange(len(counted)) % max(1, -(-len(counted) // limit)) == 0)
    points = np.column_stack([shown.row_px, shown.col_px]) * um_per_px
    names = np.array(CELL_CLASSES)
    features = {
        "class": names[shown.class_code] if len(shown) else np.empty(0, names.dtype),
        "completeness": shown.completeness.round(2),
        "intensity_od": shown.intensity_od.round(2),
        "width_um": shown.membrane_width_um.round(2),
    }
    return CellsView(points_um=points, class_code=shown.class_code, features=features, total=len(counted))


def outline_um(raster: Multiscale) -> tuple[NDArray[np.float64], ...]:
    """Trace the edge of the tumour area.

    Parameters
    ----------
    raster : Multiscale
        Probability (float, or 0..255) of tumour.

    Returns
    -------
    tuple of ndarray of shape (n, 2)
        Closed rings, µm from the slide's corner (row, col); small specks are left out.
    """
    from skimage.measure import approximate_polygon, find_contours

    level = next(
        (i for i, a in enumerate(raster.levels) if max(a.shape) <= OUTLINE_PX), len(raster.levels) - 1
    )
    values = np.asarray(raster.levels[level])
    full = 1.0 if values.dtype.kind == "f" else 255.0 if values.max(initial=0) > 1 else 1.0
    um = raster.um_per_px * raster.levels[0].shape[0] / values.shape[0]
    rings = find_contours(np.pad(values / full, 1), TUMOUR_FROM)
    kept = (approximate_polygon(ring, 0.7) for ring in rings if len(ring) > 12)
    # Contours count from the centre of the first pixel, of which the padding added one.
    return tuple((ring - 0.5) * um for ring in kept if len(ring) > 3)
