"""Where the plugin's docks go in the window."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt

__all__ = ["LINKED", "PARTS_DOCK", "QUEUE", "open_dock"]

PLUGIN = "napari-her2"
LINKED = "Linked H&E ↔ IHC view"
QUEUE = "Review queue"
PARTS_DOCK = "Analyse parts"
AREAS = {
    LINKED: Qt.DockWidgetArea.LeftDockWidgetArea,
    "HER2 worklist": Qt.DockWidgetArea.BottomDockWidgetArea,
    QUEUE: Qt.DockWidgetArea.BottomDockWidgetArea,
    PARTS_DOCK: Qt.DockWidgetArea.LeftDockWidgetArea,
}


def open_dock(viewer: Any, name: str, *_: Any) -> Any:
    """Open a dock of the plugin where it belongs (or find it open), and return its widget."""
    dock, made = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    area = AREAS.get(name)
    window = viewer.window._qt_window
    if area is not None and window.dockWidgetArea(dock) != area:
        window.addDockWidget(area, dock)
    dock.show()
    return made
