"""Cells of an HER2 IHC without any trained weights: nuclei, membranes, classes."""

from __future__ import annotations

from napari_her2.cells.accuracy import ENGINE_BIAS_POINTS, FALSE_FAINT_PERCENT, FALSE_FAINT_UPPER_PERCENT
from napari_her2.cells.calibrate import calibrate
from napari_her2.cells.detect import detect_cells, separates_faint, slide_stain
from napari_her2.cells.keeping import TileKeeper
from napari_her2.cells.settings import COARSEST_FAINT_UM_PER_PX, COARSEST_UM_PER_PX, CellSettings
from napari_her2.cells.table import CellTable
from napari_her2.cells.unread import Unread, find_unread

__all__ = [
    "COARSEST_FAINT_UM_PER_PX",
    "COARSEST_UM_PER_PX",
    "ENGINE_BIAS_POINTS",
    "FALSE_FAINT_PERCENT",
    "FALSE_FAINT_UPPER_PERCENT",
    "CellSettings",
    "CellTable",
    "TileKeeper",
    "Unread",
    "calibrate",
    "detect_cells",
    "find_unread",
    "separates_faint",
    "slide_stain",
]
