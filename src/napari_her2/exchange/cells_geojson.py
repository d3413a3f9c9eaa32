"""Cells as QuPath's detections, written and read as a stream: a million fit in little memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.classes import cell_class_of, class_of_cell
from napari_her2.exchange.geojson import classification, feature_text
from napari_her2.exchange.opening import reading, writing
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.exchange.geojson import Area

__all__ = ["CellShape", "ReadCells", "read_cell_features", "write_cells_geojson"]

CellShape = Literal["nucleus", "point"]
BLOCK: Final = 20_000
CORNERS: Final = 8
_CHUNK: Final = 1 << 20

MEASUREMENTS: Final = {
    "Membrane: Completeness": "completeness",
    "Membrane: Intensity OD": "intensity_od",
    "Membrane: Width µm": "membrane_width_um",
    "Nucleus: Area µm^2": "nucleus_area_um2",
    "Epithelial": "epithelial",
}
_PLACES: Final = (3, 3, 2, 1, 3)


def write_cells_geojson(
    path: Path,
    cells: CellTable,
    *,
    um_per_px: float,
    areas: Sequence[Area] = (),
    shape: CellShape = "nucleus",
) -> int:
    """Write areas as annotations and cells as detections, one feature a line; ``.gz`` is honoured.

    A nucleus is drawn as an octagon of its measured area about its centre: the table keeps no outline.

    Parameters
    ----------
    path : Path
    cells : CellTable
        (row, col) in level-0 pixels.
    um_per_px : float
        Of level 0.
    areas : sequence of Area
        Written first, so that QuPath can put the cells into them.
    shape : {"nucleus", "point"}

    Returns
    -------
    int
        Number of cells.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with writing(path) as file:
        file.write('{"type": "FeatureCollection", "features": [')
        lines = (feature_text(area) for area in areas)
        first = True
        for line in lines:
            file.write(("\n" if first else ",\n") + line)
            first = False
        _write_cells(file, cells, um_per_px, shape, first=first)
        file.write("\n]}\n")
    return len(cells)


def _write_cells(file: TextIO, cells: CellTable, um_per_px: float, shape: CellShape, *, first: bool) -> None:
    endings = _properties()
    pattern = _pattern(shape)
    for start in range(0, len(cells), BLOCK):
        part = cells.select(np.arange(start, min(start + BLOCK, len(cells))))
        numbers = np.column_stack([_geometry(part, um_per_px, shape), *_values(part)]).tolist()
        kind = (part.class_code.astype(int) * 2 + part.in_tumour) * len(EXCLUDED_REASONS) + part.excluded
        lines = [pattern % (*row, endings[k]) for row, k in zip(numbers, kind.tolist(), strict=True)]
        file.write(("\n" if first and start == 0 else ",\n") + ",\n".join(lines))


def _values(cells: CellTable) -> Iterator[NDArray[np.float64]]:
    for name in MEASUREMENTS.values():
        yield np.nan_to_num(getattr(cells, name).astype(np.float64))


def _properties() -> list[str]:
    """Return the end of a feature by class, tumour and reason."""
    names = (
        class_of_cell(cell_class, reason, in_tumour=in_tumour)
        for cell_class in CELL_CLASSES
        for in_tumour in (False, True)
        for reason in EXCLUDED_REASONS
    )
    return [json.dumps(classification(name)) for name in names]


def _pattern(shape: CellShape) -> str:
    """Return a feature as a pattern for ``%``: geometry, measurements, classification."""
    point = "[%.2f,%.2f]"
    ring = f"[[{','.join([point] * (CORNERS + 1))}]]"
    geometry = (
        f'{{"type":"Polygon","coordinates":{ring}}}'
        if shape == "nucleus"
        else f'{{"type":"Point","coordinates":{point}}}'
    )
    measured = ",".join(
        f"{json.dumps(name, ensure_ascii=False)}:%.{places}f"
        for name, places in zip(MEASUREMENTS, _PLACES, strict=True)
    )
    return (
        f'{{"type":"Feature","geometry":{geometry},"properties":{{"objectType":"detection",'
        f'"measurements":{{{measured}}},"classification":%s}}}}'
    )


def _geometry(cells: CellTable, um_per_px: float, shape: CellShape) -> NDArray[np.float64]:
    """Return x, y of the points of each cell, (n, 2 * points)."""
    x, y = cells.col_px[:, None], cells.row_px[:, None]
    if shape == "point":
        return np.hstack([x, y])
    angle = np.arange(CORNERS + 1) % CORNERS * (2 * np.pi / CORNERS)
    # Area of a regular octagon of radius r: 4 r² sin 45°.
    unit = CORNERS / 2 * np.sin(2 * np.pi / CORNERS)
    area = np.maximum(np.nan_to_num(cells.nucleus_area_um2.astype(np.float64)), 1.0) / um_per_px**2
    radius = np.sqrt(area / unit)[:, None]
    ring = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=-1)
    return ring.reshape(len(cells), -1)


class ReadCells:
    """Cells of a GeoJSON file as columns.

    Attributes
    ----------
    points_px : float64 ndarray of shape (n, 2)
        (row, col): a point itself, or the middle of a polygon.
    classes, excluded : list of str
        Of ``vocabulary.CELL_CLASSES`` and ``EXCLUDED_REASONS``.
    measurements : list of dict
        Empty unless they were asked for: they take most of the memory.
    """

    def __init__(self, *, measurements: bool = False) -> None:
        self._measured = measurements
        self._points: list[tuple[float, float]] = []
        self.classes: list[str] = []
        self.excluded: list[str] = []
        self.measurements: list[dict[str, float]] = []

    @property
    def points_px(self) -> NDArray[np.float64]:
        """Places (n, 2) as (row, col)."""
        return np.array(self._points, np.float64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.classes)

    def add(self, feature: dict[str, Any]) -> None:
        """Take a feature if it is a cell with a class of ours."""
        facts = feature.get("properties") or {}
        named = facts.get("classification")
        found = cell_class_of(str(named.get("name", ""))) if isinstance(named, dict) else None
        place = _middle(feature.get("nucleusGeometry") or feature.get("geometry") or {})
        if found is None or place is None or facts.get("objectType") == "annotation":
            return
        self._points.append(place)
        self.classes.append(found[0])
        self.excluded.append(found[1])
        if self._measured:
            measured = facts.get("measurements")
            self.measurements.append(measured if isinstance(measured, dict) else {})


def _middle(geometry: dict[str, Any]) -> tuple[float, float] | None:
    """Return (row, col) of a point, or the middle of mass of a polygon's ring."""
    kind, at = geometry.get("type"), geometry.get("coordinates")
    try:
        if kind == "Point":
            return float(at[1]), float(at[0])  # type: ignore[index]
        if kind == "Polygon":
            return _centroid([(float(pair[0]), float(pair[1])) for pair in at[0]])  # type: ignore[index]
    except (TypeError, ValueError, IndexError):
        return None
    return None


def _centroid(ring: list[tuple[float, float]]) -> tuple[float, float]:
    """Middle of mass of a ring of x, y as (row, col); plain numbers, since rings are short and many."""
    x0, y0 = ring[0]  # as origin, so that nothing cancels far from the corner
    twice = along_x = along_y = 0.0
    for (xa, ya), (xb, yb) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = (xa - x0) * (yb - y0) - (xb - x0) * (ya - y0)
        twice += cross
        along_x += (xa + xb - 2 * x0) * cross
        along_y += (ya + yb - 2 * y0) * cross
    if not twice:
        return sum(y for _, y in ring) / len(ring), sum(x for x, _ in ring) / len(ring)
    return y0 + along_y / (3 * twice), x0 + along_x / (3 * twice)


def read_cell_features(path: Path, *, measurements: bool = False) -> ReadCells:
    """Read the cells of a GeoJSON file, feature by feature.

    Takes detections, cells and points whose class is one of ours (``3+``, ``Tumor: 3+``, ``Negative``).

    Raises
    ------
    CaseError
        If it is no GeoJSON or holds no such cell.
    """
    found = ReadCells(measurements=measurements)
    with reading(path) as file:
        for feature in _features(file, path):
            found.add(feature)
    if not len(found):
        raise CaseError(f"{path.name} holds no cell with a class of HER2: name them 0, 1+, 2+, 3+ or unusual")
    return found


def _features(file: TextIO, path: Path) -> Iterator[dict[str, Any]]:
    """Decode the features of a collection or list one by one, reading as much as needed."""
    buffer = file.read(_CHUNK)
    start = _first_feature(buffer, path)
    decoder = json.JSONDecoder()
    at = start
    while True:
        while at < len(buffer) and buffer[at] in " \t\r\n,":
            at += 1
        if at < len(buffer) and buffer[at] == "]":
            return
        try:
            feature, at = decoder.raw_decode(buffer, at)
        except ValueError as error:
            more = file.read(_CHUNK)
            if not more:
                raise CaseError(f"{path.name} ends in the middle of a feature: write it again") from error
            buffer, at = buffer[at:] + more, 0
            continue
        if not isinstance(feature, dict):
            raise CaseError(f"{path.name} holds something that is no feature: export the cells again")
        yield feature


def _first_feature(text: str, path: Path) -> int:
    """Return where the list of features begins."""
    if text.lstrip().startswith("["):
        return text.index("[") + 1
    key = text.find('"features"')
    bracket = text.find("[", key)
    if key < 0 or bracket < 0:
        raise CaseError(f"{path.name} is no GeoJSON with features: export the cells again")
    return bracket + 1
