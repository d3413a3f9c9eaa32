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
from napari_her2.case.handing import PACKED, is_packed_case, pack_case, unpack_case
from napari_her2.case.packing import pack, unpack
from napari_her2.case.report import REPORT_SCHEMA, Agreement, CallAgreement, Report, report_from_json
from napari_her2.case.sealing import (
    SealCheck,
    SlideCheck,
    contents,
    relink_slide,
    seal_case,
    seal_of,
    verify_case,
)
from napari_her2.case.stages import StageStore, key_of
from napari_her2.case.study import STUDY_FILE, STUDY_SCHEMA, Study, find_study
from napari_her2.case.tables import (
    PatchTable,
    read_cells,
    read_patches,
    write_cells,
    write_patches,
    write_table,
)
from napari_her2.case.whereabouts import cache_folder, find_slide, remember_slide
from napari_her2.case.worklist import WorklistCase, neighbour, open_worklist, refreshed
from napari_her2.case.worklist_notes import DeskNote, read_note, write_note

__all__ = [
    "CASE_SCHEMA",
    "PACKED",
    "REPORT_SCHEMA",
    "STUDY_FILE",
    "STUDY_SCHEMA",
    "Agreement",
    "CallAgreement",
    "CaseBundle",
    "CaseFiles",
    "CaseSlide",
    "DeskNote",
    "PatchTable",
    "RasterName",
    "Report",
    "SealCheck",
    "SlideCheck",
    "StageStore",
    "Study",
    "WorklistCase",
    "cache_folder",
    "contents",
    "find_slide",
    "find_study",
    "is_case",
    "is_packed_case",
    "key_of",
    "neighbour",
    "open_worklist",
    "pack",
    "pack_case",
    "read_case",
    "read_cells",
    "read_note",
    "read_patches",
    "refreshed",
    "relink_slide",
    "remember_slide",
    "report_from_json",
    "seal",
    "seal_case",
    "seal_of",
    "unpack",
    "unpack_case",
    "verify_case",
    "write_cells",
    "write_note",
    "write_patches",
    "write_table",
]
