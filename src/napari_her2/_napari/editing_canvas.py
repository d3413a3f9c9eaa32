"""The edit window on napari's canvas; touches only the layers it added, and leaves when it is told to."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.editing_layers import edit_layer, mask_layer
from napari_her2._napari.editing_pixels import MODEL_AGAIN
from napari_her2._napari.editing_state import TOOLS
from napari_her2.annotation import View
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2._napari.editing_layers import MaskPyramid
    from napari_her2._napari.editing_pixels import WindowPixels
    from napari_her2._napari.editing_state import Settings
    from napari_her2.annotation import MaskKind

__all__ = ["EditCanvas"]

LEAST_BRUSH_PX = 1


class EditCanvas:
    """Shows what is edited: the window to paint on, and the whole mask where no window covers the view.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    layer : napari.layers.Labels or None
        The edit window.
    whole : napari.layers.Labels or None
        The mask at low power.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Any = None
        self.whole: Any = None
        self.painted: Callable[[], None] = lambda: None
        self.attached: Callable[[Any], None] = lambda layer: None
        self._slide: Any = None
        self._peeking = False
        self._pressed = self._hidden = False
        self._opacity = 0.55

    def show_mask(self, slide: Any, pyramid: MaskPyramid, kind: MaskKind, um_per_px: float) -> None:
        """Show a whole mask over the slide's layer, in place of the one before."""
        self.clear()
        self._slide = slide
        entry = mask_layer(pyramid, kind, um_per_px, opacity=self._opacity, affine=np.asarray(slide.affine))
        self.whole = self._add(entry)
        slide.events.affine.connect(self._moved)

    def show_window(self, pixels: WindowPixels, kind: MaskKind) -> None:
        """Put the edit window where it belongs; the layer stays the same, so that tools stay chosen."""
        if self.layer is None or self.layer not in self.viewer.layers:
            affine = np.asarray(self._slide.affine)
            self.layer = self._add(edit_layer(pixels, kind, opacity=self._opacity, affine=affine))
            self.layer.events.paint.connect(self._on_paint)
            self.layer.mouse_drag_callbacks.insert(0, self._on_drag)
            self.attached(self.layer)
            self.viewer.layers.selection.active = self.layer
            return
        um = pixels.window.scale_um
        layer = self.layer
        # One upload instead of one for each of the three.
        blocked = getattr(layer, "_block_refresh", nullcontext)
        with blocked():
            layer.data = pixels.shown.copy()
            layer.scale = (um, um)
            layer.translate = pixels.window.translate_um
        layer._reset_history()
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    @property
    def drawing(self) -> bool:
        """Whether a person is in the middle of a stroke or a polygon; then nothing may move under it."""
        if self.layer is None:
            return False
        overlays = getattr(self.layer, "_overlays", {})
        polygon = "polygon" in overlays and len(overlays["polygon"].points) > 0
        encircling = "brush_stroke" in overlays and overlays["brush_stroke"].active
        return bool(self._pressed or polygon or encircling)

    def outline(self, points: list[list[float]]) -> None:
        """Show the way of the lasso so far, in pixels of the window; nothing for an empty list."""
        overlay = getattr(self.layer, "_overlays", {}).get("polygon")
        if overlay is not None:
            overlay.enabled = bool(points)
            overlay.points = points

    def redraw(self) -> None:
        """Bring the pixels that the program changed to the screen."""
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)

    def cover(self, covered: bool) -> None:
        """Show the window where it covers the view, else the whole mask."""
        for layer, visible in ((self.layer, covered), (self.whole, not covered)):
            if layer is not None and layer in self.viewer.layers and layer.visible != visible:
                layer.visible = visible

    def apply(self, settings: Settings) -> None:
        """Set tool, class, size and opacity on the edit window."""
        self._opacity = settings.opacity
        for layer in (self.layer, self.whole):
            if layer is not None and not (self._peeking or self._hidden):
                layer.opacity = settings.opacity
        layer = self.layer
        if layer is None:
            return
        tool = TOOLS[settings.tool]
        layer.selected_label = MODEL_AGAIN if settings.tool == "model" else settings.value
        layer.preserve_labels = settings.keep and settings.tool in ("brush", "fill", "polygon")
        layer.brush_size = max(LEAST_BRUSH_PX, round(settings.brush_um / float(layer.scale[-1])))
        mode = tool.mode or "pan_zoom"
        if str(layer.mode) != mode:
            layer.mode = mode
        layer.mouse_pan = settings.tool == "move"
        if not tool.mode:
            layer.cursor = "cross"

    def hide(self, *, hidden: bool) -> None:
        """Show what lies under the mask until further notice."""
        self._hidden = hidden
        self.peek(self._peeking)

    def peek(self, peeking: bool) -> None:
        """Show what lies under the mask while a key is held."""
        self._peeking = peeking
        peeking = peeking or self._hidden
        for layer in (self.layer, self.whole):
            if layer is not None:
                layer.opacity = 0.0 if peeking else self._opacity

    def view(self) -> View | None:
        """Return what is on the screen, in µm of the slide; None before anything is drawn."""
        camera, (height, width) = self.viewer.scene.camera, self.viewer.canvas.size
        if self._slide is None or not camera.zoom or height < 2 or width < 2:
            return None
        row, col = camera.center[-2:]
        half = height / camera.zoom / 2, width / camera.zoom / 2
        corners = [(row + a * half[0], col + b * half[1]) for a in (-1, 1) for b in (-1, 1)]
        placed = Affine.from_matrix(np.asarray(self._slide.affine)).inverse(corners)
        (top, left), (bottom, right) = placed.min(axis=0), placed.max(axis=0)
        return View(float(top), float(left), float(bottom), float(right))

    def go_to(self, row_um: float, col_um: float, across_um: float) -> None:
        """Move the camera to a place of the slide, so that ``across_um`` fill the height."""
        camera = self.viewer.scene.camera
        ((row, col),) = Affine.from_matrix(np.asarray(self._slide.affine))([(row_um, col_um)])
        camera.center = (0.0, float(row), float(col))
        camera.zoom = self.viewer.canvas.size[0] / across_um

    def pixel(self, position: Any) -> tuple[int, int]:
        """Return the (row, col) of the window under a place of the world."""
        row, col = np.floor(np.asarray(self.layer.world_to_data(position))[-2:] + 0.5)
        return int(row), int(col)

    def put(
        self, chosen: NDArray[np.bool_], value: int, at: tuple[int, int] = (0, 0), *, later: bool = False
    ) -> None:
        """Give pixels a label as if they were painted.

        Parameters
        ----------
        chosen : bool ndarray of shape (rows, cols)
        value : int
        at : tuple of int
            (row, col) of the window where ``chosen`` begins.
        later : bool
            The stroke goes on: it is saved by :meth:`flush`.
        """
        layer = self.layer
        part = layer.data[at[0] : at[0] + chosen.shape[0], at[1] : at[1] + chosen.shape[1]]
        free = chosen & (part == 0) if layer.preserve_labels else chosen
        part[free] = value
        self.redraw()
        if not later:
            self._on_paint()

    def flush(self) -> None:
        """End a stroke of several parts."""
        self._on_paint()

    def clear(self) -> None:
        """Take the layers away."""
        if self._slide is not None:
            self._slide.events.affine.disconnect(self._moved)
        for layer in (self.layer, self.whole):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.layer = self.whole = self._slide = None
        self._pressed = False

    def _on_drag(self, layer: Any, event: Any) -> Any:
        """Know when the button is down."""
        self._pressed = True
        yield
        while event.type == "mouse_move":
            yield
        self._pressed = False

    def _on_paint(self, *_: Any) -> None:
        self.painted()

    def _moved(self, *_: Any) -> None:
        """Follow the slide: side by side, overlaid, turned."""
        for layer in (self.layer, self.whole):
            if layer is not None:
                layer.affine = np.asarray(self._slide.affine)

    def _add(self, entry: Any) -> Any:
        from napari.layers import Layer

        layer = Layer.create(*entry)
        self.viewer.layers.append(layer)
        return layer
