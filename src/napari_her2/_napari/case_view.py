"""A finished case as the window shows it.

Read from its folder: the same way after a run and when a folder is dropped on the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.events import Progress
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2._napari.probe import Probe
    from napari_her2._napari.refitting import Refit
    from napari_her2.case import CaseBundle, PatchTable, RasterName, Report
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.geometry import Affine
    from napari_her2.mapping import SlideMapping
    from napari_her2.store import Multiscale

__all__ = ["CaseView", "CellsView", "SlidePlace", "cells_view", "features_of", "load_case"]

SMOOTH_UM = 4.0

RASTERS: Final[tuple[RasterName, ...]] = ("her2", "segmentation", "mapping_error")

TUMOUR_CLASS = "Tumor"
"""As QuPath spells it."""


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
    outlines : dict of str to tuple of ndarray of shape (n, 2)
        Rings of the tumour area by slide, in that slide's µm.
    tumour : Multiscale or None
        Probability of tumour on the slide ``tumour_role``.
    mapping : SlideMapping or None
        H&E to IHC.
    table : CellTable or None
        All cells, as they lie in the case.
    rasters : dict of str to Multiscale
        Further rasters: ``her2``, ``segmentation``, ``mapping_error``.
    disagreement : (ndarray of uint8, float) or None
        How many classes cells and pixels are apart, and its µm/px.
    refit : Refit or None
        What a person's pairs make of the alignment, if there are any.
    patches : PatchTable or None
        Patches of both slides.
    probe : Probe or None
        What is told of the place under the cursor.
    """

    folder: Path
    report: Report
    slides: tuple[SlidePlace, ...] = ()
    cells: CellsView
    outlines: dict[str, tuple[NDArray[np.float64], ...]] = field(default_factory=dict)
    tumour: Multiscale | None = None
    tumour_role: str = "he"
    mapping: SlideMapping | None = None
    table: CellTable | None = None
    rasters: dict[str, Multiscale] = field(default_factory=dict)
    disagreement: tuple[NDArray[np.uint8], float] | None = None
    refit: Refit | None = None
    patches: PatchTable | None = None
    probe: Probe | None = None

    @property
    def he_to_ihc_um(self) -> Affine | None:
        """Affine part of the mapping."""
        return None if self.mapping is None else self.mapping.affine_um

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
    table = bundle.cells()
    cells = cells_view(table, ihc.um_per_px, limit=cell_limit)
    yield Progress("opening", 2, 4, "parts")
    outlines, tumour = _outlines(bundle), bundle.raster("tumour")
    yield Progress("opening", 3, 4, "parts")
    rasters = {name: found for name in RASTERS if (found := bundle.raster(name)) is not None}
    places = (SlidePlace(s.role, s.name, s.um_per_px, find_slide(s, folder)) for s in bundle.slides)
    mapping = bundle.mapping()
    patches = bundle.patches() if bundle.files.patches.is_file() else None
    return CaseView(
        folder=folder,
        report=bundle.report,
        slides=tuple(places),
        cells=cells,
        outlines=outlines,
        tumour=tumour,
        tumour_role=_slide_of(tumour),
        mapping=mapping,
        table=table,
        rasters={str(name): raster for name, raster in rasters.items()},
        disagreement=_disagreement(rasters),
        patches=patches,
        probe=_probe(table, patches, {str(slide.role): slide.um_per_px for slide in bundle.slides}),
        refit=None if mapping is None else _refit(bundle, mapping, outlines, _slide_of(tumour)),
    )


def _probe(table: CellTable, patches: PatchTable | None, um_per_px: dict[str, float]) -> Probe:
    from napari_her2._napari.cell_index import CellIndex
    from napari_her2._napari.paired import covered
    from napari_her2._napari.probe import Probe

    sides: Any = [role for role in ("he", "ihc") if patches is not None and role in um_per_px]
    known = {role: covered(patches, role, um_per_px[role]) for role in sides if patches is not None}
    index = CellIndex.of(table, um_per_px["ihc"])
    return Probe(cells=index, he=known.get("he"), ihc=known.get("ihc"))


def _refit(
    bundle: CaseBundle, mapping: SlideMapping, outlines: dict[str, tuple[NDArray[np.float64], ...]], role: str
) -> Refit | None:
    from napari_her2._napari.refitting import restored, used_in

    source: Any = role if role in ("he", "ihc") else "he"
    return restored(bundle.folder, mapping, used_in(bundle, mapping), outlines=outlines, source=source)


def _disagreement(rasters: Mapping[RasterName, Multiscale]) -> tuple[NDArray[np.uint8], float] | None:
    from napari_her2._napari.disagreement import disagreement

    both = [rasters[name] for name in RASTERS[:2] if name in rasters]
    return disagreement(both[0], both[1]) if len(both) > 1 else None


def smoothed(ring_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the steps of the raster out of a ring, for the screen."""
    from shapely import LinearRing

    corners = LinearRing(ring_um).simplify(SMOOTH_UM).coords
    return np.asarray(corners)[:-1]


def _slide_of(raster: Multiscale | None) -> str:
    ours: Any = {} if raster is None else raster.metadata.get("napari-her2", {})
    return str(ours.get("slide", "ihc"))


def _outlines(bundle: CaseBundle) -> dict[str, tuple[NDArray[np.float64], ...]]:
    from napari_her2._napari.preparing import outlines_um
    from napari_her2.exchange import read_areas

    path = bundle.files.annotations
    sizes = {str(slide.role): slide.um_per_px for slide in bundle.slides}
    return outlines_um(read_areas(path) if path.is_file() else (), sizes)


def cells_view(cells: CellTable, um_per_px: float, *, limit: int) -> CellsView:
    """Return the evaluable cells in µm; of more than ``limit`` every n-th (rows are sorted by place)."""
    counted = cells.select(cells.in_tumour & (cells.excluded == 0))
    shown = counted.select(np.arange(len(counted)) % max(1, -(-len(counted) // limit)) == 0)
    points = np.column_stack([shown.row_px, shown.col_px]) * um_per_px
    return CellsView(
        points_um=points,
        class_code=shown.class_code,
        features=features_of(shown, np.s_[:]),
        total=len(counted),
    )


def features_of(cells: CellTable, chosen: Any) -> dict[str, NDArray[Any]]:
    """Return what the table of the layer says of some cells."""
    names = np.array(CELL_CLASSES)
    codes = cells.class_code[chosen]
    return {
        "class": names[codes] if len(codes) else np.empty(0, names.dtype),
        "completeness": cells.completeness[chosen].round(2),
        "intensity_od": cells.intensity_od[chosen].round(2),
        "width_um": cells.membrane_width_um[chosen].round(2),
    }
