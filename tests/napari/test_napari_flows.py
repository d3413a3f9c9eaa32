"""Real napari windows: from a pair to the signed case, with every dock, and nothing left behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade
from tests.napari.windows import open_in, wait

from napari_her2._napari import running
from napari_her2._napari.preparing import Prepared
from napari_her2._napari.widgets.arrange import LINKED, NAVIGATOR, PARTS_DOCK, QUEUE, open_dock
from napari_her2._napari.worker import NICE, StepsWorker, refresher, spare_llvm, wait_until
from napari_her2.case import read_case
from napari_her2.events import Progress
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.window

SQUARE = np.array([(100.0, 100.0), (100.0, 300.0), (300.0, 300.0), (300.0, 100.0)])
TURNED = Affine.translation(20, 10)


def close(viewer: Any, dock: Any) -> None:
    """Take a dock away as a person does."""
    viewer.window.remove_dock_widget(dock.parent())


@pytest.fixture
def aligned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Slides are aligned at once; returns what was asked."""
    asked: list[Any] = []

    def prepare(request: Any) -> Any:
        asked.append(request)
        yield Progress("mapping", 1, 1)
        return Prepared(
            mapping=handmade.mapping(TURNED),
            outlines={"he": (SQUARE,), "ihc": (SQUARE + np.array((20, 10)),)},
        )

    monkeypatch.setattr(running, "prepare", prepare)
    return asked


def test_pair_is_aligned_linked_and_left_as_it_was(
    panel: Any, viewer: Any, pair: tuple[Path, Path], aligned: list[Any], tmp_path: Path
) -> None:
    viewer.window.resize(1280, 800)
    open_in(panel, *pair)
    assert not panel.align.inside.isHidden(), "the next step is unfolded"
    panel.controller.change(case_folder=tmp_path / "case")
    panel.align.run_button.click()
    wait(lambda: not panel.session.busy)
    assert len(aligned) == 1
    assert panel.align.state.text() == "± 4 µm"
    assert panel.tumour.state.text() == "proposed"
    panel.tumour.confirm_button.click()
    assert panel.tumour.state.text().startswith("confirmed, 0.04 mm²")

    linked = open_dock(viewer, LINKED)
    he = linked.partner.layers[0]
    assert not panel.controller.canvas.layer("he").visible, "the H&E has a canvas of its own"
    viewer.scene.camera.zoom = 1.3
    viewer.scene.camera.center = (0, 300, 400)
    assert tuple(linked.partner.scene.camera.center)[-2:] == (300, 400)
    wait(lambda: np.allclose(np.asarray(he.affine)[-3:, -3:], TURNED.matrix))
    linked.point_at((300.0, 400.0))
    assert linked.glass._ring.place == pytest.approx((300, 400))
    assert linked.error.text() == "± 8 µm here"
    linked.partner.scene.camera.center = (0, 250, 350)
    assert tuple(viewer.scene.camera.center)[-2:] == (250, 350)
    linked.turn("he")
    assert not np.allclose(np.asarray(he.affine)[-3:, -3:], TURNED.matrix)
    linked.show_curtain("checkerboard")
    assert panel.controller.canvas.layer("warped") is not None
    wait(lambda: refresher().idle)
    close(viewer, linked)
    assert panel.controller.canvas.layer("warped") is None
    assert panel.controller.canvas.layer("he").visible
    assert not refresher()._kept
    assert panel.studio.viewer.window._qt_viewer.dockLayerList.isVisible()


def test_review_from_queue_to_signature(panel: Any, viewer: Any, case: Path) -> None:
    open_in(panel, case)
    wait(lambda: panel.session.live is not None)
    assert panel.result.flips.isVisible(), "what would change the call is told"
    queue = open_dock(viewer, QUEUE)
    wait(lambda: queue.pictured == queue.fields.count() > 0)
    queue.control.step(1)
    field = queue.control.field
    assert str(field.cells) in queue.title.text()
    queue.exclude_button.click()
    wait(lambda: panel.session.live.changed == field.cells)
    assert f"verdicts on {field.cells}" in panel.result.heading.text()
    assert queue.fields.item(0).text().startswith("✗")
    queue.reader.setText("Dr A")
    queue.score.setCurrentText("2+")
    queue.sign_button.click()
    wait(lambda: panel.session.message is not None and "say why" in panel.session.message.text)
    queue.score.setCurrentText("2+")
    queue.reason.setText("weak edges")
    queue.sign_button.click()
    wait(lambda: panel.session.signed == "2+")
    assert panel.review.state.text() == "signed 2+"
    report = read_case(case).report
    assert (report.call.score, report.final.score) == ("3+", "2+")  # type: ignore[union-attr]
    close(viewer, queue)
    assert panel.result.isVisible(), "the panel goes on without the queue"


def test_worklist_in_a_window(panel: Any, viewer: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("b", "a"):
        handmade.write_case(tmp_path / name, *pair)
    dock = open_dock(viewer, "HER2 worklist")
    dock.control.open(tmp_path)
    wait(lambda: len(dock.order) == 2)
    assert dock.order == ["a", "b"]
    dock.step(1)
    wait(lambda: panel.session.result is not None and not panel.session.busy)
    assert panel.session.case_name == "a"
    dock.search.setText("b")
    assert dock.order == ["b"]
    dock.search.setText("")
    dock.states.setCurrentText("done")
    assert dock.order == []
    dock.states.setCurrentText("all")
    dock.step(1)
    wait(lambda: panel.session.case_name == "b" and not panel.session.busy)
    wait(lambda: panel.session.result.folder.name == "b")
    close(viewer, dock)


def test_all_docks_open_and_close_without_a_trace(viewer: Any, case: Path) -> None:
    keys = dict(viewer.keymap)
    left: dict[str, weakref.ref[Any]] = {}
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    open_in(panel, case)
    names = (
        PARTS_DOCK,
        QUEUE,
        LINKED,
        NAVIGATOR,
        "HER2 worklist",
        "Tumour heat map",
        "Stain classes",
        "MaskFormer overlay",
    )
    for name in names:
        made = open_dock(viewer, name)
        left[name] = weakref.ref(made)
        close(viewer, made)
        del made
    viewer.window.remove_dock_widget(dock)
    del dock, panel
    assert len(viewer.layers) == 0
    assert dict(viewer.keymap) == keys
    camera = viewer.scene.camera.events
    for emitter in (viewer.layers.events.inserted, viewer.events.theme, camera.zoom, camera.center):
        owners = [callback[0]() for callback in emitter.callbacks if isinstance(callback, tuple)]
        assert not [owner for owner in owners if type(owner).__module__.startswith("napari_her2")]
    wait_until(lambda: gc.collect() * 0 == 0 and all(ref() is None for ref in left.values()), 20)
    assert [name for name, ref in left.items() if ref() is not None] == []


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own elsewhere")
def test_background_work_lets_the_window_go_first(qtbot: Any) -> None:
    from napari_her2.threads import in_order

    def nice(*_: Any) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def make() -> Any:
        yield Progress("asked", 1, 1)
        return [nice(), *in_order(nice, [1, 2, 3], 2)]

    worker, found = StepsWorker(make), []
    worker.returned.connect(found.append)
    before = nice()
    worker.start()
    qtbot.waitUntil(lambda: bool(found), timeout=20_000)
    assert found[0] == [max(before, NICE)] * 4, "threads that it starts inherit it"
    assert nice() == before, "the window's own thread stays as it is"


def test_torch_goes_without_triton_where_the_window_is_drawn_in_software(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    maps = tmp_path / "maps"
    maps.write_text("7f00 r-xp /usr/lib/libGL.so.1\n")
    assert not spare_llvm(maps)
    assert "triton" not in sys.modules
    maps.write_text("7f00 r-xp /usr/lib/libLLVM.so.19.1\n")
    assert spare_llvm(maps)
    assert sys.modules["triton"] is None
    assert not spare_llvm(tmp_path / "missing")
