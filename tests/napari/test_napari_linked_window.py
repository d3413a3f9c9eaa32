"""The linked view in a real window: pairs set by the mouse, patches, areas drawn on the H&E."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication
from tests.napari import handmade
from tests.napari.windows import move, open_in, wait

from napari_her2._napari.preparing import Prepared
from napari_her2._napari.roi import Ring
from napari_her2._napari.viewing import visible_um
from napari_her2._napari.widgets.arrange import LINKED, NAVIGATOR, open_dock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.window

SQUARE = np.array([(300.0, 400.0), (300.0, 500.0), (400.0, 500.0), (400.0, 400.0)])


def open_linked(panel: Any, viewer: Any, pair: tuple[Path, Path], case: Path) -> Any:
    """Open the linked view of a pair that is aligned; no fixture, for that would hold it to the end."""
    viewer.window.resize(1280, 800)
    open_in(panel, *pair)
    panel.controller.change(case_folder=case)
    panel.controller._prepared(Prepared(mapping=handmade.mapping(error_um=30.0), outlines={"he": (SQUARE,)}))
    made = open_dock(viewer, LINKED)
    viewer.scene.camera.zoom = 1.0
    viewer.scene.camera.center = (0, 380, 500)
    return made


def at(glass: Any, place: tuple[float, float]) -> QPoint:
    """Return where a place (world µm) lies on a glass."""
    return glass.on_screen(place).toPoint()


def test_pairs_are_set_and_moved_by_the_mouse(
    panel: Any, viewer: Any, pair: tuple[Path, Path], tmp_path: Path, qtbot: Any
) -> None:
    linked = open_linked(panel, viewer, pair, tmp_path / "case")
    left = Qt.MouseButton.LeftButton
    linked.switch_pairs()
    assert linked.pairs.pane.isVisible()
    control = panel.studio.landmarks
    qtbot.mouseClick(linked.glass, left, pos=at(linked.glass, (380, 500)))
    assert control.state.begun is not None
    assert "click the same place on the IHC" in linked.pairs.pane.words.text()
    assert [mark.kind for mark in linked.main_glass._marks] == ["guess"]
    assert linked.main_glass._ring.radius_um == pytest.approx(30.0)
    qtbot.mouseClick(linked.main_glass, left, pos=at(linked.main_glass, (400, 500)))
    wait(lambda: panel.session.refit is not None and not control.state.busy)
    assert linked.pairs.pane.table.rowCount() == 1
    wait(lambda: linked.pairs.pane.table.item(0, 1).text().startswith("20."))
    moved = panel.session.mapping.he_to_ihc_um(np.array([(380.0, 500.0)]))[0]
    assert moved == pytest.approx((398, 500), abs=3)
    he = linked.place_of("he")
    assert he([(380.0, 500.0)])[0] == pytest.approx(moved, abs=2.5), "the H&E lies as the pairs say"

    before = tuple(viewer.scene.camera.center)
    glass = linked.main_glass
    start, end = at(glass, (400, 500)), at(glass, (380, 500))
    qtbot.mousePress(glass, left, pos=start)
    for step in range(1, 6):
        move(glass, start + (end - start) * step / 5)
    qtbot.mouseRelease(glass, left, pos=end)
    wait(lambda: not control.state.busy)
    assert control.state.pairs.ihc_px[0] * handmade.UM == pytest.approx((380, 500), abs=1.5)
    assert tuple(viewer.scene.camera.center) == before, "a drag of a pair moves no slide"
    qtbot.mousePress(glass, left, pos=QPoint(60, 60))
    move(glass, QPoint(90, 80))
    qtbot.mouseRelease(glass, left, pos=QPoint(90, 80))
    assert tuple(viewer.scene.camera.center) != before, "a drag of anything else does"
    assert len(control.state.pairs) == 1
    linked.pairs.pane.buttons["Undo"].click()
    wait(lambda: not control.state.busy)
    assert control.state.pairs.ihc_px[0] * handmade.UM == pytest.approx((400, 500), abs=1.5)
    linked.switch_pairs()
    assert not linked.main_glass._marks
    assert not linked.pairs.pane.isVisible()
    viewer.window.remove_dock_widget(linked.parent())


def test_patches_veil_and_drawing_on_both_canvases(
    panel: Any, viewer: Any, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    linked = open_linked(panel, viewer, pair, tmp_path / "case")
    wait(lambda: linked.shared.found is not None)
    assert "not on both slides" in viewer.layers
    assert linked.side.layer("veil") is not None
    linked.point_at((380.0, 500.0), "ihc")
    for glass, side_um in ((linked.glass, 112.0), (linked.main_glass, 128.0)):
        corners, matched = glass._patch
        assert matched
        assert np.ptp(np.array(corners), axis=0) == pytest.approx((side_um, side_um), abs=0.5)
    linked.patches.click()
    linked.point_at((380.0, 500.0), "ihc")
    assert linked.glass._patch is None
    linked.draw_button.click()
    layers = viewer.layers["tumour"], linked.side.layer("tumour")
    assert [layer.mode for layer in layers] == ["add_polygon", "add_polygon"]
    layers[1].add(SQUARE, shape_type="polygon")
    assert panel.tumour.state.text().startswith("confirmed, 0.01 mm²")
    assert np.asarray(viewer.layers["tumour, carried"].data[0]).min(axis=0) == pytest.approx((300, 400))
    linked.draw_button.click()
    assert [layer.mode for layer in layers] == ["pan_zoom", "pan_zoom"]
    del layers
    viewer.window.remove_dock_widget(linked.parent())
    assert "not on both slides" not in viewer.layers
    assert [ring.role for ring in panel.controller.tumour.rings()] == ["he"]


def test_ruler_circle_and_read_out(panel: Any, viewer: Any, case: Path, qtbot: Any) -> None:
    viewer.window.resize(1280, 800)
    open_in(panel, case)
    glass, left = panel.studio.hud.glass, Qt.MouseButton.LeftButton
    viewer.scene.camera.zoom = 0.8
    viewer.scene.camera.center = (0, 384, 512)
    before = tuple(viewer.scene.camera.center)
    panel.view_box.ruler.click()
    start = at(glass, (300, 400))
    qtbot.mousePress(glass, left, pos=start)
    move(glass, start + QPoint(40, 0))
    move(glass, start + QPoint(80, 0))
    qtbot.mouseRelease(glass, left, pos=start + QPoint(80, 0))
    assert glass._measured[2] == "100 µm"
    assert tuple(viewer.scene.camera.center) == before
    panel.view_box.circle.setValue(0.4)
    place = tuple(panel.session.result.cells.points_um[0])

    def circled() -> bool:
        """The pointer may come before the circle is there: it moves until both are."""
        move(glass, at(glass, place) + QPoint(1, 0))
        move(glass, at(glass, place))
        return glass._circle is not None

    wait(circled)
    assert glass._circle.radius_um == 200.0
    index = panel.session.result.probe.cells
    expected = len(index.in_circle(panel.studio.hud._cursor, 400.0))
    assert glass._lines[1] == f"{expected:,} tumour cells in ⌀ 0.40 mm"
    assert glass._told[0].startswith("cell ")
    hud, first, stood = panel.studio.hud, panel.studio.hud._cursor, at(glass, place)
    panel.controller.canvas.go((380.0, 500.0), 1.0)
    wait(lambda: hud._cursor != first)
    assert glass.on_screen(hud._cursor).toPoint() == stood, "the mouse stood still, the view moved"
    QApplication.sendEvent(glass, QEvent(QEvent.Type.Leave))
    assert glass._told == ()
    assert glass._circle is not None
    panel.view_box.ruler.click()
    assert glass._measured is None
    viewer.scene.camera.zoom = 0.1
    assert panel.controller.canvas.layer("density").visible
    assert not panel.controller.canvas.layer("cells").visible
    panel.studio.hud.switch_circle()
    assert "in view" in glass._lines[1]
    viewer.scene.camera.zoom = 1.0
    before = glass._lines[1]
    viewer.window.resize(1000, 620)

    def counted_again() -> bool:
        corners = visible_um(viewer)
        there = int(index.by_class(index.within(corners.min(axis=0), corners.max(axis=0))).sum())
        return bool(glass._lines[1] == f"{there:,} tumour cells in view" != before)

    wait(counted_again)


def test_navigator_shows_the_case_in_small(panel: Any, viewer: Any, case: Path) -> None:
    open_in(panel, case)
    dock = open_dock(viewer, NAVIGATOR)
    wait(lambda: dock.small is not None)
    assert set(dock.small.maps) == {"heat"} - ({"heat"} if panel.session.mapping is None else set())
    assert len(dock.areas) == len(panel.session.outlines.get("ihc", ()))
    plain = dock.picture.grab().toImage()
    panel.controller.canvas.fill_drawing([Ring("ihc", SQUARE)])
    assert len(dock.areas) == 1
    np.testing.assert_allclose(dock.areas[0], SQUARE)
    assert dock.picture.grab().toImage() != plain, "what a person draws is seen in small at once"
    dock.switches["tumour"].click()
    wait(lambda: True)
    viewer.window.remove_dock_widget(dock.parent())
