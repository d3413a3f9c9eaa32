"""Correcting masks without a window: strokes, windows that move, undo, tools, a disk that is full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.napari.editing import UM, Bench

from napari_her2.geometry import Box
from napari_her2.store import read_multiscale, write_multiscale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.editor.close()


def test_a_stroke_is_painted_saved_logged_and_taken_back(bench: Bench) -> None:
    bench.start()
    assert bench.state.covered
    assert bench.layer.data.size <= 2048**2
    bench.editor.choose_class(3)
    bench.brush((1000, 1000), (1000, 1050), brush_um=10)
    assert bench.at(1000, 1025) == 3
    assert bench.at(1006, 1025) == 0
    entry = bench.log.entries[-1]
    assert (entry["who"], entry["tool"], entry["act"]) == ("A. Reader", "brush", "paint")
    assert set(entry["before"]) == {"background (model)"}
    assert set(entry["after"]) == {"2+ (person)"}
    assert entry["mm2"] == pytest.approx((50 * 10 + np.pi * 25) / 1e6, rel=0.03)
    assert bench.state.can_undo
    bench.editor.hover((1000, 1025))
    assert bench.state.under == "2+ · by a person"
    bench.editor.undo()
    assert bench.at(1000, 1025) == 0
    assert not bench.layer.data.any(), "the window shows it"
    bench.editor.redo()
    assert bench.at(1000, 1025) == 3
    assert bench.layer.data.any()


def test_the_window_follows_the_view_at_the_level_that_fits(bench: Bench) -> None:
    bench.start()
    assert bench.state.window is not None
    assert bench.state.window.level == 0
    first = bench.layer
    bench.editor.choose_class(4)
    bench.brush((1000, 1000), brush_um=30)
    bench.look((1000, 1000), 1000)
    assert bench.state.window.level == 2
    assert bench.layer is first, "one layer, so that tools stay chosen"
    assert tuple(bench.layer.scale) == (1.0, 1.0)
    at = bench.layer.world_to_data((1000, 1000))
    assert bench.layer.data[tuple(np.round(at).astype(int))] == 4
    assert (bench.layer.data == 4).sum() == pytest.approx(np.pi * 15**2, rel=0.2)
    bench.brush((1000, 1400), brush_um=100)
    bench.look((1000, 1400), 200)
    assert bench.state.window.level == 0
    assert (bench.layer.data == 4).sum() * UM**2 == pytest.approx(np.pi * 50**2, rel=0.03)


def test_where_no_window_covers_the_view_the_whole_mask_is_shown(bench: Bench) -> None:
    bench.start()
    bench.editor.choose_class(4)
    bench.brush((1000, 1000), brush_um=30)
    bench.look((4_096, 4_096), 9_000)
    assert bench.state.covered, "a slide of 8 mm fits into a window"
    bench.editor.close_mask()
    large = Bench(bench.target.folder / "large", 100_000)
    large.start(at_um=(12_000, 12_000), across=20_000)
    assert not large.state.covered
    assert large.editor.canvas.whole.visible
    large.look((12_000, 12_000), 200)
    assert large.state.covered
    assert not large.editor.canvas.whole.visible
    large.editor.close()


def test_masks_stay_visible_at_low_power(bench: Bench) -> None:
    bench.start()
    bench.editor.choose_class(4)
    bench.brush((1000, 1000), brush_um=10)
    coarsest = np.asarray(bench.editor.canvas.whole.data[-1])
    assert (coarsest == 4).sum() >= 1
    bench.editor.undo()
    assert not np.asarray(bench.editor.canvas.whole.data[-1]).any(), "no stale tile"


def test_strokes_painted_while_the_window_is_read_again_are_not_lost(bench: Bench) -> None:
    bench.start()
    bench.editor.choose_class(2)
    bench.brush((1000, 1000), brush_um=20)
    bench.lanes.held = True
    bench.editor._read_again()
    bench.brush((1000, 1040), brush_um=20)
    bench.lanes.run()
    assert bench.at(1000, 1000) == bench.at(1000, 1040) == 2
    for col_um in (1000, 1040):
        at = np.round(bench.layer.world_to_data((1000, col_um))).astype(int)
        assert bench.layer.data[tuple(at)] == 2


def test_nothing_moves_under_a_stroke(bench: Bench) -> None:
    bench.start()
    before = bench.state.window
    bench.editor.canvas._pressed = True
    bench.look((3000, 3000), 200)
    assert bench.state.window == before
    bench.editor.canvas._pressed = False
    bench.editor.look()
    assert bench.state.window != before


def test_the_model_s_labels_are_corrected_and_come_back(bench: Bench, tmp_path: Path) -> None:
    labels = np.zeros((8192, 8192), np.uint8)
    labels[900:1100, 900:1100] = 2
    write_multiscale(tmp_path / "her2.zarr", labels, um_per_px=1.0, labels={2: ("1+", "#91BFDB")})
    bench.rasters["her2"] = read_multiscale(tmp_path / "her2.zarr")
    bench.start()
    assert bench.at(1000, 1000) == 2
    bench.editor.choose_class(4)
    bench.brush((1000, 1000), brush_um=40)
    assert bench.log.entries[-1]["before"] == {"1+ (model)": bench.log.entries[-1]["after"]["3+ (person)"]}
    bench.brush((1000, 1000), tool="erase", brush_um=20)
    assert bench.at(1000, 1000) == 0
    assert bench.at(1000, 1015) == 4
    bench.brush((1000, 1000), (1000, 1015), tool="model", brush_um=80)
    assert bench.at(1000, 1000) == 2
    assert not bench.editor.mask.read(Box(0, 0, 8000, 8000)).any(), "no word of a person is left"
    assert set(np.unique(bench.layer.data)) == {0, 2}
    bench.editor.hover((1000, 1000))
    assert bench.state.under == "1+ · by the model"


def test_a_new_run_of_the_model_keeps_a_person_s_corrections(bench: Bench, tmp_path: Path) -> None:
    raster = np.zeros((8192, 8192), np.uint8)
    raster[900:1100, 900:1100] = 2
    for run, value in enumerate((2, 4)):
        path = tmp_path / f"run{run}.zarr"
        write_multiscale(
            path, np.where(raster, value, 0).astype(np.uint8), um_per_px=1.0, labels={2: ("1+", "#91BFDB")}
        )
        bench.rasters["her2"] = read_multiscale(path)
        bench.start()
        if not run:
            bench.editor.choose_class(3)
            bench.brush((1000, 1000), brush_um=40)
    assert bench.at(1000, 1000) == 3
    assert bench.at(1000, 1080) == 4


def test_lasso_wand_and_superpixels(bench: Bench) -> None:
    bench.start(at_um=(1000, 1250), across=200)
    bench.editor.choose_class(1)
    bench.editor.change(tool="lasso")
    bench.drag((980, 1200), (980, 1240), (1020, 1240), (1020, 1200))
    assert (bench.layer.data == 1).sum() * UM**2 == pytest.approx(1600, rel=0.02)
    bench.editor.undo()
    bench.editor.change(tool="wand", wand_on="brown", tolerance=0.1)
    bench.tools.prepare()
    bench.drag((1000, 1200))
    assert bench.at(1000, 1249) == 1
    assert bench.at(1000, 1251) == 0, "the edge between brown and blue"
    bench.editor.undo()
    before = len(bench.log.entries)
    bench.editor.change(wand_on="model")
    bench.drag((1000, 1200))
    assert "No model" in bench.state.message.text  # type: ignore[union-attr]
    assert len(bench.log.entries) == before
    bench.editor.change(tool="superpixel")
    bench.tools.prepare()
    steps = len(bench.log.entries)
    bench.drag((1000, 1200), (1000, 1210), (1000, 1220))
    area = (bench.layer.data == 1).sum() * UM**2
    assert 100 < area < 1500
    assert len(bench.log.entries) == steps + 1, "one drag is one step"
    assert bench.at(1000, 1200) == 1


def test_boundaries_are_shown_while_superpixels_are_in_hand(bench: Bench) -> None:
    bench.start()
    bench.editor.change(tool="superpixel")
    bench.tools.prepare()
    picture = bench.tools.lines.layer
    assert picture in bench.viewer.layers
    assert bench.viewer.layers.selection.active is bench.layer, "the mouse stays with the mask"
    plane = bench.tools.plane("superpixel")
    assert plane is not None
    alpha = np.asarray(picture.data)[..., 3] > 0
    assert 0.01 < alpha.mean() < 0.4
    assert not alpha[plane == plane[plane.shape[0] // 2, plane.shape[1] // 2]].all()
    np.testing.assert_allclose(picture.translate, bench.layer.translate)
    np.testing.assert_allclose(picture.scale, bench.layer.scale)
    bench.tools.hide_lines(hidden=True)
    assert picture not in bench.viewer.layers
    bench.tools.hide_lines(hidden=False)
    assert bench.tools.lines.layer in bench.viewer.layers
    bench.editor.change(tool="brush")
    bench.tools.prepare()
    assert bench.tools.lines.layer is None
    assert bench.viewer.layers.selection.active is bench.layer


def test_a_full_disk_keeps_the_stroke_and_saves_it_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start()
    bench.editor.choose_class(3)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_her2.annotation.journal.os.fsync", full)
        bench.brush((1000, 1000), brush_um=20)
        bench.brush((1000, 1050), brush_um=20)
        assert bench.state.saving == 2
        assert bench.state.message is not None
        assert bench.state.message.kind == "error"
        assert "make room" in bench.state.message.text
        bench.look((1000, 1020), 1500)
        at = np.round(bench.layer.world_to_data((1000, 1000))).astype(int)
        assert bench.layer.data[tuple(at)] == 3, "it stays on the screen, even in another window"
    bench.editor.save()
    assert bench.state.saving == 0
    assert bench.at(1000, 1000) == bench.at(1000, 1050) == 3


def test_keys_wheel_and_brush(bench: Bench) -> None:
    bench.start()
    for number, value in enumerate((0, 1, 2, 3, 4)):
        bench.editor.choose_class(number)
        assert bench.layer.selected_label == value
    assert bench.layer.mode == "paint"
    size = bench.layer.brush_size
    bench.editor.size_brush(3)
    assert bench.layer.brush_size > size
    bench.editor.choose_class(30)
    assert bench.layer.selected_label == 4
    bench.editor.canvas.peek(True)
    assert bench.layer.opacity == 0
    bench.editor.canvas.peek(False)
    assert bench.layer.opacity == bench.state.settings.opacity
    bench.brush((1000, 1000), brush_um=20)
    bench.editor.choose_class(1)
    bench.brush((1000, 1000), brush_um=60, keep=True)
    assert bench.at(1000, 1000) == 4, "kept"
    assert bench.at(1000, 1025) == 1


def test_it_follows_a_turned_slide(bench: Bench) -> None:
    from napari_her2.geometry import Affine

    place = Affine.translation(300, -4000) @ Affine.rotation(90)
    bench.viewer.layers[0].affine = place.matrix
    centre = place([(1000, 1000)])[0]
    bench.start(at_um=tuple(centre))
    assert bench.state.covered
    bench.editor.choose_class(2)
    bench.brush(tuple(centre), brush_um=20)
    assert bench.at(1000, 1000) == 2
    bench.viewer.layers[0].affine = np.eye(3)
    assert np.allclose(bench.layer.affine, np.eye(3))


def test_closing_leaves_the_viewer_as_it_was(bench: Bench) -> None:
    layers = list(bench.viewer.layers)
    bench.start()
    bench.editor.choose_class(2)
    bench.brush((1000, 1000), brush_um=20)
    bench.editor.close()
    assert list(bench.viewer.layers) == layers
    again = Bench(bench.target.folder)
    again.start()
    assert again.at(1000, 1000) == 2
    assert again.state.can_undo, "undo goes on after the window was closed"
    again.editor.close()
