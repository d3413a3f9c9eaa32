"""The glass over the main canvas, kept in step with camera and overlays, and the keys that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.hud import counted_in, legend_for, magnification_words
from napari_her2._napari.shortcuts import keys_in
from napari_her2._napari.stains import StainView
from napari_her2._napari.viewing import MAGNIFICATIONS, visible_um, zoom_of
from napari_her2._napari.widgets.glass import Glass, canvas_of
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.session import Session

__all__ = ["Hud"]


class Hud:
    """Magnification, legend and field counter of one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    canvas : CaseCanvas
    """

    def __init__(self, viewer: Any, session: Session, canvas: CaseCanvas) -> None:
        self.viewer, self.session, self.canvas = viewer, session, canvas
        self.glass = Glass(viewer, canvas_of(viewer))
        self._layers: list[Any] = []
        self._counts: Any = None
        self.stain = StainView(session, canvas)
        camera = viewer.scene.camera.events
        for signal in (camera.zoom, camera.center):
            signal.connect(self.show_view)
        for signal in (viewer.layers.events.inserted, viewer.layers.events.removed):
            signal.connect(self.show_legend)
        session.events.result.connect(self.show_view)
        self.show_view()

    def keys(self) -> dict[str, Callable[[Any], Any]]:
        """Return the keys: magnifications, and Q held to see the slide alone."""
        keys = keys_in("window")
        found: dict[str, Callable[[Any], Any]] = {keys["peek"]: self._peek}
        for number, wanted in enumerate(MAGNIFICATIONS, start=1):
            # No partial: napari asks every bound function for its name, and fails at any key without one.
            found[keys[f"magnify_{number}"]] = self._magnifying(wanted)
        found[keys["one_stain"]] = self.stain.cycle
        return found

    def _magnifying(self, wanted: float) -> Callable[[Any], None]:
        def magnify(viewer: Any) -> None:
            self._magnified(wanted, viewer)

        return magnify

    def magnify(self, wanted: float) -> None:
        """Look at the middle of the view at a magnification."""
        self.viewer.scene.camera.zoom = zoom_of(wanted)

    def _magnified(self, wanted: float, _: Any) -> None:
        self.magnify(wanted)

    def _peek(self, _: Any) -> Iterator[None]:
        """Hide all overlays while the key is held."""
        hidden = self.canvas.hide_overlays()
        yield
        for layer in hidden:
            layer.visible = True

    def show_view(self, *_: Any) -> None:
        """Show magnification and counts for what is in view."""
        lines = []
        if self.session.ihc is not None and self.session.ihc.um_per_px is not None:
            lines.append(magnification_words(self.viewer.scene.camera.zoom))
        result, ihc = self.session.result, self.canvas.layer("ihc")
        self._counts = None
        if result is not None and ihc is not None:
            place = Affine.from_matrix(np.asarray(ihc.affine)[-3:, -3:])
            self._counts = counted_in(result.cells, place.inverse(visible_um(self.viewer)))
            lines.append(f"{int(self._counts.sum()):,} tumour cells in view")
        self.glass.show_lines(*lines)
        self._write_legend()

    def show_legend(self, *_: Any) -> None:
        """Show what the colours on the canvas mean."""
        self._follow()
        self._write_legend()

    def _write_legend(self) -> None:
        self.glass.show_legend(legend_for(self.canvas.visible_keys(), self._counts))

    def _follow(self) -> None:
        """Hear when one of our layers is shown or hidden."""
        for layer in self._layers:
            layer.events.visible.disconnect(self.show_legend)
        self._layers = self.canvas.overlay_layers()
        for layer in self._layers:
            layer.events.visible.connect(self.show_legend)

    def close(self) -> None:
        """Take the glass away."""
        camera = self.viewer.scene.camera.events
        for signal in (camera.zoom, camera.center):
            signal.disconnect(self.show_view)
        for signal in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            signal.disconnect(self.show_legend)
        for layer in self._layers:
            layer.events.visible.disconnect(self.show_legend)
        self._layers = []
        self.stain.forget()
        self.glass.leave()
