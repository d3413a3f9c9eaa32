"""Pictures of the dock "Correct masks" for docs/editing.md and its tutorial, made of the sample case.

Needs a display: ``bash scripts/with_display.sh .venv/bin/python scripts/editing_screenshots.py``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from window_screenshots import ROOT, save

import napari
from napari_her2._napari import demo_view
from napari_her2._napari.sample import make_sample, sample_folder
from napari_her2._napari.worker import wait_until
from napari_her2.annotation import new_area, polygon_of
from napari_her2.events import drain
from napari_her2.vocabulary import CELL_CLASSES


def rest(seconds: float = 1.0) -> None:
    """Let the window come to rest."""
    demo_view.settle()
    wait_until(lambda: False, seconds)


def paint(dock: Any, points_um: list[tuple[float, float]]) -> None:
    """Paint one stroke through places of the slide."""
    layer = dock.suite.canvas.layer
    with layer.block_history():
        last = None
        for point in points_um:
            at = layer.world_to_data(point)
            layer._draw(layer.selected_label, at if last is None else last, at)
            last = at
    wait_until(lambda: dock.state.saving == 0, 30)


def masks(dock: Any, viewer: Any, middle: tuple[float, float], out: Path) -> None:
    """Strokes over the model's labels, then the same at low power."""
    suite, (row, col) = dock.suite, middle
    suite.canvas.go_to(row, col, 240.0)
    wait_until(lambda: dock.state.covered, 60)
    dock.editor.choose_class(3)
    dock.editor.change(brush_um=18)
    paint(dock, [(row - 30, col - 30), (row - 22, col), (row - 25, col + 30)])
    suite.change({"tool": "superpixel"})
    wait_until(lambda: suite.tools.plane("superpixel") is not None, 90)
    dock.editor.hover((row - 24, col))
    rest()
    save(viewer, out / "editing_paint.png")
    size = dock.suite.case.target.shape[0] * dock.suite.case.target.um_per_px
    suite.canvas.go_to(size / 2, col, size * 1.05)
    rest(2.0)
    save(viewer, out / "editing_overview.png")


def areas(dock: Any, viewer: Any, middle: tuple[float, float], out: Path) -> None:
    """Areas with their list, and what is reviewed."""
    suite, (row, col) = dock.suite, middle
    dock._turn("areas")
    um = suite.case.target.um_per_px

    def draw(points: list[tuple[float, float]], name: str) -> str:
        made = new_area(polygon_of(np.add(points, (row, col)) / um), name, "A. Reader")
        suite.areas._change("draw", [made])
        return made.key

    draw([(-150, -210), (-150, 190), (110, 190), (110, -210)], "Reviewed")
    one = draw([(-90, -120), (-100, 30), (20, 80), (60, -90)], "Tumor")
    draw([(10, 40), (20, 130), (85, 120), (80, 45)], "In situ")
    suite.areas.choose(one)
    suite.canvas.go_to(row, col, 420.0)
    wait_until(lambda: suite.reviewed.latest is not None, 90)
    rest(2.0)
    save(viewer, out / "editing_areas.png")


def cells(dock: Any, viewer: Any, middle: tuple[float, float], out: Path) -> None:
    """Many cells judged at once, and the call with them."""
    suite, (row, col) = dock.suite, middle
    dock._turn("cells")
    suite.canvas.go_to(row, col, 240.0)
    wait_until(lambda: suite.cells.table is not None, 60)
    suite.cells.cells.verdict = "3+"
    ring = np.add([(-30.0, -50), (-40, 20), (10, 60), (40, 0), (30, -40)], (row, col))
    suite.cells.judge_ring(ring)
    wait_until(lambda: suite.cells.cells.result is not None and not suite.cells.cells.counting, 90)
    rest(1.5)
    save(viewer, out / "editing_cells.png")


def tutorial(dock: Any, viewer: Any, middle: tuple[float, float], out: Path) -> None:
    """The steps of docs/tutorial_correct_export_train.md; what is done here stays in the case."""
    suite, (row, col) = dock.suite, middle
    wait_until(lambda: suite.cells.table is not None, 60)
    counted = suite.cells.table.select(suite.cells.table.evaluable)
    um = suite.case.target.um_per_px
    called = counted.points_px[counted.class_code == CELL_CLASSES.index("2+")] * um
    crowd = np.hypot(*(called[:, None] - called[None]).T)
    nest = called[np.argmin(np.partition(crowd, 25, axis=1)[:, 25])]
    near = called[np.argsort(np.hypot(*(called - nest).T))[:6]]
    row, col = float(nest[0]), float(nest[1])
    suite.canvas.go_to(row, col, 240.0)
    wait_until(lambda: dock.state.covered, 60)
    dock.editor.choose_class(4)
    suite.change({"tool": "superpixel"})
    wait_until(lambda: suite.tools.plane("superpixel") is not None, 90)
    plane = suite.tools.plane("superpixel")
    for at in near:
        place = suite.canvas.pixel((float(at[0]), float(at[1])))
        suite.canvas.put(plane == plane[place], suite.state.settings.value)
    wait_until(lambda: dock.state.saving == 0, 30)
    rest()
    save(viewer, out / "tutorial_superpixels.png")
    suite.change({"tool": "move"})
    dock._turn("areas")

    def draw(points: list[tuple[float, float]], name: str) -> None:
        shape = polygon_of(np.add(points, middle) / um)
        suite.areas._change("draw", [new_area(shape, name, "A. Reader")])

    draw([(-230, -250), (-230, 250), (230, 250), (230, -250)], "Reviewed")
    draw([(60, -180), (50, -60), (150, -40), (170, -170)], "Artefact")
    suite.areas.take("polygon")
    suite.canvas.go_to(*middle, 560.0)
    wait_until(lambda: suite.reviewed.latest is not None, 90)
    rest(2.0)
    save(viewer, out / "tutorial_areas.png")
    suite.areas.take("choose")
    dock._turn("cells")
    suite.canvas.go_to(row, col, 240.0)
    wait_until(lambda: suite.cells.table is not None, 60)
    suite.cells.cells.verdict = "exclude"
    suite.cells.judge_ring(np.add([(-20.0, -20), (-20, 20), (20, 20), (20, -20)], np.add(nest, 30)))
    wait_until(lambda: suite.cells.cells.result is not None and not suite.cells.cells.counting, 90)
    rest(1.5)
    save(viewer, out / "tutorial_cells.png")


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument(
        "--case", type=Path, help="folder with he.ome.tif, ihc.ome.tif and case (made if missing)"
    )
    parser.add_argument(
        "--tutorial",
        type=Path,
        metavar="FOLDER",
        help="the pictures of the tutorial instead; FOLDER holds slides and case, which keeps what is done",
    )
    options = parser.parse_args()
    if options.tutorial:
        shoot(options.tutorial / "case", (tutorial,), options.out)
        return
    source = options.case or sample_folder()
    drain(make_sample(source))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "phantom"
        shutil.copytree(source, folder)
        shutil.rmtree(folder / "case" / "edits", ignore_errors=True)
        shoot(folder / "case", (masks, areas, cells), options.out)


def shoot(case: Path, parts: tuple[Any, ...], out: Path) -> None:
    """Open a case in a window, start correcting, and do what each part says."""
    viewer = napari.Viewer(title="napari-her2", show=True)
    try:
        viewer.theme = "dark"
        viewer.window.resize(1600, 1000)
        _, dock = viewer.window.add_plugin_dock_widget("napari-her2", "Correct masks")
        dock.controller.open([case])
        wait_until(lambda: dock.session.result is not None and not dock.session.busy, 120)
        dock.start.reader.setText("A. Reader")
        dock.start.start_button.click()
        wait_until(lambda: dock.state.active, 60)
        target = dock.suite.case.target
        middle = tuple(side * target.um_per_px / 2 for side in target.shape)
        for part in parts:
            part(dock, viewer, middle, out)
    finally:
        viewer.close()


if __name__ == "__main__":
    main()
