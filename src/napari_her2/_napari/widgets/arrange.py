"""Where the plugin's docks go in the window."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt

__all__ = [
    "HELP",
    "LINKED",
    "NAVIGATOR",
    "PARTS_DOCK",
    "QUEUE",
    "bring_layer_docks",
    "open_dock",
    "put_layer_docks_away",
]

PLUGIN = "napari-her2"
LINKED = "Linked H&E ↔ IHC view"
QUEUE = "Review queue"
PARTS_DOCK = "Analyse parts"
HELP = "HER2 help"
NAVIGATOR = "Navigator"
PANEL_PX = 385
"""Width of the case panel with its frame."""

AREAS = {
    LINKED: Qt.DockWidgetArea.LeftDockWidgetArea,
    "HER2 worklist": Qt.DockWidgetArea.BottomDockWidgetArea,
    QUEUE: Qt.DockWidgetArea.BottomDockWidgetArea,
    PARTS_DOCK: Qt.DockWidgetArea.LeftDockWidgetArea,
    NAVIGATOR: Qt.DockWidgetArea.LeftDockWidgetArea,
    HELP: Qt.DockWidgetArea.LeftDockWidgetArea,
}
TABBED = {NAVIGATOR: 0, PARTS_DOCK: 1, HELP: 1}
"""Docks that share the place of napari's layer controls (0) or layer list (1)."""
LAYERS_PX = 290


def open_dock(viewer: Any, name: str, *_: Any) -> Any:
    """Open a dock of the plugin where it belongs (or find it open), and return its widget."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    dock, made = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    area = AREAS.get(name)
    window = viewer.window._qt_window
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    if area is not None and window.dockWidgetArea(dock) != area:
        window.addDockWidget(area, dock)
        if name in TABBED and _layer_docks(viewer)[TABBED[name]].isVisible():
            window.tabifyDockWidget(_layer_docks(viewer)[TABBED[name]], dock)
    dock.show()
    dock.raise_()
    if name == LINKED:
        free = window.width() - PANEL_PX
        window.resizeDocks([dock], [free // 2], Qt.Orientation.Horizontal)
    return made


def _layer_docks(viewer: Any) -> tuple[Any, Any]:
    """Return napari's docks of layer controls and layer list."""
    qt_viewer = viewer.window._qt_viewer
    return qt_viewer.dockLayerControls, qt_viewer.dockLayerList


def put_layer_docks_away(viewer: Any) -> list[Any]:
    """Make room for a second canvas; return the docks that were hidden for it."""
    shown = [dock for dock in _layer_docks(viewer) if dock.isVisible()]
    for dock in shown:
        dock.hide()
    return shown


def bring_layer_docks(viewer: Any, docks: list[Any]) -> None:
    """Show docks again that were put away, unless the window is closing."""
    window = viewer.window._qt_window
    if window.isVisible():
        for dock in docks:
            dock.show()
        window.resizeDocks(docks, [LAYERS_PX] * len(docks), Qt.Orientation.Horizontal)
