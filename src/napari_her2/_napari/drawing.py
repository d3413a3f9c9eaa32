"""What a person draws on the canvas: the layer ``tumour``, and what of it lies on which slide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari import layers as data
from napari_her2._napari.roi import AREA_CLASSES, Ring, rings_of
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2._napari.he_side import HeSide
    from napari_her2._napari.session import SlideRole

__all__ = ["Drawing", "size_um"]


class Drawing(ABC):
    """The part of the canvas that a person draws on; see :class:`~napari_her2._napari.canvas.CaseCanvas`."""

    viewer: Any
    he_side: HeSide | None = None
    """Where the H&E lies while it has a canvas of its own: what is drawn on it is drawn there."""

    @abstractmethod
    def layer(self, key: str) -> Any | None:
        """Return a layer of ours; the canvas knows them."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Take one of our layers away."""

    @abstractmethod
    def _add(self, key: str, entry: data.LayerData, *, below: bool = False) -> Any:
        """Put a layer of ours on the canvas and return it."""

    def draw_tumour(self, name: str = AREA_CLASSES[0]) -> None:
        """Make the layer ``tumour`` active, ready to draw a polygon of a class."""
        layer = self._drawing_layer()
        data.set_area_class(layer, name)
        self.viewer.layers.selection.active = layer
        layer.mode = "add_polygon"
        if self.he_side is not None:
            self.he_side.draw(name)

    def stop_drawing(self) -> None:
        """Let the mouse move the slides again."""
        if (layer := self.drawing()) is not None:
            layer.mode = "pan_zoom"
        if self.he_side is not None:
            self.he_side.stop()

    def share(self, he_side: HeSide | None) -> None:
        """Leave what is drawn on the H&E to its own canvas, or take it back."""
        if he_side is not None:
            rings = self.rings()
            self.he_side = he_side
            he_side.fill([ring for ring in rings if ring.role == "he"])
            self._replace([ring for ring in rings if ring.role == "ihc"], len(rings))
        elif self.he_side is not None:
            rings, self.he_side = self.he_side.rings(), None
            self._put(rings)

    def _replace(self, rings: Sequence[Ring], before: int) -> None:
        """Draw anew where some of the rings went away."""
        if len(rings) < before:
            layer = self._drawing_layer()
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()
            self._put(rings)

    def _put(self, rings: Sequence[Ring]) -> None:
        if rings:
            layer = self._drawing_layer()
            for ring in rings:
                data.set_area_class(layer, ring.name)
                layer.add(self._in_layer(ring), shape_type="polygon")

    def _drawing_layer(self) -> Any:
        layer = self.drawing()
        if layer is None:
            layer = self._add("tumour", data.drawing_layer())
        return layer

    def fill_drawing(self, rings: Sequence[Ring]) -> None:
        """Put rings into the layer ``tumour``, where they can be edited."""
        layer = self._drawing_layer()
        elsewhere = [ring for ring in rings if ring.role == "he"] if self.he_side is not None else []
        self._put([ring for ring in rings if ring not in elsewhere])
        if self.he_side is not None:
            self.he_side.fill(elsewhere)
        self.viewer.layers.selection.active = layer
        layer.mode = "direct"

    def clear_drawing(self) -> None:
        """Empty the layer ``tumour``."""
        layer = self.drawing()
        if layer is not None and len(layer.data):
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()
        if self.he_side is not None:
            self.he_side.clear()

    def show_carried(self, rings: Sequence[Ring]) -> None:
        """Show on each slide what was drawn on the other."""
        self.remove("carried")
        if self.he_side is not None:
            self.he_side.show_carried([ring for ring in rings if ring.role == "he"])
            rings = [ring for ring in rings if ring.role == "ihc"]
        if rings and self.layer("he") is not None:
            self._add(
                "carried",
                data.carried_layer([self._in_layer(ring) for ring in rings], rings),
            )

    def _in_layer(self, ring: Ring) -> NDArray[np.float64]:
        """Return a ring as a layer that lies like the IHC holds it."""
        if ring.role == "ihc" or self.layer("he") is None:
            return ring.points_um
        return self.place_of("ihc").inverse(self.place_of("he")(ring.points_um))

    def drawing(self) -> Any | None:
        """Return the Shapes layer ``tumour``, whoever made it."""
        named = (layer for layer in self.viewer.layers if layer.name == data.TUMOUR)
        return next((layer for layer in named if hasattr(layer, "shape_type")), None)

    def rings(self) -> list[Ring]:
        """Return what the person drew, each ring on the slide that it lies on."""
        layer = self.drawing()
        here = [] if layer is None else [self._on_slide(ring, name) for ring, name in rings_of(layer)]
        return here if self.he_side is None else here + self.he_side.rings()

    def _on_slide(self, ring: NDArray[np.float64], name: str) -> Ring:
        """Return a ring in world µm as it lies on the slide that it is on."""
        he, on_ihc = self.layer("he"), self.place_of("ihc").inverse(ring)
        if self.he_side is None and he is not None and not self._is_on("ihc", on_ihc):
            on_he = self.place_of("he").inverse(ring)
            if self._is_on("he", on_he):
                return Ring("he", on_he, name)
        return Ring("ihc", on_ihc, name)

    def place_of(self, key: str) -> Affine:
        """Return the µm of a slide → world."""
        slide = self.layer(key)
        return Affine.identity() if slide is None else Affine.from_matrix(np.asarray(slide.affine)[-3:, -3:])

    def slide_at(self, place: tuple[float, float]) -> SlideRole | None:
        """Return the slide that is seen at a place (world µm)."""
        for role in ("ihc", "he"):
            slide = self.layer(role)
            if (
                slide is not None
                and slide.visible
                and self._is_on(role, self.place_of(role).inverse([place]))
            ):
                return "ihc" if role == "ihc" else "he"
        return None

    def _is_on(self, key: str, ring: NDArray[np.float64]) -> bool:
        """Whether a ring (µm of that slide) lies on the image."""
        slide = self.layer(key)
        if slide is None:
            return False
        middle = ring.mean(axis=0)
        return bool(np.all(middle >= 0) and np.all(middle < size_um(slide)))


def size_um(layer: Any) -> tuple[float, float]:
    """Return height and width of an image layer in µm."""
    rows, cols = layer.data[0].shape[:2]
    scale = np.asarray(layer.scale)
    return float(rows * scale[0]), float(cols * scale[1])
