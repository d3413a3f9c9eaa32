"""Where results are kept: atomic files, folder locks, and the only writer of zarr.

Nothing here knows what the bytes mean. Heavy libraries are imported by the function that needs them.
"""

from __future__ import annotations

from napari_her2.store.files import (
    read_json,
    replacing,
    replacing_folder,
    sha256_of,
    writable_folder,
    write_bytes,
    write_json,
)
from napari_her2.store.journal import Journal, read_journal
from napari_her2.store.label_pyramid import LabelPyramid
from napari_her2.store.live import LiveRaster
from napari_her2.store.locks import FolderLock
from napari_her2.store.multiscale import Multiscale, MultiscaleWriter, read_multiscale, write_multiscale
from napari_her2.store.results import Results, ResultStore, open_own_folder, read_results

__all__ = [
    "FolderLock",
    "Journal",
    "LabelPyramid",
    "LiveRaster",
    "Multiscale",
    "MultiscaleWriter",
    "ResultStore",
    "Results",
    "open_own_folder",
    "read_journal",
    "read_json",
    "read_multiscale",
    "read_results",
    "replacing",
    "replacing_folder",
    "sha256_of",
    "writable_folder",
    "write_bytes",
    "write_json",
    "write_multiscale",
]
