"""The dock "Correct masks"."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_her2._napari.editing_case import corrections_folder
from napari_her2._napari.editing_lanes import ThreadLanes
from napari_her2._napari.editing_state import TOOLS, EditState
from napari_her2._napari.editing_suite import EditSuite
from napari_her2._napari.shortcuts import keys_in
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.editing_areas import AreasBox, ReviewedBox
from napari_her2._napari.widgets.editing_cells import CellsBox
from napari_her2._napari.widgets.editing_paint import PaintBox
from napari_her2._napari.widgets.editing_start import StartBox
from napari_her2._napari.widgets.parts import MessageBar, label, scrolled, shown

if TYPE_CHECKING:
    import napari

__all__ = ["EditDock"]

WIDTH_PX = 388
LOOK_MS = 120
"""The window follows the view when it has rested for so long."""

PAGES = {"paint": "Paint", "areas": "Areas", "cells": "Cells"}
STATE = ("kind", "settings", "can_undo", "can_redo", "covered", "message")
STATUS = ("saving", "last", "under", "message", "kind")


class _Hop(QObject):
    """Brings what the lanes found to the window's thread."""

    came = Signal(object)


class EditDock(Docked):
    """Correct masks, draw areas, judge cells.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._ended: list[bool] = []
        self._hop = _Hop()
        self._hop.came.connect(partial(_call, self._ended))
        lanes = ThreadLanes(self._hop.came.emit)
        loader = self.studio.refresher.loader
        self.suite = EditSuite(self.viewer, self.session, lanes, loader, partial(QTimer.singleShot, 0))
        self.state, self.editor = self.suite.state, self.suite.editor
        self.suite.canvas.attached = self._attached
        self.suite.shown = self._show_overview
        # Timers of the dock's own: they die with it.
        self._timer, self._stopper = _timer(self, LOOK_MS, self.suite.look), _timer(self, 0, self.suite.stop)
        self.destroyed.connect(partial(_gone, self.suite, self._ended))
        self._build()
        self._connect()
        self._connect_boxes()
        self._turn("paint")
        self._show()
        self.begin()

    def _build(self) -> None:
        self.message, self.start = MessageBar(), StartBox()
        self.paint, self.areas, self.cells, self.reviewed = PaintBox(), AreasBox(), CellsBox(), ReviewedBox()
        self.hint, self.status = label("", "small", wrap=True), label("", "small")
        self.retry = QPushButton("Try again")
        self.pages = _Pages(self._turn)
        boxes = (self.start, self.pages, self.hint, self.paint, self.areas, self.cells, self.reviewed)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scrolled((self.message, *boxes), 6), 1)
        line = QHBoxLayout()
        line.setContentsMargins(8, 2, 8, 4)
        line.addWidget(self.status, 1)
        line.addWidget(self.retry)
        whole.addLayout(line)
        self.setMinimumWidth(WIDTH_PX)

    def _connect(self) -> None:
        suite = self.suite
        self.watch(self._show, "he", "ihc", "result", "settings")
        camera = self.viewer.scene.camera.events
        self.follow(self._moved, camera.center, camera.zoom, self.viewer.canvas.events.size)
        self.follow(self._removed, self.viewer.layers.events.removed)
        self.follow(self._show, *(getattr(self.state.events, name) for name in STATE))
        self.follow(self._show_status, *(getattr(self.state.events, name) for name in STATUS))
        areas, cells = suite.areas.areas.events, suite.cells.cells.events
        self.follow(self._show_areas, areas.version, areas.chosen, areas.tool, areas.name, areas.tolerance_um)
        self.follow(self._show_cells, cells.verdict, cells.result, cells.counting, cells.verdicts)
        self.start.started.connect(suite.start)
        self.start.stopped.connect(suite.stop)
        self.start.folder_asked.connect(self._ask_folder)
        self.retry.clicked.connect(self.editor.save)
        self.message.dismissed.connect(lambda: setattr(self.state, "message", None))

    def _connect_boxes(self) -> None:
        suite, editor = self.suite, self.editor
        self.paint.changed.connect(suite.change)
        self.paint.class_chosen.connect(editor.choose_class)
        self.paint.undone.connect(editor.undo)
        self.paint.redone.connect(editor.redo)
        self.paint.next_asked.connect(suite.places.next)
        box, areas = self.areas, suite.areas
        box.tool_taken.connect(areas.take)
        box.class_chosen.connect(areas.set_class)
        box.joined.connect(areas.combine)
        box.chosen.connect(lambda keys: areas.choose(*keys))
        box.went.connect(suite.go_to_area)
        box.removed.connect(areas.remove)
        box.filled.connect(suite.fill_mask)
        box.tolerance_set.connect(self._preview)
        box.simplified.connect(areas.simplify)
        box.undone.connect(areas.undo)
        box.redone.connect(areas.redo)
        self.cells.verdict_chosen.connect(lambda name: setattr(suite.cells.cells, "verdict", name))
        self.cells.undone.connect(suite.cells.undo)
        self.reviewed.drawn.connect(suite.mark_reviewed)
        self.reviewed.next_asked.connect(suite.go_to_left)

    def _turn(self, page: Any) -> None:
        """Show a page."""
        for name, box in (("paint", self.paint), ("areas", self.areas), ("cells", self.cells)):
            box.setVisible(name == page)
        self.pages.choose(page)
        self.suite.turn_to(page)

    def _preview(self, tolerance_um: float) -> None:
        self.suite.areas.areas.tolerance_um = tolerance_um
        self.suite.areas.redraw()

    def _attached(self, layer: Any) -> None:
        """Give the edit window its mouse and its keys; they act while it is the active layer."""
        suite, editor = self.suite, self.editor
        suite.tools.attach(layer)
        acts: dict[str, Any] = {f"class_{n + 1}": partial(editor.choose_class, n) for n in range(9)}
        acts |= {name: partial(suite.change, {"tool": name}) for name in TOOLS}
        acts |= {"undo": editor.undo, "redo": editor.redo}
        acts |= {"next_place": suite.places.next, "previous_place": partial(suite.places.next, -1)}
        keys = keys_in("paint")
        for name, act in acts.items():
            layer.bind_key(keys[name], _key(act), overwrite=True)
        layer.bind_key(keys["peek"], self._peek, overwrite=True)

    def _peek(self, _: Any) -> Any:
        self.suite.canvas.peek(True)
        yield
        self.suite.canvas.peek(False)

    def _moved(self, *_: Any) -> None:
        if self.state.active:
            self._timer.start()

    def _removed(self, event: Any) -> None:
        """Save and stop where a person takes the slide or the window out of the viewer."""
        canvas = self.suite.canvas
        if self.state.active and event.value in (canvas._slide, canvas.layer, canvas.whole):
            self._stopper.start()

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for corrections")
        if chosen:
            self.suite.folder = Path(chosen)
            self._show()

    def _show(self, *_: Any) -> None:
        state = self.state
        folder = corrections_folder(self.session, self.suite.folder)
        self.start.show_session(self.session, state, folder)
        self.paint.show_state(state)
        message = state.message
        self.message.show_message(message.text if message else "", message.kind if message else "info")
        shown(self.hint, _hint(state))
        self._show_status()
        self._show_areas()
        self._show_cells()
        self.reviewed.show_overview(self.suite.reviewed.latest if state.active else None, active=state.active)

    def _show_status(self, *_: Any) -> None:
        """Show what is under the mouse and what is saved; called at every move of the mouse."""
        state = self.state
        self.status.setText(_status(state))
        wrong = state.message is not None and state.message.kind == "error"
        self.retry.setVisible(state.saving > 0 and wrong)

    def _show_areas(self, *_: Any) -> None:
        self.areas.show_areas(self.suite.areas, can_fill=self.state.active)

    def _show_cells(self, *_: Any) -> None:
        self.cells.show_cells(self.suite.cells)

    def _show_overview(self, overview: Any) -> None:
        self.reviewed.show_overview(overview, active=self.state.active)

    def closed(self) -> None:
        """Save what is under way and take the layers away."""
        self._timer.stop()
        self._ended.append(True)
        self.suite.close()


def _timer(dock: QWidget, ms: int, act: Any) -> QTimer:
    """Return a timer that acts once, some time after it was started last."""
    timer = QTimer(dock)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    timer.timeout.connect(act)
    return timer


def _gone(suite: EditSuite, ended: list[bool], *_: Any) -> None:
    """Save what is under way after the whole window was closed: the dock went without leaving."""
    if not ended:
        ended.append(True)
        suite.halt()


class _Pages(QWidget):
    """Paint, areas or cells."""

    def __init__(self, chosen: Any) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self.buttons = {}
        for name, words in PAGES.items():
            button = QPushButton(words)
            button.setCheckable(True)
            button.setObjectName("page")
            button.clicked.connect(lambda _=False, name=name: chosen(name))
            self._group.addButton(button)
            self.buttons[name] = button
            row.addWidget(button, 1)

    def choose(self, name: str) -> None:
        """Show which page is open."""
        self.buttons[name].setChecked(True)


def _call(ended: list[bool], act: Any) -> None:
    """Do what a lane asks for; nothing once the dock is gone."""
    if not ended:
        act()


def _key(act: Any) -> Any:
    return lambda _: act()


def _hint(state: EditState) -> str:
    if not state.active or state.covered:
        return ""
    return (
        "Zoom in to paint: at this power a brush would be too coarse. The mask is shown, areas can be drawn."
    )


def _status(state: EditState) -> str:
    if not state.active:
        return ""
    saved = f"Saving {state.saving}…" if state.saving else state.last or "All saved"
    return f"{saved}   ·   {state.under}" if state.under else saved
