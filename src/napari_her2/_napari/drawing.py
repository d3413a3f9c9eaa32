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

__all__ = ["Drawing", "size_um"]


class Drawing(ABC):
    """The part of the canvas that a person draws on; see :class:`~napari_her2._napari.canvas.CaseCanvas`."""

    viewer: Any

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

    def _drawing_layer(self) -> Any:
        layer = self.drawing()
        if layer is None:
            slides = [size_um(slide) for slide in map(self.layer, ("ihc", "he")) if slide is not None]
            layer = self._add("tumour", data.drawing_layer(extent_um=max(map(max, slides), default=1000.0)))
        return layer

    def fill_drawing(self, rings: Sequence[Ring]) -> None:
        """Put rings into the layer ``tumour``, where they can be edited."""
        layer = self._drawing_layer()
        for ring in rings:
            data.set_area_class(layer, ring.name)
            layer.add(self._in_world(ring), shape_type="polygon")
        self.viewer.layers.selection.active = layer
        layer.mode = "direct"

    def clear_drawing(self) -> None:
        """Empty the layer ``tumour``."""
        layer = self.drawing()
        if layer is not None and len(layer.data):
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()

    def show_carried(self, rings: Sequence[Ring]) -> None:
        """Show on each slide what was drawn on the other."""
        self.remove("carried")
        if rings and self.layer("he") is not None:
            self._add("carried", data.carried_layer([self._in_world(ring) for ring in rings], rings))

    def _in_world(self, ring: Ring) -> NDArray[np.float64]:
        """Return a ring where its slide lies on the canvas."""
        he = self.layer("he")
        if ring.role == "ihc" or he is None:
            return ring.points_um
        return Affine.from_matrix(np.asarray(he.affine))(ring.points_um)

    def drawing(self) -> Any | None:
        """Return the Shapes layer ``tumour``, whoever made it."""
        named = (layer for layer in self.viewer.layers if layer.name == data.TUMOUR)
        return next((layer for layer in named if hasattr(layer, "shape_type")), None)

    def rings(self) -> list[Ring]:
        """Return what the person drew, each ring on the slide that it lies on."""
        layer = self.drawing()
        return [] if layer is None else [self._on_slide(ring, name) for ring, name in rings_of(layer)]

    def _on_slide(self, ring: NDArray[np.float64], name: str) -> Ring:
        he, ihc = self.layer("he"), self.layer("ihc")
        if he is not None and not (ihc is not None and _holds(ihc, ring.mean(axis=0))):
            on_he = Affine.from_matrix(np.asarray(he.affine)).inverse(ring)
            if _holds(he, on_he.mean(axis=0)):
                return Ring("he", on_he, name)
        return Ring("ihc", ring, name)


def size_um(layer: Any) -> tuple[float, float]:
    """Return height and width of an image layer in µm."""
    rows, cols = layer.data[0].shape[:2]
    scale = np.asarray(layer.scale)
    return float(rows * scale[0]), float(cols * scale[1])


def _holds(layer: Any, point_um: NDArray[np.float64]) -> bool:
    """Whether a point (µm of that slide) lies on the image."""
    return bool(np.all(point_um >= 0) and np.all(point_um < size_um(layer)))
