"""What a real window draws, and on which thread it reads."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari import handmade
from tests.napari.windows import open_in, wait

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.window


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
