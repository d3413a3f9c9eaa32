"""A slide that is corrected, without a window: for the tests of the editor."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_her2._napari.editing import MaskEditor
from napari_her2._napari.editing_canvas import EditCanvas
from napari_her2._napari.editing_state import EditState, Target
from napari_her2._napari.editing_tools import EditTools
from napari_her2._napari.layers import slide_layer
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2.review import ReviewLog

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.geometry import Box


class FlatSlide:
    """A slide of any size in two colours: brown left of the middle, blue right of it."""

    white = np.array([245.0, 245, 245])
    closed = False

    def read_at(self, region: Box, um_per_px: float) -> Any:
        step = um_per_px / UM
        rows, cols = round(region.height / step), round(region.width / step)
        out = np.empty((rows, cols, 3), np.uint8)
        out[:] = (120, 120, 190)
        out[:, (np.arange(cols) + 0.5) * step + region.col < 5000] = (150, 100, 60)
        return out


class FlatSource:
    """Its pixels on the screen."""

    dtype, channels = np.dtype(np.uint8), 3

    def __init__(self, shape: tuple[int, int]) -> None:
        self.slide = FlatSlide()
        self.level_shapes = tuple((shape[0] >> k, shape[1] >> k) for k in range(10) if shape[0] >> k > 256)

    def read(self, box: Box, level: int) -> Any:
        return np.full((box.height, box.width, 3), 200, np.uint8)

    def reduce(self, pixels: Any) -> Any:
        return pixels[::2, ::2]

    def fill(self) -> int:
        return 255

    def close(self) -> None:
        self.slide.closed = True


class InlineLanes:
    """Does the work when the test says so, in its order."""

    def __init__(self) -> None:
        self.waiting: deque[Any] = deque()
        self.held = False

    def submit(self, lane: str, work: Any, done: Any, failed: Any) -> None:
        self.waiting.append((work, done, failed))
        if not self.held:
            self.run()

    def run(self) -> None:
        while self.waiting:
            work, done, failed = self.waiting.popleft()
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 as the real lanes do
                failed(error)
            else:
                done(result)

    def close(self) -> None:
        self.run()


UM = 0.25


class Bench:
    """An editor over a slide of some size, looking at it."""

    def __init__(self, folder: Path, size: int = 32_768) -> None:
        self.viewer = ViewerModel()
        self.viewer.canvas.size = (900, 1400)
        loader = TileLoader(TileCache(16 << 20))
        self.slide = TilePyramid(FlatSource((size, size)), loader)
        self.viewer.layers.append(Layer.create(*slide_layer(self.slide, "IHC", UM)))
        self.state, self.lanes = EditState(), InlineLanes()
        self.editor = MaskEditor(self.state, EditCanvas(self.viewer), self.lanes, loader, live=False)
        self.tools = EditTools(self.editor)
        self.log = ReviewLog(folder / "review.jsonl", "A. Reader")
        self.target = Target(
            role="ihc",
            name="ihc.tif",
            shape=(size, size),
            um_per_px=UM,
            pyramid=self.slide,
            folder=folder,
        )
        self.rasters: dict[str, Any] = {}

    @property
    def layer(self) -> Any:
        """The edit window."""
        return self.editor.canvas.layer

    def start(
        self, kind: str = "her2", at_um: tuple[float, float] = (1000, 1000), across: float = 200
    ) -> None:
        """Open a mask and look at a place."""
        self.look(at_um, across)
        self.editor.open(self.target, kind, self.log, self.rasters.get)

    def look(self, at_um: tuple[float, float], across_um: float) -> None:
        """Move the camera; the window follows."""
        self.viewer.scene.camera.center = (0, *at_um)
        self.viewer.scene.camera.zoom = 900 / across_um
        self.editor.look()

    def brush(self, *points_um: tuple[float, float], **settings: Any) -> None:
        """Paint one stroke through some places, as the mouse does."""
        self.editor.change(**{"tool": "brush", **settings})
        layer = self.layer
        with layer.block_history():
            last = None
            for point in points_um:
                at = layer.world_to_data(point)
                layer._draw(
                    0 if layer.mode == "erase" else layer.selected_label, at if last is None else last, at
                )
                last = at

    def drag(self, *points_um: tuple[float, float]) -> None:
        """Press, move and release the mouse on the edit window."""
        event = SimpleNamespace(type="mouse_press", button=1, position=points_um[0], modifiers=())
        steps = [
            s for s in (call(self.layer, event) for call in self.layer.mouse_drag_callbacks) if s is not None
        ]
        live = [step for step in steps if _next(step)]
        for point in points_um[1:]:
            event.type, event.position = "mouse_move", point
            live = [step for step in live if _next(step)]
        event.type = "mouse_release"
        for step in live:
            _next(step)

    def at(self, row_um: float, col_um: float) -> int:
        """Return the label that is on the disk at a place."""
        from napari_her2.annotation import read_labels
        from napari_her2.geometry import Box

        box = Box(int(row_um / UM), int(col_um / UM), 1, 1)
        return int(read_labels(self.editor.mask, self.editor.model, box)[0, 0])


def _next(step: Any) -> bool:
    try:
        next(step)
    except StopIteration:
        return False
    return True
