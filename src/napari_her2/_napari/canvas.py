"""A case on napari's canvas: which layers, where, and how they go away again.

Works on a ``ViewerModel`` as well as on a viewer with a window; touches only the layers it added or
was given, and restores what it changed.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari import layers as data
from napari_her2._napari.drawing import Drawing, size_um
from napari_her2._napari.overlays import (
    OVERLAYS,
    outline_overlays,
    overlays,
)
from napari_her2._napari.placing import he_place
from napari_her2._napari.switching import Switches
from napari_her2.geometry import Affine
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.placing import Arrangement
    from napari_her2._napari.preparing import Prepared
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.session import OpenSlide, SlideRole

__all__ = ["CaseCanvas"]


class CaseCanvas(Drawing, Switches):
    """The layers of one case, by key: ``he``, ``ihc``, ``tumour``, ``carried`` and those of ``OVERLAYS``.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    make_pyramid : callable
        Wraps a raster's source so that it is read in the background.
    """

    def __init__(self, viewer: Any, make_pyramid: Callable[[Any], TilePyramid]) -> None:
        self.viewer = viewer
        self._make_pyramid = make_pyramid
        self._layers: dict[str, Any] = {}
        self._guests: set[str] = set()
        self._he_to_ihc = Affine.identity()
        self._on_he = {"he"}
        self._outlines_on = True
        self._batching = False
        self._how: Arrangement = "side"
        self._blend = 1.0
        self._linked = False
        self._rotation: Affine | None = None
        self._bar_was = bool(viewer.canvas.overlays.scale_bar.visible)

    def layer(self, key: str) -> Any | None:
        """Return a layer of ours if it is (still) in the viewer."""
        layer = self._layers.get(key)
        return layer if layer is not None and layer in self.viewer.layers else None

    def show_slide(self, role: SlideRole, slide: OpenSlide) -> None:
        """Show a slide, in place of the one of that role."""
        guest = next((layer for layer in self.viewer.layers if _pyramid(layer) is slide.pyramid), None)
        if guest is not None:
            self._layers[role] = guest
            self._guests.add(role)
        else:
            self.remove(role)
            name = f"{data.ROLE_NAMES[role]}  {slide.name}"
            self._add(role, data.slide_layer(slide.pyramid, name, slide.um_per_px), below=True)
        self.viewer.canvas.overlays.scale_bar.visible = True
        self._he_to_ihc = Affine.identity()
        self.arrange()
        self.viewer.reset_view()

    def adopt(self) -> tuple[dict[str, Any], dict[str, TilePyramid]]:
        """Take over what the reader has shown already.

        Returns
        -------
        about : dict
            What the reader wrote of the first layer (``case`` or ``path``); empty where there is none.
        pyramids : dict of str to TilePyramid
            By role for a case, by path for slides.
        """
        ours = [(layer, layer.metadata.get("napari_her2")) for layer in self.viewer.layers]
        known = [(layer, about) for layer, about in ours if about]
        first: dict[str, Any] = next((about for _, about in known if "case" in about), {})
        first = first or next((about for _, about in known), {})
        pyramids: dict[str, TilePyramid] = {}
        for layer, about in known:
            if about.get("case") != first.get("case"):
                continue
            if about.get("key") in OVERLAYS:
                self._layers[about["key"]] = layer
                self._guests.add(about["key"])
            elif _pyramid(layer) is not None:
                pyramids[about.get("key") or about["path"]] = _pyramid(layer)
        return first, pyramids

    def rescale(self, role: SlideRole, um_per_px: float) -> None:
        """Give a slide the pixel size that the person typed."""
        layer = self.layer(role)
        if layer is not None:
            for name, value in data.placement(um_per_px).items():
                setattr(layer, name, value)
            self.arrange()
            self.viewer.reset_view()

    def swap(self) -> None:
        """Exchange the roles of the two slides."""
        self.clear_result()
        he, ihc = self._layers.pop("he", None), self._layers.pop("ihc", None)
        for key, layer in (("he", ihc), ("ihc", he)):
            if layer is not None:
                self._layers[key] = layer
                layer.affine = np.eye(3)
                layer.opacity = 1.0
                layer.name = f"{data.ROLE_NAMES[key]}  {layer.name.partition('  ')[2] or layer.name}"
        self.arrange()
        self.viewer.reset_view()

    def show_result(self, view: CaseView) -> None:
        """Show the overlays of a finished case, in place of those before."""
        self._index = None if view.probe is None else view.probe.cells
        self.remove("density")
        self._cells_on, self._codes = True, frozenset(range(len(CELL_CLASSES)))
        self._show({**overlays(view, self._make_pyramid), **outline_overlays(view.outlines)})
        self._show_cells()
        self._on_he = {"he", "outline_he"} | ({"heat"} if view.tumour_role == "he" else set())
        self._turn(view.he_to_ihc_um)

    def show_prepared(self, prepared: Prepared) -> None:
        """Show the alignment and the proposed area, before any cell is measured."""
        self._show(outline_overlays(prepared.outlines))
        self._on_he = {"he", "outline_he"}
        self._turn(None if prepared.mapping is None else prepared.mapping.affine_um)

    def _show(self, makers: Mapping[str, Callable[[], data.LayerData]]) -> None:
        """Show overlays from the lowest to the highest, in place of those before."""
        with self._together():
            for key in OVERLAYS:
                if key in makers and key not in self._guests:
                    self.remove(key)
                    self._add(key, makers[key]())
        self._outlines_on = True

    def _turn(self, he_to_ihc: Affine | None) -> None:
        """Turn the H&E as the alignment says."""
        turned = he_to_ihc is not None and he_to_ihc is not self._he_to_ihc
        self._he_to_ihc = he_to_ihc or Affine.identity()
        self.arrange()
        if turned:
            self.look_at("he", "ihc")

    def remap(self, he_to_ihc: Affine, outlines: Mapping[str, Any]) -> None:
        """Follow an alignment that was changed, without moving the camera."""
        self._he_to_ihc = he_to_ihc
        for key, role in (("outline", "ihc"), ("outline_he", "he")):
            layer, rings = self.layer(key), outlines.get(role, ())
            if layer is not None and len(rings) == len(layer.data):
                layer.data = [np.vstack([ring, ring[:1]]) for ring in rings]
        self.arrange()

    def clear_result(self) -> None:
        """Take the overlays of a case away."""
        self._index = None
        with self._together():
            for key in (*OVERLAYS, "carried"):
                self.remove(key)
        self._he_to_ihc = Affine.identity()

    def arrange(self, how: Arrangement | None = None, blend: float | None = None) -> None:
        """Place the H&E left of the IHC or over it; the IHC and its overlays stay where they are."""
        self._how = how or self._how
        self._blend = self._blend if blend is None else blend
        he, ihc = self.layer("he"), self.layer("ihc")
        if he is None:
            return
        over = self._how == "over" and ihc is not None
        self._show_outlines()
        ihc_um = None if ihc is None else size_um(ihc)
        lies: Arrangement = "over" if over or (self._linked and ihc is not None) else "side"
        place = he_place(lies, size_um(he), ihc_um, self._he_to_ihc)
        if self._linked and self._rotation is not None:
            place = self._rotation @ place
        for layer in map(self.layer, self._on_he):
            if layer is not None:
                layer.affine = place.matrix
        he.opacity = self._blend if over else 1.0
        if over:
            self._raise_he(he, ihc)

    def _raise_he(self, he: Any, ihc: Any) -> None:
        """Put the H&E above the IHC, but below the overlays."""
        layers = self.viewer.layers
        if layers.index(he) < layers.index(ihc):
            layers.move(layers.index(he), layers.index(ihc) + 1)

    def on_he(self, key: str) -> bool:
        """Whether a layer lies on the H&E."""
        return key in self._on_he

    def set_linked(self, linked: bool) -> None:
        """Leave the main canvas to the IHC while the H&E has one of its own; its maps lie over the IHC."""
        self._linked = linked
        self.arrange()
        for key in ("he", "outline_he"):
            layer = self.layer(key)
            if layer is not None:
                layer.visible = not linked and (key == "he" or self._outlines_on)

    def turn(self, rotation: Affine | None) -> None:
        """Turn the IHC with all that lies on it; None turns it back."""
        matrix = np.eye(3) if rotation is None else rotation.matrix
        for key in self._layers:
            layer = self.layer(key)
            if layer is not None and key not in self._on_he:
                layer.affine = matrix
        self._rotation = rotation
        self.arrange()

    def add_over_ihc(self, key: str, entry: data.LayerData) -> None:
        """Add a layer above the slides, below the overlays, without making it the active one."""
        layers = self.viewer.layers
        active = layers.selection.active
        layer = self._add(key, entry)
        top = max((layers.index(s) for s in map(self.layer, ("he", "ihc")) if s is not None), default=-1)
        layers.move(layers.index(layer), top + 1)
        layers.selection.active = active
        if self._rotation is not None:
            layer.affine = self._rotation.matrix

    def add_part(self, key: str, entry: data.LayerData, *, on_he: bool) -> None:
        """Add what a model paints, on the slide it looks at, without making it the active layer."""
        self.remove(key)
        if on_he:
            self._on_he.add(key)
        active = self.viewer.layers.selection.active
        layer = self._add(key, entry)
        self.viewer.layers.selection.active = active
        he = self.layer("he")
        if on_he and he is not None:
            layer.affine = np.asarray(he.affine)

    def look_at(self, *keys: str) -> None:
        """Move the camera to the given layers."""
        found = [layer for layer in map(self.layer, keys) if layer is not None]
        if found:
            self.viewer.reset_view(layers=found)

    def view(self) -> tuple[tuple[float, float], float]:
        """Return the middle of the view (world µm) and the zoom (screen pixels per µm)."""
        camera = self.viewer.scene.camera
        row, col = camera.center[-2:]
        return (float(row), float(col)), float(camera.zoom)

    def go(self, centre_um: tuple[float, float], zoom: float | None = None) -> None:
        """Move the camera to a place (world µm), as close as ``zoom`` says."""
        camera = self.viewer.scene.camera
        if zoom is not None:
            camera.zoom = zoom
        camera.center = (0.0, *centre_um)

    def toggle_stain(self) -> None:
        """Show the H&E where the IHC was, and back, when they lie over each other."""
        self.arrange("over", 0.0 if self._how == "over" and self._blend > 0.5 else 1.0)

    @property
    def arrangement(self) -> tuple[Arrangement, float]:
        """How the slides lie, and how opaque the H&E is when over the IHC."""
        return self._how, self._blend

    def remove(self, key: str) -> None:
        """Take one of our layers away."""
        layer = self.layer(key)
        self._layers.pop(key, None)
        self._guests.discard(key)
        if layer is not None:
            self.viewer.layers.remove(layer)

    def close(self) -> None:
        """Take away all that was added; what was there before and what a person drew stays."""
        with self._together():
            for key in list(self._layers):
                layer = self.layer(key)
                if key in self._guests or (key == "tumour" and layer is not None and len(layer.data)):
                    self._layers.pop(key)
                else:
                    self.remove(key)
        self.viewer.canvas.overlays.scale_bar.visible = self._bar_was

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Let napari tidy up once for several layers: it collects garbage after each removal."""
        batch = getattr(self.viewer.layers, "batched_update", nullcontext)
        if self._batching:
            batch = nullcontext
        before, self._batching = self._batching, True
        try:
            with batch():
                yield
        finally:
            self._batching = before

    def _add(self, key: str, entry: data.LayerData, *, below: bool = False) -> Any:
        from napari.layers import Layer

        layer = Layer.create(*entry)
        drawing = self.drawing()
        layers = self.viewer.layers
        at = 0 if below else len(layers) if drawing is None else layers.index(drawing)
        self._layers[key] = layer  # known before others hear of it
        layers.insert(at, layer)
        if self._linked and key in ("he", "outline_he"):
            layer.visible = False
        if self._rotation is not None and key not in self._on_he:
            layer.affine = self._rotation.matrix
        return layer


def _pyramid(layer: Any) -> Any:
    return getattr(layer.data[0], "pyramid", None) if getattr(layer, "multiscale", False) else None
