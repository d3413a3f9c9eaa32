"""The dock "Correct masks" in a real window."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari.windows import move, open_in, wait

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.window


def test_flow_paint_keys_undo_areas_cells_and_close(viewer: Any, case: Path) -> None:
    layers, keys = list(viewer.layers), dict(viewer.keymap)
    dock, made = viewer.window.add_plugin_dock_widget("napari-her2", "Correct masks")
    open_in(made, case)
    suite, state = made.suite, made.state
    made.start.reader.setText("A. Reader")
    made.start.start_button.click()
    wait(lambda: state.active)
    suite.canvas.go_to(384, 512, 200)
    wait(lambda: state.covered)
    layer = suite.canvas.layer
    assert layer.data.size <= 2048**2
    assert viewer.layers.selection.active.name == layer.name
    bound = {str(key): act for key, act in layer.keymap.items()}
    every = [*layer.keymap.values(), *viewer.keymap.values()]
    assert all(hasattr(act, "__name__") for act in every), "napari asks each for its name at any key"
    bound["5"](layer)
    assert (layer.mode, layer.selected_label) == ("paint", 4)
    with layer.block_history():
        for col_um in (480, 500, 520):
            at = layer.world_to_data((384, col_um))
            layer._draw(layer.selected_label, at, at)
    wait(lambda: state.saving == 0 and state.can_undo)
    assert made.paint.undo_button.isEnabled()
    assert (layer.data == 4).any()
    peek = bound["V"](layer)
    next(peek)
    assert layer.opacity == 0
    next(peek, None)
    assert layer.opacity == state.settings.opacity
    bound["Ctrl+Z"](layer)
    wait(lambda: not state.can_undo and not (suite.canvas.layer.data == 4).any())
    entries = [json.loads(line) for line in (case / "review.jsonl").read_text().splitlines()]
    assert [(e["act"], e["who"]) for e in entries] == [("paint", "A. Reader"), ("undo", "A. Reader")]
    made.pages.buttons["cells"].click()
    wait(lambda: suite.cells.cells.result is not None)
    assert made.cells.isVisible()
    assert "1,000 cells" in made.cells.before.text()
    made.pages.buttons["areas"].click()
    made.areas.tools["polygon"].click()
    pen = viewer.layers.selection.active
    pen.add(np.array([(300.0, 400), (300, 500), (380, 500), (380, 400)]), shape_type="polygon")
    wait(lambda: made.areas.model.rowCount() == 1)
    assert made.areas.model.data(made.areas.model.index(0, 0)) == "Tumor"
    viewer.window.remove_dock_widget(dock)
    wait(lambda: not any(t.name.startswith("her2-edit") for t in threading.enumerate()))
    assert list(viewer.layers) == layers
    assert dict(viewer.keymap) == keys


def test_the_page_fits_and_says_why_not(viewer: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, made = viewer.window.add_plugin_dock_widget("napari-her2", "Correct masks")
    assert made.start.start_button.text() == "Open a slide first"
    assert not made.start.start_button.isEnabled()
    open_in(made, *pair)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    made.controller.change(case_folder=locked / "case")
    made.start.start_button.click()
    wait(lambda: state_message(made) != "")
    assert "read-only" in state_message(made)
    locked.chmod(0o755)
    for page in ("paint", "areas", "cells"):
        made.pages.buttons[page].click()
        wait(lambda: True)
        from qtpy.QtWidgets import QScrollArea

        area = made.findChild(QScrollArea)
        assert area.widget().minimumSizeHint().width() <= area.viewport().width(), (
            f"{page}: nothing is clipped"
        )


def state_message(made: Any) -> str:
    return "" if made.state.message is None else str(made.state.message.text)


def canvas_widget() -> Any:
    """Return the widget that napari draws on."""
    from qtpy.QtWidgets import QApplication

    found = [w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop"]
    return next(w for w in found if w.isVisible())


def point(viewer: Any, native: Any, place_um: tuple[float, float]) -> Any:
    """Bring the mouse to a place of the world; the canvas may still change its size as the window settles.

    A click before its move has come leaves two equal corners, of which napari draws one anywhere.
    """
    from qtpy.QtCore import QPoint

    from napari_her2._napari.worker import wait_until

    camera = viewer.scene.camera

    def arrived() -> bool:
        return bool(np.allclose(viewer.cursor.position[-2:], place_um, atol=2 / camera.zoom))

    for _ in range(20):
        y, x = (
            (at - middle) * camera.zoom + size / 2
            for at, middle, size in zip(
                place_um, camera.center[-2:], (native.height(), native.width()), strict=True
            )
        )
        at = QPoint(round(x), round(y))
        for step in (QPoint(4, 4), QPoint(0, 0)):  # a mouse that is there already tells nothing
            move(native, at + step)
            wait_until(lambda: False, 0.05)  # of two moves at once the second is dropped
        if wait_until(arrived, 0.5):
            return at
    raise AssertionError(f"the mouse is at {viewer.cursor.position}, not at {place_um}")


def click(viewer: Any, places_um: list[tuple[float, float]], *, double_at_end: bool) -> None:
    """Click places of the world with the mouse, as a hand does; a double-click is press, release, double."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_her2._napari.worker import wait_until

    native, left = canvas_widget(), Qt.MouseButton.LeftButton
    for number, place in enumerate(places_um):
        at = point(viewer, native, place)
        QTest.mouseClick(native, left, pos=at)
        if double_at_end and number == len(places_um) - 1:
            QTest.mouseDClick(native, left, pos=at)
        wait_until(lambda: False, 0.1)


def drag(viewer: Any, start_um: tuple[float, float], end_um: tuple[float, float]) -> None:
    """Press, move in steps, release."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    from napari_her2._napari.worker import wait_until

    native, left, camera = canvas_widget(), Qt.MouseButton.LeftButton, viewer.scene.camera
    size = native.height(), native.width()

    def at(part: float) -> QPoint:
        row, col = (a + part * (b - a) for a, b in zip(start_um, end_um, strict=True))
        y = (row - camera.center[-2]) * camera.zoom + size[0] / 2
        return QPoint(round((col - camera.center[-1]) * camera.zoom + size[1] / 2), round(y))

    move(native, at(0))
    QTest.mousePress(native, left, pos=at(0))
    for part in (0.3, 0.6, 0.9, 1.0):
        move(native, at(part), left)
        wait_until(lambda: False, 0.1)
    QTest.mouseRelease(native, left, pos=at(1.0))
    wait_until(lambda: False, 0.1)


@pytest.mark.parametrize("tool", ["polygon", "rectangle"])
def test_areas_are_drawn_by_hand(viewer: Any, case: Path, tool: str) -> None:
    _, made = viewer.window.add_plugin_dock_widget("napari-her2", "Correct masks")
    open_in(made, case)
    suite = made.suite
    made.start.start_button.click()
    wait(lambda: made.state.active)
    suite.canvas.go_to(340, 450, 300)
    wait(lambda: made.state.covered)
    made.pages.buttons["areas"].click()
    made.areas.tools[tool].click()
    corners = [(300.0, 400.0), (300.0, 500.0), (380.0, 500.0), (380.0, 400.0)]
    if tool == "polygon":
        click(viewer, corners, double_at_end=True)
        wait(lambda: len(suite.areas.book) == 1)
        click(viewer, [(row, col + 30) for row, col in corners], double_at_end=True)
        wait(lambda: len(suite.areas.book) == 2)
    else:
        drag(viewer, corners[0], corners[2])
        wait(lambda: len(suite.areas.book) == 1)
    um = suite.case.target.um_per_px
    for number, area in enumerate(suite.areas.book):
        top, left, bottom, right = (value * um for value in area.shape.bounds)
        shift = 30 * number
        assert np.allclose((top, left, bottom, right), (300, 400 + shift, 380, 500 + shift), atol=1.5)
        assert area.corners <= 5
    pen = suite.areas._drawing
    assert len(pen.data) == 0, "the pen is free for the next"
