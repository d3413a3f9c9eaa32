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
from napari._qt.dialogs.qt_notification import NapariQtNotification
from PIL import Image

import napari
from napari_her2._napari import demo_view
from napari_her2._napari.sample import make_sample, sample_folder
from napari_her2._napari.widgets.arrange import HELP, LINKED, PARTS_DOCK, QUEUE, open_dock
from napari_her2._napari.worker import wait_until
from napari_her2.events import drain

MOST_BYTES = 300_000
SIZE_PX = 1280, 800
PATIENCE_S = 240.0
ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
WORKLIST = "HER2 worklist"
NAMES = ("B1204", "B1207")
HER2ST_UM = 0.686
"""µm/px of HER2ST's pictures, from the pitch of the spots."""


def save(viewer: Any, path: Path) -> None:
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
    path.write_bytes(buffer.getvalue())
    print(f"{path.name}: {size[0]} x {size[1]}, {buffer.tell() // 1000} kB", flush=True)


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
        """Write the whole window as a small PNG; layer controls may have made it taller in between."""
        self.viewer.window.resize(*SIZE_PX)
        save(self.viewer, self.out / name)

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
    """The linked view, the warped H&E in squares, pairs of places, and an area drawn on the H&E."""
    dock = open_dock(tour.viewer, LINKED)
    tour.look_at_crowd(1.0)
    tour.wait(lambda: dock.shared.found is not None)
    demo_view.settle()
    (row, col), _ = tour.control.canvas.view()
    point(tour, dock, (row + 40, col - 30))
    tour.save("tour_linked.png")
    dock.show_curtain("checkerboard")
    tour.save("tour_board.png")
    dock.show_curtain("swipe")
    tour.save("tour_swipe.png")
    dock.show_curtain("off")
    pairs(tour, dock)
    draw(tour, dock)
    tour.close_dock(dock)


def point(tour: Tour, dock: Any, place: tuple[float, float]) -> None:
    """Point at the cell that is next to a place of the IHC."""
    cells = tour.panel.session.result.cells.points_um
    row, col = cells[np.argmin(np.hypot(*(cells - place).T))]
    tour.panel.studio.hud.hover((float(row), float(col)))
    dock.point_at((float(row), float(col)))


def pairs(tour: Tour, dock: Any) -> None:
    """Set four pairs, one of them wrong, and begin a fifth; then take them back."""
    control, mapping = tour.panel.studio.landmarks, tour.panel.session.mapping
    dock.switch_pairs()
    (row, col), _ = tour.control.canvas.view()
    away = ((-120, -60), (10, 100), (60, -90), (-40, 20))
    wrong = ((3, 2), (4, -2), (2, 3), (70, 40))
    for (down, right), off in zip(away, wrong, strict=True):
        ihc = mapping.ihc.to_px([(row + down, col + right)])
        control.point("he", mapping.ihc_to_he(ihc)[0])
        control.point("ihc", ihc[0] + off)
    tour.wait(lambda: not control.state.busy)
    control.point("ihc", mapping.ihc.to_px([(row - 70, col + 70)])[0])
    tour.save("tour_pairs.png")
    control.drop_begun()
    for _ in away:
        control.delete()
    tour.wait(lambda: not control.state.busy)
    dock.switch_pairs()


def draw(tour: Tour, dock: Any) -> None:
    """Draw an area on the H&E, with the heat map on both slides; then take it back."""
    tour.viewer.scene.camera.zoom = 0.45
    tour.panel.view_box.layers["heat"].click()
    dock.draw_button.click()
    around = np.array([(330.0, 330.0), (300.0, 520.0), (420.0, 640.0), (520.0, 480.0), (470.0, 350.0)])
    dock.side.layer("tumour").add(around, shape_type="polygon")
    dock.draw_button.click()
    tour.save("tour_drawn.png")
    tour.panel.view_box.layers["heat"].click()
    tour.control.tumour.clear()
    tour.viewer.layers.selection.active = tour.control.canvas.layer("ihc")


def field(tour: Tour) -> None:
    """A field under a circle, a measured line, and the navigator with its maps."""
    dock = open_dock(tour.viewer, "Navigator")
    for key in ("heat", "reviewed"):
        dock.switches[key].setChecked(True)
    tour.look_at_crowd(1.2)
    hud = tour.panel.studio.hud
    (row, col), _ = tour.control.canvas.view()
    hud.switch_ruler()
    hud.glass.press_at((row - 60, col - 80))
    hud.glass.drag_to((row + 20, col + 90))
    tour.panel.session.circle_um = 250.0
    hud.hover((row + 20, col - 30))
    tour.wait(lambda: dock.small is not None)
    tour.save("tour_field.png")
    hud.switch_ruler()
    tour.panel.session.circle_um = 0.0
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


def handed_on(tour: Tour) -> None:
    """Review and export in the panel, in the light theme, and the help beside it."""
    dock = open_dock(tour.viewer, HELP)
    tour.viewer.theme = "light"
    panel = tour.panel
    panel.result.fold(True)
    panel.review.fold(False)
    panel.export.fold(False)
    tour.look_at_crowd(1.0)
    tour.save("tour_export.png")
    panel.result.fold(False)
    panel.review.fold(True)
    panel.export.fold(True)
    tour.viewer.theme = "dark"
    tour.close_dock(dock)


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


def serial(tour: Tour, scratch: Path) -> None:
    """C2 and C3 of HER2ST, serial sections of one tumour, both H&E: aligned and linked."""
    first, second = (SHARED / "registration" / "her2st-serial-he" / f"{name}.jpg" for name in ("C2", "C3"))
    if not first.exists():
        print("tour_her2st.png: left as it is, HER2ST is not there")
        return
    for role in ("he", "ihc"):
        tour.control.close_slide(role)
    tour.control.open([first, second])
    demo_view.wait_for(tour.panel)
    if tour.panel.session.he.name != first.name:
        tour.control.swap()
    for role in ("he", "ihc"):
        tour.control.give_um_per_px(role, HER2ST_UM)
    for told in tour.viewer.window._qt_viewer.findChildren(NapariQtNotification):
        told.close()  # units differ while only one of the slides has its size
    tour.control.change(case_folder=scratch / "cases" / "her2st")
    tour.control.align()
    tour.wait(lambda: not tour.panel.session.busy)
    dock = open_dock(tour.viewer, LINKED)
    tour.wait(lambda: dock.shared.found is not None)
    height, width = tour.panel.session.ihc.size_um
    tour.control.canvas.go((0.45 * height, 0.4 * width), 0.1)
    demo_view.settle()
    dock.point_at((0.5 * height, 0.5 * width))
    tour.panel.studio.hud.hover((0.5 * height, 0.5 * width))
    tour.save("tour_her2st.png")
    tour.close_dock(dock)


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
            "field": lambda: field(tour),
            "parts": lambda: parts(tour),
            "review": lambda: review(tour),
            "export": lambda: handed_on(tour),
            "worklist": lambda: worklist(tour, scratch),
            "real": lambda: real(tour),
            "serial": lambda: serial(tour, scratch),
        }
        for act, make in acts.items():
            if not options.only or act in options.only:
                if act not in ("slides", "score", "real", "serial"):  # none shows what the one before it left
                    demo_view.show_in(tour.panel, folder / "case")
                tour.panel.studio.hud.forget_pointer()
                make()
        tour.viewer.close()


if __name__ == "__main__":
    main()
