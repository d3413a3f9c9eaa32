"""Pictures of the real window for docs/tour.md and docs/window.md, all made by this one script.

Needs a display: ``bash scripts/with_display.sh .venv/bin/python scripts/window_screenshots.py``. The phantom
case is made if it is missing; real slides are shown where they lie beside the checkout.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import napari
from napari_her2._napari import demo_view
from napari_her2._napari.sample import make_sample, sample_folder
from napari_her2._napari.widgets.arrange import LINKED, PARTS_DOCK, QUEUE, open_dock
from napari_her2._napari.worker import wait_until
from napari_her2.events import drain

MOST_BYTES = 300_000
SIZE_PX = 1280, 800
PATIENCE_S = 240.0
ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
WORKLIST = "HER2 worklist"
NAMES = ("B1204", "B1207")


class Tour:
    """A window, and where its pictures go.

    Parameters
    ----------
    folder : Path
        With ``he.ome.tif``, ``ihc.ome.tif`` and ``case``.
    out : Path
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out = folder, out
        self.viewer: Any = napari.Viewer(title="napari-her2", show=True)
        self.viewer.theme = "dark"
        self.panel = demo_view.open_panel(self.viewer, SIZE_PX)
        self.control = self.panel.controller

    def save(self, name: str) -> None:
        """Write the whole window as a small PNG: 256 colours, scaled down until it is small enough."""
        demo_view.settle()
        picture = Image.fromarray(np.asarray(self.viewer.screenshot(canvas_only=False, flash=False))[..., :3])
        factor = 1.0
        while True:
            size = tuple(round(side * factor) for side in picture.size)
            small = picture.resize(size, Image.Resampling.LANCZOS) if factor < 1 else picture
            buffer = io.BytesIO()
            small.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
            if buffer.tell() <= MOST_BYTES:
                break
            factor *= 0.92
        (self.out / name).write_bytes(buffer.getvalue())
        print(f"{name}: {size[0]} x {size[1]}, {buffer.tell() // 1000} kB", flush=True)

    def wait(self, done: Any) -> None:
        """Let the window live until something is so."""
        if not wait_until(done, PATIENCE_S):
            raise SystemExit("the window did not come to rest")

    def close_dock(self, widget: Any) -> None:
        """Take a dock away."""
        self.viewer.window.remove_dock_widget(widget.parent())

    def look_at_crowd(self, zoom: float) -> None:
        """Look at the densest place of strongly stained cells."""
        cells = self.panel.session.result.cells
        strong = cells.points_um[np.isin(cells.class_code, (2, 3))]
        far = np.hypot(*(strong[:, None] - strong[None]).T)
        crowd = strong[np.argmin(np.partition(far, 30, axis=1)[:, 30])]
        self.control.canvas.go((float(crowd[0]), float(crowd[1])), zoom)


def slides(tour: Tour, scratch: Path) -> None:
    """Steps 1 to 3: a pair just opened, aligned, its tumour area proposed and edited."""
    tour.control.open([scratch / "he.ome.tif", scratch / "ihc.ome.tif"])
    demo_view.wait_for(tour.panel)
    tour.control.change(case_folder=scratch / "cases" / "phantom")
    tour.panel.slides.fold(False)
    tour.save("tour_slides.png")
    tour.panel.slides.fold(True)
    tour.control.align()
    tour.wait(lambda: not tour.panel.session.busy)
    tour.save("tour_tumour.png")


def score(tour: Tour) -> None:
    """Step 5, both themes, and the class map."""
    demo_view.show_in(tour.panel, tour.folder / "case")
    tour.save("window_score.png")
    tour.look_at_crowd(2.0)
    tour.save("window_cells.png")
    tour.panel.view_box.layers["her2"].click()
    tour.panel.view_box.layers["cells"].click()
    tour.control.canvas.look_at("he", "ihc")
    tour.viewer.theme = "light"
    tour.save("window_light.png")
    tour.viewer.theme = "dark"
    tour.panel.view_box.layers["her2"].click()
    tour.panel.view_box.layers["cells"].click()


def linked(tour: Tour) -> None:
    """The linked view, and the warped H&E in squares."""
    dock = open_dock(tour.viewer, LINKED)
    tour.look_at_crowd(1.0)
    demo_view.settle()
    (row, col), _ = tour.control.canvas.view()
    dock.point_at((row + 40, col - 30))
    tour.save("tour_linked.png")
    dock.show_curtain("checkerboard")
    tour.save("tour_board.png")
    tour.close_dock(dock)


def parts(tour: Tour) -> None:
    """Model L on what is in view."""
    dock = open_dock(tour.viewer, PARTS_DOCK)
    tour.look_at_crowd(0.7)
    tour.panel.view_box.layers["cells"].click()
    row = dock.rows["L"]
    row.run()
    tour.wait(lambda: not row.control.state.busy)
    tour.save("tour_parts.png")
    tour.close_dock(dock)
    tour.panel.view_box.layers["cells"].click()


def review(tour: Tour) -> None:
    """The review queue."""
    dock = open_dock(tour.viewer, QUEUE)
    tour.wait(lambda: bool(dock.control.queue) and dock.pictured >= min(8, len(dock.control.queue)))
    dock.control.step(1)
    tour.save("tour_review.png")
    tour.close_dock(dock)


def worklist(tour: Tour, scratch: Path) -> None:
    """Some cases in the worklist: two that are scored, one that is not."""
    for name in NAMES:
        shutil.copytree(tour.folder / "case", scratch / "list" / name)
    (scratch / "list" / "manifest.csv").write_text(
        "case,he,ihc\n" + "".join(f"{name},../he.ome.tif,../ihc.ome.tif\n" for name in (*NAMES, "B1215")),
        encoding="utf-8",
    )
    dock = open_dock(tour.viewer, WORKLIST)
    dock.control.open(scratch / "list" / "manifest.csv")
    tour.wait(lambda: dock.pictured == 3)
    dock.control.comment("B1207", "second reader, please")
    dock.control.go("B1204")
    demo_view.wait_for(tour.panel)
    tour.save("tour_worklist.png")
    tour.close_dock(dock)


def real(tour: Tour) -> None:
    """Real slides, where they lie beside the checkout."""
    for name, target in (
        ("CMU-1-Small-Region.svs", "tour_real_he.png"),
        ("kidney-ihc.tif", "tour_real_ihc.png"),
    ):
        path = SHARED / "slides" / name
        if not path.exists():
            print(f"{target}: left as it is, {name} is not there")
            continue
        for role in ("he", "ihc"):
            tour.control.close_slide(role)
        tour.control.open([path])
        demo_view.wait_for(tour.panel)
        tour.save(target)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--case", type=Path, help="folder with he.ome.tif, ihc.ome.tif and case")
    parser.add_argument("--only", nargs="*", default=[], help="names of parts, e.g. linked review")
    options = parser.parse_args()
    folder = options.case or sample_folder()
    if not (folder / "case" / "report.json").is_file():
        drain(make_sample(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    tour = Tour(folder, options.out)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for slide in ("he.ome.tif", "ihc.ome.tif"):
            shutil.copy(folder / slide, scratch / slide)
        acts: dict[str, Any] = {
            "slides": lambda: slides(tour, scratch),
            "score": lambda: score(tour),
            "linked": lambda: linked(tour),
            "parts": lambda: parts(tour),
            "review": lambda: review(tour),
            "worklist": lambda: worklist(tour, scratch),
            "real": lambda: real(tour),
        }
        for act, make in acts.items():
            if not options.only or act in options.only:
                if act not in ("slides", "score", "real") and tour.panel.session.result is None:
                    demo_view.show_in(tour.panel, folder / "case")
                make()
        tour.viewer.close()


if __name__ == "__main__":
    main()
