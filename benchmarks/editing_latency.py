"""What a brush stroke costs the window, on slides of 4 096², 32 768² and 100 000² pixels: it must be flat.

    bash scripts/with_display.sh python benchmarks/editing_latency.py [--strokes N] [--size PX ...]

For each size a real window shows a slide of one colour with the dock "Correct masks" on it; strokes of
ten mouse moves are painted at a new place each. Prints JSON, in milliseconds (median, 95th percentile):

``move``     one move of the brush with its picture on the screen, on the window's thread
``stroke``   what the end of a stroke adds there: finding what changed, handing it over
``gap``      the longest time in which the window did not answer in the 0.4 s after a stroke, as it is saved
``saved``    from the end of the stroke to its journal and all levels being on the disk (another thread)

``cpu_*`` is the processor time of the window's thread, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QApplication

import napari
from napari_her2._napari.editing_case import EditCase
from napari_her2._napari.editing_state import Target
from napari_her2._napari.layers import slide_layer
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.widgets.editing_dock import EditDock
from napari_her2._napari.worker import refresher, wait_until
from napari_her2.review import ReviewLog

UM = 0.25
MOVES = 10
GAP_SECONDS = 0.4


class PlainSource:
    """A slide of one colour and any size."""

    dtype, channels = np.dtype(np.uint8), 3

    def __init__(self, size: int) -> None:
        self.level_shapes = tuple((size >> k, size >> k) for k in range(12) if size >> k > 300)

    def read(self, box: Any, level: int) -> Any:
        return np.full((box.height, box.width, 3), 215, np.uint8)

    def reduce(self, pixels: Any) -> Any:
        return pixels[::2, ::2]

    def fill(self) -> int:
        return 255

    def close(self) -> None:
        pass


def stroke(layer: Any, row_um: float, col_um: float) -> list[tuple[float, float]]:
    """Paint as the mouse does; return wall and processor time of each move, the last with the end."""
    times = []
    painting = layer.block_history()
    painting.__enter__()
    last = None
    for n in range(MOVES):
        wall, own = time.perf_counter(), time.thread_time()
        at = layer.world_to_data((row_um, col_um + 4.0 * n))
        layer._draw(layer.selected_label, at if last is None else last, at)
        last = at
        QApplication.processEvents()
        times.append((time.perf_counter() - wall, time.thread_time() - own))
    wall, own = time.perf_counter(), time.thread_time()
    painting.__exit__(None, None, None)
    times.append((time.perf_counter() - wall, time.thread_time() - own))
    return times


def gaps(state: Any) -> tuple[float, float, float]:
    """Let the window live for a while; return its longest gap (wall, processor) and when all was saved."""
    began = last = time.perf_counter()
    own = time.thread_time()
    worst = worst_own = saved = 0.0
    while last - began < GAP_SECONDS or state.saving:
        QApplication.processEvents()
        now, now_own = time.perf_counter(), time.thread_time()
        worst, worst_own = max(worst, now - last), max(worst_own, now_own - own)
        last, own = now, now_own
        saved = saved or (now - began if not state.saving else 0.0)
        time.sleep(0.001)
        last, own = time.perf_counter(), time.thread_time()
    return worst, worst_own, saved


def measure(size: int, strokes: int) -> dict[str, Any]:
    """Open a window on a slide of that size and paint."""
    folder = Path(tempfile.mkdtemp(prefix="her2-latency-"))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    try:
        dock = EditDock(viewer)
        viewer.window.add_dock_widget(dock, name="Correct masks")
        suite, found = dock.suite, open_on(viewer, dock, size, folder)
        samples: dict[str, list[float]] = {name: [] for name in ("move", "stroke", "gap", "saved")}
        cpu: dict[str, list[float]] = {name: [] for name in ("move", "stroke", "gap")}
        rng = np.random.default_rng(0)
        for n in range(strokes + 3):
            row, col = np.asarray(found) + rng.uniform(-90, 90, 2)
            suite.editor.choose_class(2 + n % 3)
            *moves, end = stroke(suite.canvas.layer, float(row), float(col))
            worst, worst_own, saved = gaps(suite.state)
            if n < 3:  # the first strokes load what they need
                continue
            samples["move"] += [wall for wall, _ in moves]
            cpu["move"] += [own for _, own in moves]
            for name, value, own in (("stroke", *end), ("gap", worst, worst_own)):
                samples[name].append(value)
                cpu[name].append(own)
            samples["saved"].append(saved)
        return {
            **{name: summary(values) for name, values in samples.items()},
            **{f"cpu_{name}": summary(values) for name, values in cpu.items()},
        }
    finally:
        viewer.close()
        shutil.rmtree(folder, ignore_errors=True)


def open_on(viewer: Any, dock: Any, size: int, folder: Path) -> tuple[float, float]:
    """Show the slide, open a mask in its middle, and return that middle in µm."""
    window: Any = refresher()
    pyramid = TilePyramid(PlainSource(size), window.loader, live=True)
    viewer.add_layer(napari.layers.Layer.create(*slide_layer(pyramid, "IHC", UM)))
    target = Target(
        role="ihc", name="plain", shape=(size, size), um_per_px=UM, pyramid=pyramid, folder=folder
    )
    suite = dock.suite
    suite.case = EditCase(target, None, ReviewLog(folder / "review.jsonl", "benchmark"))
    suite.editor.open(target, "her2", suite.case.log, lambda name: None)
    wait_until(lambda: suite.state.active, 60)
    middle = size * UM / 2
    suite.canvas.go_to(middle, middle, 250.0)
    suite.look()
    if not wait_until(lambda: suite.state.covered, 60):
        raise SystemExit("the edit window did not come")
    return middle, middle


def summary(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    low, high = np.percentile(values, (50, 95)) * 1000
    return {"p50": round(float(low), 2), "p95": round(float(high), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strokes", type=int, default=25)
    parser.add_argument("--size", type=int, nargs="*", default=[4_096, 32_768, 100_000])
    options = parser.parse_args()
    found = {str(size): measure(size, options.strokes) for size in options.size}
    first, last = (found[str(size)] for size in (options.size[0], options.size[-1]))
    ratio = {
        name: round(last[name]["p50"] / max(first[name]["p50"], 1e-3), 2)
        for name in ("cpu_move", "cpu_stroke", "cpu_gap")
    }
    text = {"benchmark": "stroke latency", "budget_ms": 50, "sizes_px": found, "largest_to_smallest": ratio}
    print(json.dumps(text, indent=2))


if __name__ == "__main__":
    main()
