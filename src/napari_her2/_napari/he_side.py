"""The H&E on its own canvas: what lies on it there, twins of overlays, and what a person draws on it. No Qt.

All of its layers are in µm of the H&E and lie by one affine, so that they move together.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari import layers as data
from napari_her2._napari.roi import Ring, rings_of
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import OpenSlide

__all__ = ["HeSide"]

SLIDE, VEIL, CARRIED, DRAWING = "he", "veil", "carried", "tumour"
TWINS: Final = ("heat", "part_C", "outline_he")
"""Overlays that are found on the H&E, from the lowest to the highest."""
FOLLOWED: Final = {"outline_he": "outline"}
"""A twin is shown when this layer is, for its own is hidden while the H&E has a canvas of its own."""
ORDER: Final = (SLIDE, VEIL, *TWINS, CARRIED, DRAWING)
LIKE: Final = ("visible", "opacity", "colormap")


class HeSide:
    """The second canvas of the linked view.

    Parameters
    ----------
    viewer : ViewerModel
    canvas : CaseCanvas
        The main one, whose overlays of the H&E are shown here as well.
    drawn : callable
        Called when a person has drawn here.
    """

    def __init__(self, viewer: Any, canvas: CaseCanvas, drawn: Callable[[], None]) -> None:
        self.viewer, self.canvas = viewer, canvas
        self._drawn = drawn
        self._layers: dict[str, Any] = {}
        self._followed: list[tuple[Any, Any]] = []
        self._source: dict[str, Any] = {}
        self._place = Affine.identity()
        for happened in (canvas.viewer.layers.events.inserted, canvas.viewer.layers.events.removed):
            happened.connect(self.mirror)

    @property
    def place(self) -> Affine:
        """µm of the H&E → world."""
        return self._place

    @property
    def shown(self) -> bool:
        """Whether there is an H&E."""
        return SLIDE in self._layers

    def layer(self, key: str) -> Any | None:
        """Return one of the layers."""
        return self._layers.get(key)

    def show(self, slide: OpenSlide | None) -> None:
        """Show a slide on the tiles that are there already, in place of the one before."""
        before = self.layer(SLIDE)
        if before is not None and (slide is None or data.pyramid_of(before) is not slide.pyramid):
            for key in list(self._layers):
                self.remove(key)
        if slide is not None and not self.shown:
            self._add(SLIDE, data.slide_layer(slide.pyramid, f"H&E  {slide.name}", slide.um_per_px))
            self.viewer.canvas.overlays.scale_bar.visible = True
        self.mirror()

    def lie(self, place: Affine) -> None:
        """Lay the H&E, with all that is on it, by an affine."""
        self._place = place
        for layer in self._layers.values():
            layer.affine = place.matrix

    def remove(self, key: str) -> None:
        """Take a layer away."""
        layer = self._layers.pop(key, None)
        self._source.pop(key, None)
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def show_veil(self, entry: data.LayerData | None) -> None:
        """Grey out what is not on both slides."""
        self.remove(VEIL)
        if entry is not None and self.shown:
            self._add(VEIL, entry)

    def mirror(self, *_: Any) -> None:
        """Show the overlays of the H&E that the main canvas has now, as they are shown there."""
        for key in TWINS:
            source = self.canvas.layer(key) if self.shown and self.canvas.on_he(key) else None
            if source is not self._source.get(key):
                self.remove(key)
                if source is not None:
                    self._twin(key, source)
        self._follow()

    def _twin(self, key: str, source: Any) -> None:
        pixels, meta, kind = source.as_layer_data_tuple()
        self._add(key, (pixels, {**meta, "affine": np.eye(3)}, kind))
        self._source[key] = source

    def _follow(self) -> None:
        """Hear when an overlay is changed on the main canvas."""
        self._unfollow()
        for key, source in self._source.items():
            shown = self.canvas.layer(FOLLOWED.get(key, key))
            for layer in (source, shown):
                if layer is not None:
                    self._hear(layer, partial(self._like, key))
            self._like(key)

    def _hear(self, layer: Any, slot: Any) -> None:
        for name in (*LIKE, "data"):
            signal = getattr(layer.events, name, None)
            if signal is not None:
                signal.connect(slot)
                self._followed.append((signal, slot))

    def _unfollow(self) -> None:
        for signal, slot in self._followed:
            signal.disconnect(slot)
        self._followed.clear()

    def _like(self, key: str, *_: Any) -> None:
        """Let a twin look like its source."""
        twin, source = self._layers.get(key), self._source.get(key)
        if twin is None or source is None:
            return
        if hasattr(source, "shape_type") and not _same(twin.data, source.data):
            twin.data = source.data
        for name in LIKE[1:]:
            if hasattr(source, name):
                setattr(twin, name, getattr(source, name))
        shown = self.canvas.layer(FOLLOWED.get(key, key)) or source
        twin.visible = shown.visible

    def draw(self, name: str) -> None:
        """Let the person draw an area of a class here."""
        layer = self._drawing_layer()
        data.set_area_class(layer, name)
        self.viewer.layers.selection.active = layer
        layer.mode = "add_polygon"

    def stop(self) -> None:
        """Let the mouse move the slide again."""
        layer = self.layer(DRAWING)
        if layer is not None:
            layer.mode = "pan_zoom"

    def rings(self) -> list[Ring]:
        """Return what was drawn here, in µm of the H&E."""
        layer = self.layer(DRAWING)
        if layer is None:
            return []
        back = self._place.inverse
        return [Ring("he", back(ring), name) for ring, name in rings_of(layer)]

    def fill(self, rings: Sequence[Ring]) -> None:
        """Put rings into the drawing, where they can be edited."""
        if not rings:
            return
        layer = self._drawing_layer()
        for ring in rings:
            data.set_area_class(layer, ring.name)
            layer.add(ring.points_um, shape_type="polygon")

    def clear(self) -> None:
        """Empty the drawing."""
        layer = self.layer(DRAWING)
        if layer is not None and len(layer.data):
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()

    def show_carried(self, rings: Sequence[Ring]) -> None:
        """Show what was drawn on the IHC as it lies on the H&E."""
        self.remove(CARRIED)
        if rings and self.shown:
            entry = data.carried_layer([ring.points_um for ring in rings], rings)
            self._add(CARRIED, entry)

    def close(self) -> None:
        """Let go of both canvases."""
        for happened in (
            self.canvas.viewer.layers.events.inserted,
            self.canvas.viewer.layers.events.removed,
        ):
            happened.disconnect(self.mirror)
        self._unfollow()
        self._layers.clear()
        self._source.clear()
        self.viewer.layers.clear()

    def _drawing_layer(self) -> Any:
        layer = self.layer(DRAWING)
        if layer is None:
            layer = self._add(DRAWING, data.drawing_layer())
            layer.events.data.connect(self._was_drawn)
        return layer

    def _was_drawn(self, *_: Any) -> None:
        self._drawn()

    def _add(self, key: str, entry: data.LayerData) -> Any:
        from napari.layers import Layer

        layer = Layer.create(*entry)
        layer.affine = self._place.matrix
        active = self.viewer.layers.selection.active
        above = [other for other in ORDER[ORDER.index(key) + 1 :] if other in self._layers]
        layers = self.viewer.layers
        at = min((layers.index(self._layers[other]) for other in above), default=len(layers))
        layers.insert(at, layer)
        self._layers[key] = layer
        if active is not None and active in layers:
            layers.selection.active = active
        return layer


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
