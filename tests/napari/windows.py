"""Waiting for a real window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 60.0


def wait(done: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    from napari_her2._napari.worker import wait_until

    assert wait_until(done, SECONDS)


def open_in(panel: Any, *paths: Path) -> None:
    """Open and wait until all of it is on the screen."""
    from napari_her2._napari.worker import refresher

    panel.controller.open(paths)
    wait(lambda: not panel.session.busy)
    wait(lambda: refresher().idle)


def move(widget: Any, at: Any, button: Any = None) -> None:
    """Tell a widget of a move of the mouse; the display's pointer is shared with other tests' windows."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    none = Qt.MouseButton.NoButton
    there = QPointF(at), QPointF(widget.mapToGlobal(at))
    event = QMouseEvent(QEvent.Type.MouseMove, *there, none, button or none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)
