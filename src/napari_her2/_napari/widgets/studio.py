"""What all docks of one viewer share: one session, one controller, one canvas; gone with the last dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from napari_her2._napari.canvas import CaseCanvas
from napari_her2._napari.controller import ScoreController
from napari_her2._napari.landmarking import LandmarkControl
from napari_her2._napari.preferences import preferences
from napari_her2._napari.reader import new_pyramid
from napari_her2._napari.review import ReviewControl
from napari_her2._napari.session import Session
from napari_her2._napari.shortcuts import keys_in
from napari_her2._napari.widgets.arrange import HELP, open_dock
from napari_her2._napari.widgets.hud import Hud
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.worker import refresher

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Studio", "studio_of"]

_STUDIOS: WeakValueDictionary[int, Studio]


class Studio:
    """State and actions of one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Not a proxy.
    """

    def __init__(self, viewer: Any) -> None:
        window: Any = refresher()
        self.viewer, self.refresher = viewer, window
        self.preferences = preferences()
        self.session = Session(reader=self.preferences.reader)
        self.jobs = QtJobs()
        self.controller = ScoreController(
            self.session, CaseCanvas(viewer, new_pyramid), self.jobs, window.loader, self.preferences
        )
        self.review = ReviewControl(self.controller, QtJobs())
        self.landmarks = LandmarkControl(self.controller, QtJobs())
        self.hud = Hud(viewer, self.session, self.controller.canvas, self.preferences.cell_limit)
        self._docks = 0
        self._open = True
        self._drawing: Any = None
        for happened in (viewer.layers.events.inserted, viewer.layers.events.removed):
            happened.connect(self._layers_changed)
        window.failed.connect(self._tile_failed)
        for key, action in self._keys().items():
            viewer.bind_key(key, action, overwrite=True)

    def join(self) -> None:
        """Count a dock that uses this."""
        self._docks += 1
        if self._docks == 1:
            self.controller.adopt()

    def leave(self) -> None:
        """Let a dock go; with the last one all work stops and the viewer is as it was."""
        self._docks -= 1
        if self._docks == 0 and self._open:
            self._close()

    def halt(self) -> None:
        """Stop what runs after the whole window was closed; nothing of it can be touched any more."""
        if self._open:
            self._open = False
            _STUDIOS.pop(id(self.viewer), None)
            self.review.close()
            self.landmarks.close()
            self.session.events.disconnect()
            self.controller.halt()

    def _close(self) -> None:
        self._open = False
        _STUDIOS.pop(id(self.viewer), None)
        self.refresher.failed.disconnect(self._tile_failed)
        for happened in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            happened.disconnect(self._layers_changed)
        self._follow_drawing(None)
        for key in self._keys():
            self.viewer.bind_key(key, None, overwrite=True)
        self.review.close()
        self.landmarks.close()
        self.hud.close()
        self.session.events.disconnect()
        self.controller.close()

    def _keys(self) -> dict[str, Callable[[Any], None]]:
        control, keys = self.controller, keys_in("window")
        return {
            keys["score"]: lambda _: control.run(),
            keys["overlays"]: lambda _: control.toggle_overlays(),
            keys["stain"]: lambda _: control.toggle_stain(),
            keys["help"]: lambda _: open_dock(self.viewer, HELP),
            **self.hud.keys(),
        }

    def _layers_changed(self, *_: Any) -> None:
        drawing = self.controller.canvas.drawing()
        if drawing is not self._drawing:
            self._follow_drawing(drawing)
            self._drawn()

    def _follow_drawing(self, layer: Any) -> None:
        if self._drawing is not None and self._drawing is not layer:
            self._drawing.events.data.disconnect(self._drawn)
        if layer is not None and layer is not self._drawing:
            layer.events.data.connect(self._drawn)
        self._drawing = layer

    def _drawn(self, *_: Any) -> None:
        self.controller.tumour.drawn()

    def _tile_failed(self, pyramid: Any, error: BaseException) -> None:
        self.controller.tile_failed(pyramid, error)


_STUDIOS = WeakValueDictionary()


def studio_of(viewer: Any) -> Studio:
    """Return the studio of a viewer; it is made for the first dock and lives as long as any of them."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    found = _STUDIOS.get(id(viewer))
    if found is None:
        found = _STUDIOS[id(viewer)] = Studio(viewer)
    return found
