"""The dock widget "Navigator": the whole IHC in small, the box in view, and what was not looked at yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_her2._napari.recorder import Recorder, keep_seen, read_seen
from napari_her2._napari.viewing import visible_um
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.widgets.parts import label
from napari_her2.geometry import Affine

if TYPE_CHECKING:
    import napari

__all__ = ["NavigatorDock"]

REST_MS = 250


class NavigatorDock(Docked):
    """Click to go there. With the preference *Record what was looked at*, what was not is veiled.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.picture = _Picture(self)
        self.words = label("", "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.addWidget(self.picture, 1)
        column.addWidget(self.words)
        self.recorder: Recorder | None = None
        self._jobs, self._dirty = QtJobs(), False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._rested)
        camera = self.viewer.scene.camera.events
        self.follow(self._moved, camera.center, camera.zoom)
        self.watch(self._new_case, "ihc", "result")
        self._new_case()
        self.begin()

    @property
    def place(self) -> Affine:
        """IHC µm → world of the canvas."""
        layer = self.controller.canvas.layer("ihc")
        return Affine.identity() if layer is None else Affine.from_matrix(np.asarray(layer.affine)[-3:, -3:])

    def go(self, place_um: tuple[float, float]) -> None:
        """Look at a place of the IHC (µm)."""
        row, col = self.place([place_um])[0]
        self.controller.canvas.go((float(row), float(col)))

    def _moved(self, *_: Any) -> None:
        self.picture.update()
        self._rest.start()

    def _rested(self) -> None:
        """Note what the view has come to rest on."""
        self.picture.refresh()
        if self.recorder is None:
            return
        corners = self.place.inverse(visible_um(self.viewer))
        self._dirty |= self.recorder.look(corners, float(self.viewer.scene.camera.zoom))
        result = self.session.result
        if result is not None:
            share = self.recorder.fraction(result.cells.points_um)
            self.words.setText(f"{100 * share:.0f} % of the tumour cells were looked at closely")

    def _new_case(self, *_: Any) -> None:
        self.keep()
        self.recorder, result, ihc = None, self.session.result, self.session.ihc
        if self.studio.preferences.record and result is not None and ihc is not None:
            self.recorder = Recorder(ihc.size_um, read_seen(result.folder, self.session.reader))
        self._folder = None if result is None else result.folder
        self.words.setText("")
        self.picture.refresh()

    _folder: Any = None

    def keep(self) -> None:
        """Write what was seen, in the background."""
        if self.recorder is not None and self._dirty and self._folder is not None:
            folder, reader, seen = self._folder, self.session.reader, self.recorder.seen.copy()
            self._dirty = False
            self._jobs.start(
                lambda: keep_seen(folder, reader, seen),
                event=_nothing,
                result=_nothing,
                error=_nothing,
                end=_none,
            )

    def closed(self) -> None:
        """Keep what was seen."""
        self._rest.stop()
        self.keep()


class _Picture(QWidget):
    """Paints the overview of the IHC with the box in view."""

    def __init__(self, dock: NavigatorDock) -> None:
        super().__init__()
        self._session, self._dock = dock.session, dock
        self._image: QImage | None = None
        self.setMinimumSize(160, 120)
        self.setToolTip("Click or drag to go there")

    def refresh(self) -> None:
        """Take the overview as far as it is read now."""
        ihc = self._session.ihc
        if ihc is None:
            self._image = None
        else:
            pixels = np.ascontiguousarray(ihc.pyramid.overview()[..., :3])
            rows, cols = pixels.shape[:2]
            self._image = QImage(pixels.data, cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()
        self.update()

    def frame(self) -> QRectF:
        """Return where the picture is painted."""
        if self._image is None:
            return QRectF()
        scale = min(self.width() / self._image.width(), self.height() / self._image.height())
        width, height = self._image.width() * scale, self._image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def paintEvent(self, event: Any) -> None:
        """Paint picture, veil and box."""
        ihc, frame = self._session.ihc, self.frame()
        if self._image is None or ihc is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(frame, self._image)
        if self._dock.recorder is not None:
            painter.drawImage(frame, _veil(self._dock.recorder.close))
        corners = self._dock.place.inverse(visible_um(self._dock.viewer)) / np.array(ihc.size_um)
        low, high = corners.min(axis=0), corners.max(axis=0)
        box = QRectF(
            frame.left() + low[1] * frame.width(),
            frame.top() + low[0] * frame.height(),
            (high[1] - low[1]) * frame.width(),
            (high[0] - low[0]) * frame.height(),
        ).intersected(frame.adjusted(0, 0, -1, -1))
        for width, colour in ((3.0, "#000000"), (1.5, "#ffd21f")):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawRect(box)
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        """Go where it was clicked."""
        self._go(event.position())

    def mouseMoveEvent(self, event: Any) -> None:
        """Go along while the button is held."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def _go(self, at: QPointF) -> None:
        ihc, frame = self._session.ihc, self.frame()
        if ihc is not None and frame.width():
            row = (at.y() - frame.top()) / frame.height() * ihc.size_um[0]
            col = (at.x() - frame.left()) / frame.width() * ihc.size_um[1]
            self._dock.go((row, col))


def _veil(close: Any) -> QImage:
    """Return a dark veil with holes where it was looked closely."""
    rgba = np.zeros((*close.shape, 4), np.uint8)
    rgba[..., 3] = np.where(close, 0, 95)
    rows, cols = close.shape
    return QImage(rgba.data, cols, rows, 4 * cols, QImage.Format.Format_RGBA8888).copy()


def _nothing(_: Any) -> None:
    """Do nothing."""


def _none() -> None:
    """Do nothing."""
