"""The panels; Qt lives here."""

from __future__ import annotations

from napari_her2._napari.widgets.help_dock import HelpDock
from napari_her2._napari.widgets.linked_dock import LinkedDock
from napari_her2._napari.widgets.navigator import NavigatorDock
from napari_her2._napari.widgets.panel import CasePanel
from napari_her2._napari.widgets.parts_dock import HeatMapDock, MaskFormerDock, PartsDock, StainDock
from napari_her2._napari.widgets.review_dock import ReviewDock
from napari_her2._napari.widgets.worklist_dock import WorklistDock

__all__ = [
    "CasePanel",
    "HeatMapDock",
    "HelpDock",
    "LinkedDock",
    "MaskFormerDock",
    "NavigatorDock",
    "PartsDock",
    "ReviewDock",
    "StainDock",
    "WorklistDock",
]
