"""A finished case for other programs: which of its parts go into which file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.events import Progress
from napari_her2.exchange.cells_geojson import write_cells_geojson
from napari_her2.exchange.classes import RASTER_CLASSES
from napari_her2.exchange.coco import write_coco
from napari_her2.exchange.csv_files import write_csv
from napari_her2.exchange.drawn import areas_on
from napari_her2.exchange.label_tiff import write_label_tiff
from napari_her2.exchange.label_zarr import write_label_zarr
from napari_her2.exchange.shapes import slide_of, slide_path, slide_shape
from napari_her2.exchange.tiles import TileWishes
from napari_her2.store import Multiscale
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2.case import CaseBundle
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.exchange.cells_geojson import CellShape
    from napari_her2.exchange.label_zarr import Ngff

__all__ = ["FORMATS", "ExportWishes", "Exported", "Layer", "export_case"]

Layer = Literal["her2", "segmentation", "tumour"]
Role = Literal["he", "ihc"]
TUMOUR_CLASSES: Final = {1: ("tumour", COLOURS["tumour"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWishes:
    """What goes into a file.

    Attributes
    ----------
    slide : {"he", "ihc"}
        Whose areas, cells and pixels; files of other programs describe one image.
    layer : {"her2", "segmentation", "tumour"} or None
        Raster of labels; None takes the pixels of a model where there are some, else the cells'
        territories.
    table : {"cells", "patches"}
    cell_shape : {"nucleus", "point"}
    ngff : {"0.4", "0.5"}
    tiles : TileWishes
    reviewed : Path or None
        GeoJSON with areas in which everything is labelled, besides those of the case.
    case_name : str
        In tables; by default the folder's name.
    """

    slide: Role = "ihc"
    layer: Layer | None = None
    table: Literal["cells", "patches"] = "cells"
    cell_shape: CellShape = "nucleus"
    ngff: Ngff = "0.5"
    tiles: TileWishes = field(default_factory=TileWishes)
    reviewed: Path | None = None
    case_name: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: facts by name, for a person and for scripts."""

    facts: dict[str, Any]


def export_case(bundle: CaseBundle, to: str, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    """Write a case, or a part of it, in a format of other programs.

    Parameters
    ----------
    bundle : CaseBundle
    to : str
        One of ``FORMATS``.
    out : Path
        File; a folder for ``ome-zarr``, ``tiles`` and ``dicom``.
    wishes : ExportWishes

    Yields
    ------
    Progress

    Raises
    ------
    UsageError
        If the case has not what is wanted.
    CaseError
        If a part of the case is damaged, or its slide is needed and cannot be found.
    OutputError
        If the place cannot be written.
    """
    yield Progress("export", 0, 1, "files")
    result = yield from FORMATS[to](bundle, out, wishes)
    yield Progress("export", 1, 1, "files")
    return result


def _cells(bundle: CaseBundle, wishes: ExportWishes) -> CellTable | None:
    """Cells lie on the IHC only."""
    return bundle.cells() if wishes.slide == "ihc" else None


def _geojson(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    from napari_her2.cells import CellTable

    slide = slide_of(bundle, wishes.slide)
    areas = areas_on(bundle.files, wishes.slide)
    cells = _cells(bundle, wishes)
    yield Progress("cells", 0, 1, "files")
    n = write_cells_geojson(
        out,
        CellTable.empty() if cells is None else cells,
        um_per_px=slide.um_per_px,
        areas=areas,
        shape=wishes.cell_shape,
    )
    return Exported({"areas": len(areas), "cells": n})


def _columns(bundle: CaseBundle, wishes: ExportWishes) -> dict[str, Any]:
    return dict((bundle.cells() if wishes.table == "cells" else bundle.patches()).to_columns())


def _csv(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    columns = _columns(bundle, wishes)
    yield Progress("table", 0, 1, "files")
    write_csv(out, columns)
    return Exported({"table": wishes.table, "rows": len(next(iter(columns.values())))})


def _parquet(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    from napari_her2.case import write_table

    columns = _columns(bundle, wishes)
    yield Progress("table", 0, 1, "files")
    write_table(out, columns)
    return Exported({"table": wishes.table, "rows": len(next(iter(columns.values())))})


def _labels(bundle: CaseBundle, wishes: ExportWishes) -> tuple[Multiscale, str, str]:
    """Return a raster of labels, its name and the slide it lies on."""
    wanted: tuple[Layer, ...] = (wishes.layer,) if wishes.layer else ("segmentation", "her2")
    for name in wanted:
        raster = bundle.raster(name)
        if raster is not None:
            ours: Any = raster.metadata.get("napari-her2", {})
            whose = str(ours.get("slide", "ihc"))
            return (
                (_above(raster, float(ours.get("threshold", 0.5))) if name == "tumour" else raster),
                name,
                whose,
            )
    raise UsageError(f"{bundle.folder.name} has no raster {wanted[-1]!r}: choose another with --layer")


def _above(raster: Multiscale, threshold: float) -> Multiscale:
    """Tumour where its probability reaches the threshold; this raster is coarse enough for memory."""
    levels = tuple((np.asarray(level[:]) >= threshold).astype(np.uint8) for level in raster.levels)
    return Multiscale(levels, raster.um_per_px, raster.metadata)


def _ome_tiff(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    raster, name, whose = _labels(bundle, wishes)
    yield Progress("labels", 0, 1, "files")
    classes = TUMOUR_CLASSES if name == "tumour" else RASTER_CLASSES
    write_label_tiff(out, raster.levels, um_per_px=raster.um_per_px, name=name, classes=classes, slide=whose)
    return Exported(_of_raster(raster, name, whose))


def _ome_zarr(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    raster, name, whose = _labels(bundle, wishes)
    yield Progress("labels", 0, 1, "files")
    classes = TUMOUR_CLASSES if name == "tumour" else RASTER_CLASSES
    write_label_zarr(out, raster, ngff=wishes.ngff, classes=classes, slide=whose)
    return Exported({**_of_raster(raster, name, whose), "ngff": wishes.ngff})


def _of_raster(raster: Multiscale, name: str, whose: str) -> dict[str, Any]:
    rows, cols = raster.shape
    return {"layer": name, "slide": whose, "um_per_px": raster.um_per_px, "shape": [rows, cols]}


def _coco(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    slide = slide_of(bundle, wishes.slide)
    yield Progress("cells", 0, 1, "files")
    n = write_coco(
        out,
        image=slide.name,
        shape=slide_shape(bundle, wishes.slide),
        areas=areas_on(bundle.files, wishes.slide),
        cells=_cells(bundle, wishes),
        um_per_px=slide.um_per_px,
    )
    return Exported({"annotations": n})


def _dicom(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    from napari_her2.case import find_slide
    from napari_her2.exchange.dicom_out import write_dicom_annotations, write_dicom_segmentation
    from napari_her2.exchange.dicom_source import DicomSlide, highdicom_or_say, of_dicom_files

    highdicom_or_say()
    slide = slide_of(bundle, wishes.slide)
    path = find_slide(slide, bundle.folder)
    files = [] if path is None else sorted(path.iterdir()) if path.is_dir() else [path]
    refers = of_dicom_files(files, slide.sha256, slide.um_per_px) or DicomSlide.of_hash(
        slide.sha256, slide_shape(bundle, wishes.slide), slide.um_per_px
    )
    yield Progress("dicom", 0, 2, "files")
    areas, cells = areas_on(bundle.files, wishes.slide), _cells(bundle, wishes)
    groups = write_dicom_annotations(out / "annotations.dcm", refers, areas=areas, cells=cells)
    yield Progress("dicom", 1, 2, "files")
    facts: dict[str, Any] = {"annotations": "annotations.dcm", "groups": groups}
    if wishes.slide == "ihc":
        raster, name, _ = _labels(bundle, wishes)
        level = write_dicom_segmentation(out / "segmentation.dcm", raster, refers)
        facts |= {"segmentation": "segmentation.dcm", "layer": name, "level": level}
    return Exported(facts)


def _tiles(bundle: CaseBundle, out: Path, wishes: ExportWishes) -> Steps[Exported]:
    from napari_her2.exchange.case_tiles import case_tiles

    slide = slide_of(bundle, wishes.slide)
    found = yield from case_tiles(bundle, slide, slide_path(bundle, wishes.slide), out, wishes)
    return Exported({"tiles": found.tiles, "split": found.split, "pixels": dict(found.pixels)})


FORMATS: Final[dict[str, Callable[[CaseBundle, Path, ExportWishes], Steps[Exported]]]] = {
    "geojson": _geojson,
    "ome-tiff": _ome_tiff,
    "ome-zarr": _ome_zarr,
    "csv": _csv,
    "parquet": _parquet,
    "tiles": _tiles,
    "coco": _coco,
    "dicom": _dicom,
}
"""How each format is written; the pages (``html``, ``pdf``) are made by the room ``report``."""
