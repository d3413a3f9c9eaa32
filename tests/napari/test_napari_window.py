"""Real napari windows: the panel's flow, tiles, rendering, and that nothing is left behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade

from napari_her2 import pipeline
from napari_her2.events import Progress, StageDone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.window

SECONDS = 20.0


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """A real window."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def panel(viewer: Any) -> Iterator[Any]:
    """The panel in its dock."""
    dock, made = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
    yield made
    if made._open:
        viewer.window.remove_dock_widget(dock)


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


class SlowPipeline:
    """A pipeline that goes on step by step until it is told to finish."""

    def __init__(self) -> None:
        self.steps, self.closed, self.finish = 0, 0, False
        self.threads: set[int] = set()

    def __call__(self, request: Any) -> Any:
        """Score, slowly."""
        try:
            yield StageDone("tissue", 0.1)
            while not self.finish:
                self.steps += 1
                self.threads.add(threading.get_ident())
                yield Progress("cells", min(self.steps, 99), 100, "tiles")
                time.sleep(0.01)
            handmade.write_case(request.out, request.he, request.ihc)
        finally:
            self.closed += 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowPipeline:
    """The pipeline in the test's hand."""
    made = SlowPipeline()
    monkeypatch.setattr(pipeline, "score_case", made)
    return made


def test_flow_open_run_cancel_run_score_overlays(
    panel: Any, viewer: Any, pair: tuple[Path, Path], slow: SlowPipeline, tmp_path: Path, qtbot: Any
) -> None:
    open_in(panel, *pair)
    panel.controller.change(case_folder=tmp_path / "case")
    assert panel.run_box.run_button.isEnabled()
    panel.run_box.run_button.click()
    wait(lambda: slow.steps > 5)
    wait(lambda: panel.session.progress.stage == "cells")
    assert panel.run_box.headline.text() == "Measuring cells"
    assert panel.run_box.cancel_button.isVisible()
    assert not panel.run_box.run_button.isEnabled()
    started = time.monotonic()
    panel.run_box.cancel_button.click()
    wait(lambda: panel.session.activity == "idle")
    assert time.monotonic() - started < 1
    wait(lambda: slow.closed == 1)
    assert slow.closed == 1, "the generator was closed, not abandoned"
    assert "run again" in panel.message.text()
    slow.finish = True
    panel.run_box.run_button.click()
    wait(lambda: panel.session.result is not None)
    wait(lambda: panel.session.activity == "idle")
    assert panel.result.isVisible()
    assert panel.result.call.text() == "3+"
    assert panel.result.heading.text().startswith("Provisional")
    assert [layer.name for layer in viewer.layers][-1] == "cells"
    assert threading.get_ident() not in slow.threads
    panel.view_box.classes[3].click()
    assert viewer.layers["cells"].shown.sum() == 1000 - 124
    panel.view_box.over.click()
    assert panel.session.arrangement == "over"


def test_runtime_error_of_a_library_reaches_the_panel(
    panel: Any, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score_case(request: Any) -> Any:
        yield StageDone("tissue", 0.1)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(pipeline, "score_case", score_case)
    open_in(panel, *pair)
    panel.controller.change(case_folder=tmp_path / "case")
    panel.controller.run()
    wait(lambda: panel.session.activity == "idle")
    assert "out of memory" in panel.message.text()
    assert panel.message.isVisible()
    assert panel.run_box.run_button.isEnabled()


def test_no_slide_is_read_on_the_windows_thread(
    panel: Any, viewer: Any, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2._napari.worker import refresher
    from napari_her2.slides import Slide

    readers: dict[str, set[int]] = {}
    for name in ("read", "read_level", "read_at", "thumbnail", "sha256"):
        original = getattr(Slide, name)

        def spy(self: Any, *args: Any, _name: str = name, _original: Any = original, **more: Any) -> Any:
            readers.setdefault(_name, set()).add(threading.get_ident())
            return _original(self, *args, **more)

        monkeypatch.setattr(Slide, name, spy)
    open_in(panel, *pair)
    camera = viewer.scene.camera
    for zoom in (0.5, 1.0, 4.0):
        camera.zoom = zoom
        camera.center = (0, 300, 500)
        wait(lambda: refresher().idle)
    viewer.layers[0].get_value((300, 500), world=True)
    viewer.layers[0].refresh()
    assert readers["read_level"]
    assert readers["thumbnail"]
    assert all(threading.get_ident() not in threads for threads in readers.values())


def test_opened_by_the_reader_no_pixel_is_read_on_the_windows_thread(
    viewer: Any, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2._napari.worker import refresher
    from napari_her2.slides import Slide

    threads: set[int] = set()
    original = Slide.read_level

    def spy(self: Any, *args: Any, **more: Any) -> Any:
        threads.add(threading.get_ident())
        return original(self, *args, **more)

    monkeypatch.setattr(Slide, "read_level", spy)
    (layer,) = viewer.open(str(pair[1]), plugin="napari-her2")
    wait(lambda: refresher().idle and bool(threads))
    assert threading.get_ident() not in threads
    shown = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    assert (np.abs(shown.astype(int) - (243, 243, 243)).max(axis=-1) < 3).mean() > 0.05, "white of the slide"
    assert (np.abs(shown.astype(int) - (226, 222, 228)).max(axis=-1) < 6).mean() > 0.2, "tissue of the slide"
    np.testing.assert_array_equal(np.asarray(layer.data[0][10:20, 10:20]), 243)


@pytest.mark.parametrize(("zoom", "level"), [(0.1, 3), (0.2, 2), (0.4, 1), (4.0, 0)])
def test_levels_lie_on_each_other_on_the_screen(viewer: Any, tmp_path: Path, zoom: float, level: int) -> None:
    """A cross at a known place is drawn there, whichever level is shown."""
    from napari_her2._napari.worker import refresher

    image = np.full((4096, 4096, 3), 255, np.uint8)
    image[:1600] = 0
    image[:, :2400] = 0
    size = 0.5
    path = handmade.write_slide(tmp_path / "cross.tif", image, size, levels=4)
    viewer.window.resize(1000, 800)
    (layer,) = viewer.open(str(path), plugin="napari-her2")
    layer.interpolation2d = "nearest"
    corner_um = np.array([1600 * size, 2400 * size])
    viewer.scene.camera.center = (0, *corner_um)
    viewer.scene.camera.zoom = zoom * 2
    wait(lambda: refresher().idle)
    shown = viewer.screenshot(canvas_only=True, flash=False)[..., 0] > 128
    rows, cols = shown.shape
    edge_row = np.argmax(shown[:, cols // 2 + 20])
    edge_col = np.argmax(shown[rows // 2 + 20])
    assert layer.data_level == level
    assert abs(edge_row - rows / 2) <= 1
    assert abs(edge_col - cols / 2) <= 1


def test_failed_tile_is_told(panel: Any, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_her2.errors import SlideError
    from napari_her2.slides import Slide

    open_in(panel, pair[1])

    def broken(self: Any, *args: Any) -> Any:
        raise SlideError("block_ihc.tif is damaged at a tile: copy it again")

    monkeypatch.setattr(Slide, "read_level", broken)
    panel.viewer.scene.camera.zoom = 8
    wait(lambda: "damaged" in panel.message.text())
    assert panel.message.isVisible()


def test_reader_then_panel_takes_the_slides_over(viewer: Any, pair: tuple[Path, Path]) -> None:
    viewer.open([str(path) for path in pair], plugin="napari-her2")
    assert len(viewer.layers) == 2
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
    wait(lambda: panel.session.ihc is not None and not panel.session.busy)
    assert panel.session.ihc.name == "block_ihc.tif"
    assert len(viewer.layers) == 2
    viewer.window.remove_dock_widget(dock)
    assert len(viewer.layers) == 2, "what was there before the panel stays"


def test_dropped_case_shows_layers_and_score(viewer: Any, case: Path) -> None:
    viewer.open(str(case), plugin="napari-her2")
    assert len(viewer.layers) == 6
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
    wait(lambda: panel.session.result is not None and not panel.session.busy)
    assert len(viewer.layers) == 6
    assert panel.result.call.text() == "3+"
    viewer.window.remove_dock_widget(dock)


def test_closing_the_panel_leaves_viewer_threads_and_settings_as_they_were(
    viewer: Any, pair: tuple[Path, Path], slow: SlowPipeline, tmp_path: Path
) -> None:
    from napari.settings import get_settings

    from napari_her2._napari.worker import refresher

    refresher()
    settings = _settings(get_settings())
    threads = {thread.name for thread in threading.enumerate()}
    keys = dict(viewer.keymap)
    callbacks = len(viewer.layers.events.inserted.callbacks), len(viewer.events.theme.callbacks)
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
    open_in(panel, *pair)
    slides = [panel.session.he.pyramid.source.slide, panel.session.ihc.pyramid.source.slide]
    panel.controller.change(case_folder=tmp_path / "case")
    panel.controller.run()
    wait(lambda: slow.steps > 3)
    viewer.window.remove_dock_widget(dock)
    wait(lambda: slow.closed == 1)
    wait(lambda: all(slide.closed for slide in slides))
    wait(lambda: {t.name for t in threading.enumerate() if t.name.startswith("her2")} <= threads)
    assert len(viewer.layers) == 0
    assert not viewer.canvas.overlays.scale_bar.visible
    assert dict(viewer.keymap) == keys
    assert callbacks == (len(viewer.layers.events.inserted.callbacks), len(viewer.events.theme.callbacks))
    assert _settings(get_settings()) == settings
    assert refresher().idle
    assert not refresher()._viewers


def _settings(settings: Any) -> dict[str, Any]:
    """Return napari's settings without the places of docks, which napari itself keeps."""
    values: dict[str, Any] = settings.model_dump(mode="json")
    values["application"].pop("plugin_widget_positions")
    return values


def test_open_and_close_many_times_leaves_nothing(viewer: Any, pair: tuple[Path, Path]) -> None:
    left: list[weakref.ref[Any]] = []
    for _ in range(3):
        dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
        open_in(panel, *pair)
        left += [weakref.ref(panel), weakref.ref(panel.session.he.pyramid), weakref.ref(panel.controller)]
        viewer.window.remove_dock_widget(dock)
        del dock, panel
    wait(lambda: bool(gc.collect() * 0 + all(ref() is None for ref in left)))


def test_panel_follows_the_theme_and_fits(panel: Any, viewer: Any, case: Path) -> None:
    viewer.window.resize(1280, 800)
    open_in(panel, case)
    for theme in ("light", "dark"):
        viewer.theme = theme
        wait(lambda: True)
        assert panel.result.look.text == ("#1e1e21" if theme == "light" else "#f0f1f2")
    from qtpy.QtWidgets import QScrollArea

    area = panel.findChild(QScrollArea)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width(), "nothing is clipped"


def test_not_scorable_case(panel: Any, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    folder = handmade.write_case(
        tmp_path / "few",
        *pair,
        score=None,
        category="not_scorable",
        path=[],
        alternatives={},
        reason="Too few cells.",
    )
    open_in(panel, folder)
    assert panel.result.call.text() == "Not\nscorable"
    assert panel.result.reason.text() == "Too few cells."


def test_demo_writes_a_picture_of_the_whole_window(
    case: Path, tmp_path: Path, make_napari_viewer: Any
) -> None:
    from napari_her2._napari import demo_view

    viewer = make_napari_viewer(show=True)
    panel = demo_view.open_panel(viewer, (1280, 800))
    demo_view.show_in(panel, case)
    demo_view.take(viewer, tmp_path / "out" / "window.png")
    from skimage.io import imread

    image = imread(tmp_path / "out" / "window.png")
    assert image.shape[:2] == (800, 1280)
    red = np.abs(image[..., :3].astype(int) - (0xD7, 0x30, 0x27)).max(axis=-1) < 3
    assert red[:, 850:].sum() > 3000, "the call stands in the dock"


def test_cells_show_in_the_colours_of_their_class(panel: Any, viewer: Any, case: Path) -> None:
    open_in(panel, case)
    result = panel.session.result
    cells = replace(result.cells, points_um=np.array([[384.0, 512.0]]), class_code=np.array([3], np.uint8))
    cells = replace(cells, features={name: values[:1] for name, values in cells.features.items()})
    panel.controller.canvas.show_result(replace(result, cells=cells, outlines={}))
    layer = viewer.layers["cells"]
    layer.opacity = 1
    viewer.scene.camera.center = (0, 384, 512)
    viewer.scene.camera.zoom = 4
    wait(lambda: True)
    shown = viewer.screenshot(canvas_only=True, flash=False)
    middle = shown[shown.shape[0] // 2, shown.shape[1] // 2, :3]
    np.testing.assert_allclose(middle, (0xD7, 0x30, 0x27), atol=3)


def test_commands_of_the_palette_act_on_the_panel(viewer: Any, case: Path) -> None:
    from napari_her2._napari import commands

    commands.draw_tumour()
    assert "tumour" in viewer.layers
    _, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 score")
    open_in(panel, case)
    commands.toggle_overlays()
    assert not viewer.layers["cells"].visible
    commands.toggle_overlays()
    assert viewer.layers["cells"].visible
    commands.toggle_stain()
    assert panel.view_box.over.isChecked()
    commands.cancel()
    panel.controller.close_slide("ihc")
    commands.run()
    assert "Open an IHC slide" in panel.message.text()


def test_keys_act_while_the_panel_is_open(panel: Any, viewer: Any, case: Path) -> None:
    open_in(panel, case)
    bound = {str(key): action for key, action in viewer.keymap.items()}
    bound["Ctrl+Alt+O"](viewer)
    assert not viewer.layers["cells"].visible
    assert {"Ctrl+Alt+R", "Ctrl+Alt+S"} <= set(bound)


def test_pixel_size_is_typed_in_the_panel(panel: Any, viewer: Any, without_size: Path) -> None:
    open_in(panel, without_size)
    row = panel.slides.rows["ihc"]
    assert row.size_row.isVisible()
    assert "states no pixel size" in panel.run_box.hint.text()
    assert not panel.run_box.run_button.isEnabled()
    row.um_per_px.setValue(0.25)
    row._use()
    assert tuple(viewer.layers[0].scale) == (0.25, 0.25)
    assert panel.run_box.run_button.isEnabled()


def test_sample_is_made_while_the_window_lives(
    viewer: Any, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2._napari import sample

    threads: set[int] = set()

    def made(folder: Path) -> Any:
        threads.add(threading.get_ident())
        yield Progress("cells", 1, 2)
        return handmade.write_case(folder / "case", *pair)

    monkeypatch.setattr(sample, "make_sample", made)
    viewer.open_sample("napari-her2", "phantom_case")
    assert threads
    assert threading.get_ident() not in threads
    assert viewer.layers[-1].name == "cells"
