"""Files of other programs, in and out: vectors, label rasters, tables, training tiles, DICOM."""

from __future__ import annotations

from napari_her2.exchange.case_in import Imported, import_file
from napari_her2.exchange.case_out import FORMATS, Exported, ExportWishes, export_case
from napari_her2.exchange.cells_geojson import ReadCells, read_cell_features, write_cells_geojson
from napari_her2.exchange.coco import read_coco, write_coco
from napari_her2.exchange.csv_files import CsvTable, read_csv, write_cells_csv, write_csv
from napari_her2.exchange.dicom_out import write_dicom_annotations, write_dicom_segmentation
from napari_her2.exchange.dicom_source import DicomSlide, of_dicom_files
from napari_her2.exchange.drawn import add_drawn, areas_on, drawn_areas
from napari_her2.exchange.geojson import Area, read_areas, write_areas
from napari_her2.exchange.label_tiff import LabelRaster, read_label_tiff, write_label_tiff
from napari_her2.exchange.label_zarr import read_label_zarr, write_label_zarr
from napari_her2.exchange.outlines import areas_of_mask
from napari_her2.exchange.readings import Reading, read_readings, readings_of_log
from napari_her2.exchange.shapes import slide_path
from napari_her2.exchange.tiles import (
    LabelSource,
    TilesWritten,
    TileWishes,
    labels_of_areas,
    split_of,
    write_tiles,
)
from napari_her2.exchange.xml_files import read_xml_areas

__all__ = [
    "FORMATS",
    "Area",
    "CsvTable",
    "DicomSlide",
    "ExportWishes",
    "Exported",
    "Imported",
    "LabelRaster",
    "LabelSource",
    "ReadCells",
    "Reading",
    "TileWishes",
    "TilesWritten",
    "add_drawn",
    "areas_of_mask",
    "areas_on",
    "drawn_areas",
    "export_case",
    "import_file",
    "labels_of_areas",
    "of_dicom_files",
    "read_areas",
    "read_cell_features",
    "read_coco",
    "read_csv",
    "read_label_tiff",
    "read_label_zarr",
    "read_readings",
    "read_xml_areas",
    "readings_of_log",
    "slide_path",
    "split_of",
    "write_areas",
    "write_cells_csv",
    "write_cells_geojson",
    "write_coco",
    "write_csv",
    "write_dicom_annotations",
    "write_dicom_segmentation",
    "write_label_tiff",
    "write_label_zarr",
    "write_tiles",
]
