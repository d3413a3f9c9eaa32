"""Annotations of other programs and people, into a case: areas, labels, cells, a reader's score."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.annotation import REVIEWED
from napari_her2.errors import CaseError
from napari_her2.exchange.cells_geojson import read_cell_features
from napari_her2.exchange.coco import read_coco
from napari_her2.exchange.csv_files import read_csv
from napari_her2.exchange.drawn import add_drawn
from napari_her2.exchange.geojson import Area, read_areas
from napari_her2.exchange.label_tiff import read_label_tiff
from napari_her2.exchange.label_zarr import read_label_zarr
from napari_her2.exchange.opening import reading
from napari_her2.exchange.outlines import areas_of_mask
from napari_her2.exchange.readings import READING, read_readings
from napari_her2.exchange.shapes import slide_shape
from napari_her2.exchange.xml_files import read_xml_areas
from napari_her2.review import ReviewLog, cell_entry
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS, RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.case import CaseBundle
    from napari_her2.exchange.label_tiff import LabelRaster

__all__ = ["Imported", "import_file"]

Role = Literal["he", "ihc"]
OVERHANG_PX: Final = 2.0
NEAR_UM: Final = 3.0
_NAMES: Final = {value: name for name, value in RASTER_LABELS.items() if name != "background"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in.

    Attributes
    ----------
    areas : int
    cells : int
        Verdicts on cells: those whose class or counting differs from the case's.
    cells_unmatched : int
        Cells of the file that lie on no cell of the case.
    readings : int
    """

    areas: int = 0
    cells: int = 0
    cells_unmatched: int = 0
    readings: int = 0


def import_file(
    bundle: CaseBundle, path: Path, *, slide: Role = "ihc", who: str = "", reviewed: bool = False
) -> Imported:
    """Take a file's annotations into a case; each is logged with who, when, before and after.

    Areas go to the books of drawn areas and stay when the case is scored again. Cells whose class differs
    become a reader's verdicts. A CSV holds cells (``x,y,class``) or a reader's score (``score``).

    Parameters
    ----------
    bundle : CaseBundle
    path : Path
        GeoJSON, COCO, ASAP or ImageScope XML, label TIFF, OME-Zarr of labels, or CSV.
    slide : {"he", "ihc"}
        Where the file does not say.
    who : str
        The reader's name, for the log.
    reviewed : bool
        The areas say where everything is labelled.

    Raises
    ------
    CaseError
        If the file cannot be used, or reaches outside the slide.
    """
    log = ReviewLog(bundle.files.review, who)
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return _table(bundle, path, log)
    areas, with_cells = _areas(path, name, bundle, slide)
    if reviewed:
        areas = tuple(replace(area, name=REVIEWED) for area in areas)
    found = _take_areas(bundle, areas, slide, path, log) if areas else Imported()
    return _take_cell_features(bundle, path, log, found) if with_cells else found


def _areas(path: Path, name: str, bundle: CaseBundle, slide: Role) -> tuple[tuple[Area, ...], bool]:
    """Return the areas of a file and whether it may hold cells as well."""
    if name.endswith(".xml"):
        return read_xml_areas(path), False
    if name.endswith((".tif", ".tiff")):
        return _of_raster(read_label_tiff(path), path, bundle, slide), False
    if path.is_dir():
        return _of_raster(read_label_zarr(path), path, bundle, slide), False
    if not name.endswith((".json", ".geojson", ".gz")):
        raise CaseError(f"{path.name} cannot be imported: give GeoJSON, COCO, XML, TIFF, OME-Zarr or CSV")
    if _is_coco(path):
        return read_coco(path), False
    return _geojson_areas(path)


def _is_coco(path: Path) -> bool:
    """Whether JSON begins like COCO; only the first part is read."""
    with reading(path) as file:
        head = file.read(1 << 16)
    return '"categories"' in head and '"FeatureCollection"' not in head[:512]


def _geojson_areas(path: Path) -> tuple[tuple[Area, ...], bool]:
    """Annotations are areas; a file of detections alone holds none."""
    with reading(path) as file:
        begins = file.read(1 << 20)
    cells = any(f'"{kind}"' in begins for kind in ("detection", "cell", "PathDetectionObject"))
    points = '"Point"' in begins
    try:
        areas = tuple(area for area in read_areas(path) if area.kind not in ("detection", "cell", "tile"))
    except CaseError:
        if not points:
            raise
        return (), True
    return areas, cells or points


def _of_raster(raster: LabelRaster, path: Path, bundle: CaseBundle, slide: Role) -> tuple[Area, ...]:
    """Outline each class of a raster over a slide of the case."""
    role: Role = "he" if raster.slide == "he" else "ihc" if raster.slide == "ihc" else slide
    shape = slide_shape(bundle, role)
    level0_px = _level0_px(raster, bundle, role, shape, path)
    values = [int(v) for v in np.unique(raster.labels) if v]
    areas = [
        area
        for value in values
        for area in areas_of_mask(
            raster.labels == value, level0_px, name=_name(raster, value), slide=role, value=value
        )
    ]
    if not areas:
        raise CaseError(f"{path.name} holds nothing but background: there is nothing to import")
    return tuple(areas)


def _name(raster: LabelRaster, value: int) -> str:
    name = raster.names.get(value) or _NAMES.get(value) or f"class {value}"
    return f"HER2 {name}" if name in SCORES else name


def _level0_px(
    raster: LabelRaster, bundle: CaseBundle, role: Role, shape: tuple[int, int], path: Path
) -> float:
    """Level-0 pixels per raster pixel: by its pixel size, or by the size of the field it must cover."""
    slide = bundle.slide(role)
    by_size = shape[1] / raster.labels.shape[1]
    if raster.um_per_px is not None and slide is not None:
        by_size = raster.um_per_px / slide.um_per_px
    covers = np.array(raster.labels.shape) * by_size
    if (np.abs(covers - shape) > max(2 * by_size, 0.01 * max(shape))).any():
        size, whole = f"{covers[1]:.0f} x {covers[0]:.0f}", f"{shape[1]} x {shape[0]}"
        raise CaseError(f"{path.name} covers {size} px, the slide has {whole}: give one of the whole slide")
    return float(by_size)


def _take_areas(
    bundle: CaseBundle, areas: Sequence[Area], slide: Role, path: Path, log: ReviewLog
) -> Imported:
    for area in areas:
        role: Any = area.slide or slide
        rows, cols = slide_shape(bundle, role)
        low, high = area.outline.min(axis=0), area.outline.max(axis=0)
        if (low < -OVERHANG_PX).any() or (high > np.array([rows, cols]) + OVERHANG_PX).any():
            raise CaseError(
                f"{path.name} reaches outside the {role} slide ({cols} x {rows} px): choose the slide it was "
                "drawn on with --slide"
            )
    add_drawn(bundle.files, areas, slide=slide, source=path.name, who=log.who)
    classes: dict[str, int] = {}
    for area in areas:
        classes[area.name or "unnamed"] = classes.get(area.name or "unnamed", 0) + 1
    log.append({"act": "import", "file": path.name, "before": None, "after": {"areas": classes}})
    return Imported(areas=len(areas))


def _take_cell_features(bundle: CaseBundle, path: Path, log: ReviewLog, found: Imported) -> Imported:
    try:
        cells = read_cell_features(path)
    except CaseError:
        if found.areas:  # its detections are of another kind
            return found
        raise
    excluded = [bool(reason) for reason in cells.excluded]
    done = _take_cells(bundle, cells.points_px, cells.classes, excluded, log)
    return replace(found, cells=done.cells, cells_unmatched=done.cells_unmatched)


def _take_cells(
    bundle: CaseBundle,
    points_px: NDArray[np.float64],
    classes: Sequence[str],
    excluded: Sequence[bool],
    log: ReviewLog,
) -> Imported:
    """Log a verdict for each cell that a person sees otherwise than the case."""
    from scipy.spatial import cKDTree

    ours, slide = bundle.cells(), bundle.slide("ihc")
    if slide is None or not len(ours):
        raise CaseError(f"{bundle.folder.name} has no cells that could be corrected: score it first")
    reach = NEAR_UM / slide.um_per_px
    distance, at = cKDTree(ours.points_px).query(points_px, distance_upper_bound=reach)
    verdicts: dict[str, list[int]] = {}
    for k, cell in enumerate(np.where(np.isfinite(distance), at, -1).tolist()):
        if cell < 0:
            continue
        counts, code = bool(ours.evaluable[cell]), int(ours.class_code[cell])
        if excluded[k]:
            if counts:
                verdicts.setdefault("exclude", []).append(cell)
        elif classes[k] != CELL_CLASSES[code]:
            verdicts.setdefault(classes[k], []).append(cell)
    for verdict, rows in verdicts.items():
        before = [
            CELL_CLASSES[ours.class_code[r]]
            + (f" ({EXCLUDED_REASONS[ours.excluded[r]]})" if ours.excluded[r] else "")
            for r in rows
        ]
        log.append(cell_entry(ours.points_px[rows], verdict, before, tool="import"))
    changed = sum(map(len, verdicts.values()))
    return Imported(cells=changed, cells_unmatched=int(np.count_nonzero(~np.isfinite(distance))))


def _table(bundle: CaseBundle, path: Path, log: ReviewLog) -> Imported:
    """Cells as ``x,y,class`` (and ``excluded``), or readings with a ``score``."""
    table = read_csv(path)
    if "class" in table.columns and "x" in table.columns:
        at = table.columns.index("class")
        classes = ["0" if row[at].lower() == "negative" else row[at] for row in table.rows]
        wrong = next((name for name in classes if name not in CELL_CLASSES), None)
        if wrong is not None:
            raise CaseError(f"{path.name} has the class {wrong!r}: name it one of {', '.join(CELL_CLASSES)}")
        out = table.columns.index("excluded") if "excluded" in table.columns else None
        excluded = [out is not None and row[out].lower() not in ("", "false", "0") for row in table.rows]
        return _take_cells(bundle, table.points(), classes, excluded, log)
    case = bundle.folder.absolute().name
    mine = [r for r in read_readings(path) if r.case in ("", case)]
    if not mine:
        raise CaseError(f"{path.name} has no reading of {case}: its column `case` names others")
    for reading_ in mine:
        log.append({"act": READING, "who": reading_.reader or log.who, **json.loads(reading_.to_json())})
    return Imported(readings=len(mine))
