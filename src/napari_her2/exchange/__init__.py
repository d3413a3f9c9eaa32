"""Files of other programs: GeoJSON and CSV, in and out."""

from __future__ import annotations

from napari_her2.exchange.csv_files import CsvTable, read_csv, write_cells_csv, write_csv
from napari_her2.exchange.geojson import Area, read_areas, write_areas
from napari_her2.exchange.outlines import areas_of_mask

__all__ = [
    "Area",
    "CsvTable",
    "areas_of_mask",
    "read_areas",
    "read_csv",
    "write_areas",
    "write_cells_csv",
    "write_csv",
]
