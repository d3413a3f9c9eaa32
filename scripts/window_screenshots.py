"""Pictures of the real window for the documentation, made of the sample case.

Needs a display: ``bash scripts/with_display.sh .venv/bin/python scripts/window_screenshots.py``.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import napari
from napari_her2._napari import demo_view
from napari_her2._napari.sample import make_sample, sample_folder
from napari_her2.events import drain

MOST_BYTES = 300_000
ROOT = Path(__file__).resolve().parent.parent


def save(viewer: Any, target: Path) -> None:
    """Write the whole window as a small PNG: 256 colours, scaled down until it is small enough."""
    demo_view.settle()
    picture = Image.fromarray(np.asarray(viewer.screenshot(canvas_only=False, flash=False))[..., :3])
    factor = 1.0
    while True:
        size = tuple(round(side * factor) for side in picture.size)
        small = picture.resize(size, Image.Resampling.LANCZOS) if factor < 1 else picture
        buffer = io.BytesIO()
        small.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
        factor *= 0.92
    target.write_bytes(buffer.getvalue())
    print(f"{target.name}: {size[0]} x {size[1]}, {buffer.tell() // 1000} kB")


def pair(panel: Any, viewer: Any, folder: Path, out: Path) -> None:
    """Two slides just opened."""
    panel.controller.open([folder / "he.ome.tif", folder / "ihc.ome.tif"])
    demo_view.wait_for(panel)
    panel.controller.change(case_folder=Path("cases") / "phantom")
    save(viewer, out / "window_open.png")


def result(panel: Any, viewer: Any, folder: Path, out: Path) -> None:
    """The score with both slides, a field at high power, and the overlay."""
    demo_view.show_in(panel, folder / "case")
    save(viewer, out / "window_score.png")
    view = panel.view_box
    cells = panel.session.result.cells
    strong = cells.points_um[cells.class_code >= 2]
    crowd = np.argmin(np.partition(np.hypot(*(strong[:, None] - strong[None]).T), 30, axis=1)[:, 30])
    viewer.scene.camera.center = (0, *strong[crowd])
    viewer.scene.camera.zoom = 2.6
    save(viewer, out / "window_cells.png")
    view.over.click()
    view.blend.setValue(50)
    view.layers["cells"].click()
    panel.controller.canvas.look_at("ihc")
    save(viewer, out / "window_overlaid.png")
    view.side.click()
    view.layers["heat"].click()
    panel.controller.canvas.look_at("he", "ihc")
    viewer.theme = "light"
    save(viewer, out / "window_light.png")
    viewer.theme = "dark"


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument(
        "--case", type=Path, help="folder with he.ome.tif, ihc.ome.tif and case (made if missing)"
    )
    options = parser.parse_args()
    folder = options.case or sample_folder()
    drain(make_sample(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(title="napari-her2", show=True)
    try:
        viewer.theme = "dark"
        panel = demo_view.open_panel(viewer, (1280, 800))
        pair(panel, viewer, folder, options.out)
        viewer.window.resize(1600, 1000)
        result(panel, viewer, folder, options.out)
    finally:
        viewer.close()


if __name__ == "__main__":
    main()
