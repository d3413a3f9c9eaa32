"""How smoothly the window answers: opening, pan and zoom (P4), and a model at work while one pans (P3).

    bash scripts/with_display.sh python benchmarks/window.py --ihc SLIDE [--case CASE] [ONLY...]

ONLY of ``opening``, ``pan``, ``run``; all by default. Prints JSON, in milliseconds (median, 95th, 99th):

``opening``  from the call that opens the slide, in a window that is up, to the first of its pixels on the
             canvas (``first_px``) and to the whole view being sharp (``sharp``)
``pan``      steps of the camera with what they draw: our pyramid (``ours``: tiles decoded before; ``cold``:
             never seen), the same levels as numpy arrays in memory (``numpy``), and a case with its overlays
             (``case``, with ``--case``); in turn, ``--repeat`` times. Budget: ours at most 1.15 times numpy
``run``      turns of the event loop at rest and while one pans, without a run and with model M on the
             visible region; from *Run* to the first answers on screen in calls of the model. Budget: while
             one pans 99 of 100 turns at most 1.25 times as long as without a run, at rest 100 ms
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QApplication

import napari
from napari_her2._napari import demo_view
from napari_her2._napari.layers import pyramid_of
from napari_her2._napari.widgets.arrange import PARTS_DOCK, open_dock
from napari_her2._napari.worker import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE_PX = (1600, 1000)
STEP_PX = 40
"""A step of a pan, in pixels of the screen."""
PATIENCE_S = 300.0
CHANGED = 0.02
"""Share of the canvas that must differ from the empty one."""


def figures(seconds: list[float]) -> dict[str, float]:
    """Return median and tails in milliseconds."""
    names = {"median": 50, "p95": 95, "p99": 99}
    return {name: round(1000 * float(np.percentile(seconds, at)), 1) for name, at in names.items()}


def new_window() -> Any:
    """Return a viewer that has come to rest."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE_PX)
    wait_until(lambda: False, 1.0)
    return viewer


def picture(viewer: Any) -> Any:
    """Return what is on the canvas, as numbers that may be subtracted."""
    return np.asarray(viewer.screenshot(canvas_only=True, flash=False), np.int16)[..., :3]


def opening(slide: Path, repeat: int) -> dict[str, Any]:
    """Open a slide in a window that is up, several times; the first one imports what reads slides."""
    first, sharp = [], []
    for _ in range(repeat):
        viewer = new_window()
        empty = picture(viewer)
        began = time.perf_counter()
        viewer.open(str(slide), plugin="napari-her2")
        seen = 0.0
        while not seen:
            QApplication.processEvents()
            now, shown = time.perf_counter() - began, picture(viewer)
            moved = shown.shape != empty.shape or np.any(np.abs(shown - empty) > 8, axis=2).mean() > CHANGED
            seen = now if moved else 0.0
            if now > PATIENCE_S:
                raise SystemExit(f"{slide.name} did not come up")
        first.append(seen)
        demo_view.settle()
        sharp.append(time.perf_counter() - began - 2 * demo_view.SETTLE_SECONDS)
        viewer.close()
    return {
        "first_px_with_imports": round(1000 * first[0], 1),
        "first_px": figures(first[1:] or first),
        "sharp": figures(sharp[1:] or sharp),
        "repeat": repeat,
    }


def path_of(viewer: Any, steps: int, zoom: float) -> Iterator[tuple[tuple[float, float], float]]:
    """Yield centre and zoom: a pan at full magnification, then out to the whole slide and in again."""
    (row, col) = viewer.scene.camera.center[-2:]
    for n in range(steps):
        yield (row + 0.3 * n * STEP_PX / zoom, col + n * STEP_PX / zoom), zoom
    for n in range(steps):
        out = 1 - abs(2 * n / max(steps - 1, 1) - 1)
        yield (row, col), zoom * 0.02**out


def walk(viewer: Any, middle: tuple[float, float], steps: int, zoom: float) -> list[float]:
    """Move the camera step by step; return how long each took with its drawing."""
    camera, native = viewer.scene.camera, viewer.window._qt_viewer.canvas.native
    camera.center, camera.zoom = (0, *middle), zoom
    demo_view.settle()
    took = []
    for place, closer in path_of(viewer, steps, zoom):
        began = time.perf_counter()
        camera.center, camera.zoom = (0, *place), closer
        for _ in range(2):  # the first drawing slices the layers, the second shows what they gave
            native.update()
            QApplication.processEvents()
        took.append(time.perf_counter() - began)
    return took


def pan(slide: Path, case: Path | None, steps: int, repeat: int) -> dict[str, Any]:
    """Pan and zoom over our layer and over the same levels in memory, in turn."""
    viewer = new_window()
    ours = viewer.open(str(slide), plugin="napari-her2")[0]
    demo_view.settle()
    levels = [np.asarray(level) for level in pyramid_of(ours).data]
    numpy = viewer.add_image(
        levels, multiscale=True, rgb=True, scale=ours.scale, units=ours.units, name="numpy"
    )
    zoom = 1 / float(ours.scale[-1])
    middle = tuple(float(m) for m in (np.asarray(ours.extent.world).mean(axis=0)[-2:]))
    shown: dict[str, Callable[[], None]] = {
        "ours": lambda: only(ours, numpy),
        "numpy": lambda: only(numpy, ours),
    }
    found: dict[str, list[list[float]]] = {"cold": [], "ours": [], "numpy": []}
    only(ours, numpy)
    found["cold"].append(walk(viewer, middle, steps, zoom))
    for turn in range(repeat):
        for name in list(shown)[:: 1 if turn % 2 else -1]:
            shown[name]()
            found[name].append(walk(viewer, middle, steps, zoom))
    viewer.close()
    if case is not None:
        found["case"] = [whole_case(case, steps) for _ in range(repeat)]
    totals = {name: float(np.median([sum(times) for times in runs])) for name, runs in found.items()}
    return {
        **{name: figures([t for times in runs for t in times]) for name, runs in found.items()},
        "ours_to_numpy": round(totals["ours"] / totals["numpy"], 3),
        "cold_to_numpy": round(totals["cold"] / totals["numpy"], 3),
        "steps": 2 * steps,
        "repeat": repeat,
    }


def only(shown: Any, hidden: Any) -> None:
    """Show one layer, hide the other."""
    hidden.visible = False
    shown.visible = True


def whole_case(case: Path, steps: int) -> list[float]:
    """Walk over a finished case with the layers that are shown by default."""
    viewer = new_window()
    panel = demo_view.open_panel(viewer, SIZE_PX)
    demo_view.show_in(panel, case)
    layer = panel.controller.canvas.layer("ihc")
    middle = tuple(float(m) for m in np.asarray(layer.extent.world).mean(axis=0)[-2:])
    walk(viewer, middle, steps, 1 / float(layer.scale[-1]))
    took = walk(viewer, middle, steps, 1 / float(layer.scale[-1]))
    viewer.close()
    return took


def gaps(viewer: Any, seconds: float, *, moving: bool) -> list[float]:
    """Let the window live, at rest or panned; return how long each turn of its event loop took."""
    camera = viewer.scene.camera
    row, col = camera.center[-2:]
    began = time.perf_counter()
    found, n = [], 0
    while time.perf_counter() - began < seconds:
        turn = time.perf_counter()
        if moving:
            n += 1
            swing = abs((n % 40) - 20) * STEP_PX / camera.zoom
            camera.center = (0, row, col + swing)
        QApplication.processEvents()
        found.append(time.perf_counter() - turn)
        time.sleep(0.002)
    camera.center = (0, row, col)
    return found


def run(slide: Path, seconds: float, repeat: int) -> dict[str, Any]:
    """Let model M work on the visible region; compare the window's gaps with those without it."""
    viewer = new_window()
    panel = demo_view.open_panel(viewer, SIZE_PX)
    panel.controller.open([slide])
    demo_view.wait_for(panel)
    dock = open_dock(viewer, PARTS_DOCK)
    control = dock.rows["M"].control
    layer = panel.controller.canvas.layer("ihc")
    middle = np.asarray(layer.extent.world).mean(axis=0)[-2:]
    first: list[float] = []
    kinds = {name: [] for name in ("rest", "rest_run", "pan_run", "pan")}
    for turn in range(repeat + 1):  # the first one imports torch and loads the model
        viewer.scene.camera.zoom = 0.35
        viewer.scene.camera.center = (0, middle[0] + 200.0 * turn, middle[1] + 100.0 * turn)
        demo_view.settle()
        rest = gaps(viewer, seconds, moving=False)
        began = time.perf_counter()
        control.start("view")
        wait_until(lambda: control._kept is not None and bool(control._kept[2].any()), PATIENCE_S)
        waited, done = time.perf_counter() - began, int(control._kept[2].sum())
        with_run = gaps(viewer, seconds, moving=False), gaps(viewer, seconds, moving=True)
        if not control.state.busy:
            raise SystemExit("the model was done before the pan: take a larger slide, or fewer seconds")
        per_patch = (2 * seconds) / max(int(control._kept[2].sum()) - done, 1)
        control.cancel()
        wait_until(lambda: False, 3.0)
        without = gaps(viewer, seconds, moving=True)  # with the same layers, which cost drawing, too
        control.close()
        if turn:
            first.append(waited / (per_patch * done))
            for name, values in zip(kinds, (rest, *with_run, without), strict=True):
                kinds[name] += values
        print(f"turn {turn}: first answers after {waited:.1f} s", flush=True)
    viewer.close()
    found = {name: figures(values) for name, values in kinds.items()}
    return {
        **found,
        "pan_p99_with_run_to_without": round(found["pan_run"]["p99"] / found["pan"]["p99"], 2),
        "first_answers_in_calls": [round(value, 2) for value in first],
        "seconds_each": seconds,
        "repeat": repeat,
    }


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", choices=("opening", "pan", "run", []), metavar="ONLY")
    parser.add_argument("--ihc", type=Path, required=True, metavar="SLIDE")
    parser.add_argument("--case", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each watch of the window's gaps")
    options = parser.parse_args()
    wanted = set(options.only) or {"opening", "pan", "run"}
    if unknown := wanted - {"opening", "pan", "run"}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    found: dict[str, Any] = {"slide": options.ihc.name, "window_px": SIZE_PX}
    if "opening" in wanted:
        found["opening"] = opening(options.ihc, options.repeat)
    if "pan" in wanted:
        found["pan"] = pan(options.ihc, options.case, options.steps, options.repeat)
    if "run" in wanted:
        found["run"] = run(options.ihc, options.seconds, options.repeat)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
