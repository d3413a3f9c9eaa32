"""Real napari windows: the flow of the panel, and that nothing is left behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from tests.napari import handmade
from tests.napari.windows import open_in, wait

from napari_her2 import pipeline
from napari_her2._napari.density import NEAR
from napari_her2.events import Progress, StageDone

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.window


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


def test_reader_then_panel_takes_the_slides_over(viewer: Any, pair: tuple[Path, Path]) -> None:
    viewer.open([str(path) for path in pair], plugin="napari-her2")
    assert len(viewer.layers) == 2
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    wait(lambda: panel.session.ihc is not None and not panel.session.busy)
    assert panel.session.ihc.name == "block_ihc.tif"
    assert len(viewer.layers) == 2
    viewer.window.remove_dock_widget(dock)
    assert len(viewer.layers) == 2, "what was there before the panel stays"


def test_dropped_case_shows_layers_and_score(viewer: Any, case: Path) -> None:
    viewer.open(str(case), plugin="napari-her2")
    assert len(viewer.layers) == 6
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    wait(lambda: panel.session.result is not None and not panel.session.busy)
    viewer.scene.camera.zoom = NEAR / 2
    wait(lambda: "cells, density" in viewer.layers)
    assert len(viewer.layers) == 7, "the cells' densities join what was opened; nothing is doubled"
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
    dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
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
    wait(lambda: refresher().idle)
    assert not refresher()._viewers


def _settings(settings: Any) -> dict[str, Any]:
    """Return napari's settings without the places of docks, which napari itself keeps."""
    values: dict[str, Any] = settings.model_dump(mode="json")
    values["application"].pop("plugin_widget_positions")
    return values


def test_open_and_close_many_times_leaves_nothing(viewer: Any, pair: tuple[Path, Path]) -> None:
    left: list[weakref.ref[Any]] = []
    for _ in range(3):
        dock, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
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


def test_commands_of_the_palette_act_on_the_panel(viewer: Any, case: Path) -> None:
    from napari_her2._napari import commands

    commands.draw_tumour()
    assert "tumour" in viewer.layers
    _, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    open_in(panel, case)
    viewer.scene.camera.zoom = 1.0
    wait(lambda: viewer.layers["cells"].visible)
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


def test_window_closed_in_the_middle_of_a_run(
    make_napari_viewer: Any, pair: tuple[Path, Path], slow: SlowPipeline, tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    open_in(panel, *pair)
    slides = [panel.session.he.pyramid.source.slide, panel.session.ihc.pyramid.source.slide]
    panel.controller.change(case_folder=tmp_path / "case")
    panel.controller.run()
    wait(lambda: slow.steps > 3)
    viewer.close()
    del panel
    wait(lambda: slow.closed == 1)
    assert all(slide.closed for slide in slides)
