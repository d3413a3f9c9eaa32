"""The case: its folder, its report, its tables, and the finished stages of a run."""

from __future__ import annotations

from napari_her2.case.bundle import (
    CASE_SCHEMA,
    CaseBundle,
    CaseFiles,
    CaseSlide,
    RasterName,
    is_case,
    read_case,
    seal,
)
from napari_her2.case.packing import pack, unpack
from napari_her2.case.report import REPORT_SCHEMA, Agreement, Report, report_from_json
from napari_her2.case.stages import StageStore, key_of
from napari_her2.case.tables import (
    PatchTable,
    read_cells,
    read_patches,
    write_cells,
    write_patches,
    write_table,
)
from napari_her2.case.whereabouts import cache_folder, find_slide, remember_slide

__all__ = [
    "CASE_SCHEMA",
    "REPORT_SCHEMA",
    "Agreement",
    "CaseBundle",
    "CaseFiles",
    "CaseSlide",
    "PatchTable",
    "RasterName",
    "Report",
    "StageStore",
    "cache_folder",
    "find_slide",
    "is_case",
    "key_of",
    "pack",
    "read_case",
    "read_cells",
    "read_patches",
    "remember_slide",
    "report_from_json",
    "seal",
    "unpack",
    "write_cells",
    "write_patches",
    "write_table",
]
