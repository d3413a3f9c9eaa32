"""What of the overlays is shown: classes, opacity, threshold, all off and on; each acts at once. No Qt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari.density import density_layer, painted
from napari_her2._napari.layers import class_colours
from napari_her2._napari.overlays import MAPS, class_table, heat_table
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from napari_her2._napari.case_view import CellsView
    from napari_her2._napari.cell_index import CellIndex
    from napari_her2._napari.layers import LayerData
    from napari_her2._napari.placing import Arrangement

__all__ = ["Switches"]

SLIDES: Final = ("he", "ihc", "tumour", "stain", "warped")
"""Keys of what is looked at itself; all others lie over it."""

OUTLINE_OPACITY, OUTLINE_DIMMED = 0.9, 0.3


class Switches(ABC):
    """The part of the canvas that shows and hides; see :class:`~napari_her2._napari.canvas.CaseCanvas`."""

    _layers: dict[str, Any]
    _outlines_on: bool
    _linked: bool
    _how: Arrangement
    _cells_on = _near = True
    _codes = frozenset(range(len(CELL_CLASSES)))
    _index: CellIndex | None = None

    @abstractmethod
    def layer(self, key: str) -> Any | None:
        """Return a layer of ours; the canvas knows them."""

    @abstractmethod
    def add_over_ihc(self, key: str, entry: LayerData) -> None:
        """Add a layer above the slides."""

    def show_classes(self, codes: set[int]) -> None:
        """Show the cells of these classes only."""
        self._codes = frozenset(codes)
        cells, density = self.layer("cells"), self.layer("density")
        if cells is not None:
            cells.shown = np.isin(cells.metadata["class_code"], sorted(codes))
        if density is not None:
            density.data = painted(density.metadata["counts"], codes)
        for layer in map(self.layer, ("her2", "pixels")):
            if layer is not None:
                layer.colormap = class_table(CELL_CLASSES[code] for code in codes)

    def set_opacity(self, opacity: float) -> None:
        """Set how strongly the maps cover the slides."""
        for layer in map(self.layer, MAPS):
            if layer is not None:
                layer.opacity = opacity

    def set_threshold(self, least: float) -> None:
        """Show the tumour heat map from a probability on."""
        heat = self.layer("heat")
        if heat is not None:
            heat.colormap = heat_table(least)

    def set_visible(self, key: str, visible: bool) -> None:
        """Show or hide an overlay."""
        if key == "outline":
            self._outlines_on = visible
            self._show_outlines()
        elif key == "cells":
            self._cells_on = visible
            self._show_cells()
        elif (layer := self.layer(key)) is not None:
            layer.visible = visible

    def show_near(self, near: bool) -> None:
        """Show the cells as points, or from afar as their density."""
        if near != self._near:
            self._near = near
            self._show_cells()

    def _show_cells(self) -> None:
        far = self._cells_on and not self._near and self._index is not None
        if far and self.layer("density") is None and self._index is not None and len(self._index):
            self.add_over_ihc("density", density_layer(*self._index.densities()))
            self.show_classes(set(self._codes))
        for key, shown in (("cells", self._cells_on and not far), ("density", far)):
            layer = self.layer(key)
            if layer is not None:
                layer.visible = shown

    def draw_cells(self, view: CellsView) -> None:
        """Draw other cells in the layer of points: those near the view, where all would be too many."""
        layer = self.layer("cells")
        if layer is None:
            return
        colours = class_colours(view.class_code)
        layer.selected_data = set()
        layer.data = view.points_um
        layer.features = view.features
        layer.face_color = layer.border_color = colours
        layer.metadata = {**layer.metadata, "class_code": view.class_code}
        layer.shown = np.isin(view.class_code, sorted(self._codes))

    def _show_outlines(self) -> None:
        """Show the outline on both slides, once where they lie over each other."""
        for key, beside in (("outline", False), ("outline_he", True)):
            layer = self.layer(key)
            if layer is not None:
                hidden = beside and (self._how == "over" or self._linked)
                layer.visible = self._outlines_on and not hidden

    def dim_outlines(self, dimmed: bool) -> None:
        """Let the proposed area step back behind one that a person drew."""
        for layer in map(self.layer, ("outline", "outline_he")):
            if layer is not None:
                layer.opacity = OUTLINE_DIMMED if dimmed else OUTLINE_OPACITY

    def overlay_layers(self) -> list[Any]:
        """Return all of our layers that lie over the slides."""
        found = (self.layer(key) for key in list(self._layers) if key not in SLIDES)
        return [layer for layer in found if layer is not None]

    def visible_keys(self) -> set[str]:
        """Return the keys of our overlays that are shown."""
        shown = self.overlay_layers()
        return {key for key, layer in self._layers.items() if layer in shown and layer.visible}

    def hide_overlays(self) -> list[Any]:
        """Hide all overlays; return those that were shown."""
        shown = [layer for layer in self.overlay_layers() if layer.visible]
        for layer in shown:
            layer.visible = False
        return shown

    def toggle_overlays(self) -> None:
        """Hide all overlays, or show them again (the heat map stays as it is)."""
        shown = [layer for layer in map(self.layer, ("cells", "density", "outline")) if layer is not None]
        visible = not any(layer.visible for layer in shown)
        for key in ("cells", "outline"):
            self.set_visible(key, visible)
