"""The tools that napari lacks: lasso, magic wand, superpixels; and the wheel that sets the brush."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.editing_overlay import ViewPicture, boundary_sheet
from napari_her2._napari.session import Message
from napari_her2.annotation import sampled, stain_plane, superpixels, wand
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2._napari.editing import MaskEditor
    from napari_her2.annotation import EditWindow
    from napari_her2.store import Multiscale

__all__ = ["EditTools"]


@dataclass(slots=True, eq=False)
class Looks:
    """What is seen in one window: read when a tool needs it."""

    window: EditWindow
    planes: dict[str, NDArray[Any]]


class EditTools:
    """Mouse tools on the edit window.

    Parameters
    ----------
    editor : MaskEditor
    probability : Multiscale or None
        What the wand compares when it is set to the model.
    """

    def __init__(self, editor: MaskEditor) -> None:
        self.editor = editor
        self.probability: Multiscale | None = None
        self._looks: Looks | None = None
        self._asked: tuple[Any, str] | None = None
        self.lines = ViewPicture(editor.canvas.viewer, SUPERPIXELS)
        self._lined: Any = None
        self._lines_hidden = False
        editor.canvas.attached = self.attach

    def attach(self, layer: Any) -> None:
        """Listen to the mouse on the edit window."""
        layer.mouse_drag_callbacks.append(self._drag)
        layer.mouse_wheel_callbacks.append(self._wheel)
        layer.mouse_move_callbacks.append(self._hover)

    def prepare(self) -> None:
        """Read what the chosen tool will need, before the first click."""
        settings = self.editor.state.settings
        name = {"wand": settings.wand_on, "superpixel": "superpixel"}.get(settings.tool)
        if name is not None:
            self.plane(name)
        self.show_lines()

    def hide_lines(self, *, hidden: bool) -> None:
        """Take the boundaries of the superpixels away until further notice."""
        self._lines_hidden = hidden
        self.show_lines()

    def show_lines(self) -> None:
        """Show the boundaries while the tool is in hand and the window covers the view."""
        editor, pixels = self.editor, self.editor.pixels
        wanted = (
            editor.state.settings.tool == "superpixel" and editor.state.covered and not self._lines_hidden
        )
        looks = self._looks if wanted and pixels is not None else None
        plane = None
        if looks is not None and pixels is not None and looks.window == pixels.window:
            plane = looks.planes.get("superpixel")
        if plane is None or looks is None or looks.window.scale_um > COARSEST_LINES_UM:
            self.lines.clear()
            self._lined = None
        elif self._lined is not plane:
            self._lined = plane
            top, left = looks.window.translate_um
            half = looks.window.scale_um / 2
            sheet = boundary_sheet(plane, (top - half, left - half), looks.window.scale_um)
            self.lines.show(sheet, editor.canvas._slide)

    def plane(self, name: str) -> NDArray[Any] | None:
        """Return a plane of the window, or None while it is being made.

        Parameters
        ----------
        name : {"brown", "blue", "model", "superpixel"}
        """
        pixels = self.editor.pixels
        if pixels is None:
            return None
        if self._looks is None or self._looks.window != pixels.window:
            self._looks = Looks(pixels.window, {})
        found = self._looks.planes.get(name)
        if found is None and self._asked != (pixels.window, name):
            self._asked = (pixels.window, name)
            self._make(self._looks, name)
        return found

    def _make(self, looks: Looks, name: str) -> None:
        target = self.editor.state.target
        if target is None:
            return
        source, probability, um = target.pyramid.source, self.probability, target.um_per_px

        def work() -> NDArray[Any]:
            if name == "model":
                return _probability(probability, looks.window)
            rgb = _picture(source, looks.window, um)
            if name == "superpixel":
                return superpixels(rgb, looks.window.scale_um)
            return stain_plane(rgb, np.asarray(source.slide.white), name)  # type: ignore[attr-defined]

        def done(plane: NDArray[Any]) -> None:
            looks.planes[name] = plane
            self._asked = None
            self.show_lines()
            if self.editor.state.message == WAIT:
                self.editor.state.message = None

        def failed(error: BaseException) -> None:
            self._asked = None
            self.editor._failed(error)

        self.editor.lanes.submit("look", work, done, failed)

    def _drag(self, layer: Any, event: Any) -> Any:
        tool = self.editor.state.settings.tool
        if event.button != 1 or tool not in ("lasso", "wand", "superpixel"):
            return
        if tool == "lasso":
            yield from self._lasso(layer, event)
        elif tool == "wand":
            self._wand(event.position)
        else:
            yield from self._superpixels(layer, event)

    def _lasso(self, layer: Any, event: Any) -> Any:
        points = [_point(layer, event.position)]
        yield
        while event.type == "mouse_move":
            point = _point(layer, event.position)
            if np.hypot(point[0] - points[-1][0], point[1] - points[-1][1]) >= 1.5:
                points.append(point)
                self.editor.canvas.outline(points)
            yield
        self.editor.canvas.outline([])
        if len(points) > 2:
            self.fill_ring(np.array(points))

    def fill_ring(self, ring: NDArray[np.float64]) -> None:
        """Give what a ring encloses the class; corners in pixels of the window, corner-based."""
        from skimage.draw import polygon2mask

        shape = self.editor.canvas.layer.data.shape
        low = np.clip(np.floor(ring.min(axis=0)).astype(int), 0, shape)
        high = np.clip(np.ceil(ring.max(axis=0)).astype(int) + 1, 0, shape)
        if (high > low).all():
            inside = polygon2mask(tuple(high - low), ring - low - 0.5)
            self.editor.canvas.put(inside, self.editor.state.settings.value, (int(low[0]), int(low[1])))

    def _wand(self, position: Any) -> None:
        settings = self.editor.state.settings
        if settings.wand_on == "model" and self.probability is None:
            self.editor.state.message = Message(
                "No model has marked the tumour on this slide: let the wand look at a stain."
            )
            return
        plane, seed = self.plane(settings.wand_on), self.editor.canvas.pixel(position)
        if plane is None:
            self._wait()
        elif 0 <= seed[0] < plane.shape[0] and 0 <= seed[1] < plane.shape[1]:
            self.editor.canvas.put(wand(plane, seed, settings.tolerance, gap_px=2), settings.value)

    def _superpixels(self, layer: Any, event: Any) -> Any:
        plane = self.plane("superpixel")
        if plane is None:
            self._wait()
            return
        done: set[int] = set()
        self._put_superpixel(plane, event.position, done)
        yield
        while event.type == "mouse_move":
            self._put_superpixel(plane, event.position, done)
            yield
        self.editor.canvas.flush()

    def _put_superpixel(self, plane: NDArray[Any], position: Any, done: set[int]) -> None:
        row, col = self.editor.canvas.pixel(position)
        if not (0 <= row < plane.shape[0] and 0 <= col < plane.shape[1]):
            return
        number = int(plane[row, col])
        if number not in done:
            done.add(number)
            self.editor.canvas.put(plane == number, self.editor.state.settings.value, later=True)

    def _wait(self) -> None:
        self.editor.state.message = WAIT

    def _wheel(self, layer: Any, event: Any) -> None:
        """Set the size of the brush while Shift is held."""
        if "Shift" in event.modifiers:
            delta = event.delta[1] or event.delta[0]
            self.editor.size_brush(float(np.sign(delta)))
            event.handled = True

    def _hover(self, layer: Any, event: Any) -> None:
        self.editor.hover(event.position)


SUPERPIXELS = "superpixels"
COARSEST_LINES_UM = 3.0
"""At a coarser window a superpixel has so few pixels that its outline would cover it."""

WAIT = Message("Looking at the tissue in the window: click again in a moment.")


def _point(layer: Any, position: Any) -> list[float]:
    """Return a place of the world in pixels of the window, corner-based."""
    row, col = np.asarray(layer.world_to_data(position))[-2:] + 0.5
    return [float(row), float(col)]


def _picture(source: Any, window: EditWindow, um_per_px: float) -> NDArray[np.uint8]:
    """Return what is seen in the window (rows, cols, 3); waits for the slide."""
    box, step = window.box, 2**window.level
    region = Box(box.row * step, box.col * step, box.height * step, box.width * step)
    rgb = source.slide.read_at(region, um_per_px * step)
    rows = np.minimum(np.arange(box.height), rgb.shape[0] - 1)
    cols = np.minimum(np.arange(box.width), rgb.shape[1] - 1)
    return np.ascontiguousarray(rgb[rows][:, cols])


def _probability(raster: Multiscale | None, window: EditWindow) -> NDArray[np.float32]:
    """Return the model's probability in the window."""
    if raster is None:
        return np.zeros((window.box.height, window.box.width), np.float32)
    found = sampled(raster, window.box, window.scale_um)
    return (found / (255 if found.dtype.kind in "iu" else 1)).astype(np.float32)
