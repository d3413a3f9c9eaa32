"""The dock widget "Navigator": the whole IHC in small, the box in view, and what was not looked at yet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_her2._napari.in_small import areas_in_small, fields_in_small, in_small
from napari_her2._napari.recorder import Recorder, keep_seen, read_seen
from napari_her2._napari.viewing import visible_um
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.widgets.parts import label
from napari_her2.geometry import Affine
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    import napari
    from napari_her2._napari.in_small import InSmall

__all__ = ["NavigatorDock"]

REST_MS = 250
MAPS = ("heat", "classes")
SWITCHES = {
    "heat": ("Heat", "Probability of tumour, in small", False),
    "classes": ("Classes", "HER2 class map, in small", False),
    "tumour": ("Tumour", "Outline of the tumour area: yours, else the proposal", True),
    "reviewed": ("Reviewed", "Fields you judged; with the recorder, what was not looked at is veiled", True),
}


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
        self.small: InSmall | None = None
        self.areas: tuple[Any, ...] = ()
        self.switches = {key: self._switch(key) for key in SWITCHES}
        row = QHBoxLayout()
        row.setSpacing(4)
        for switch in self.switches.values():
            row.addWidget(switch)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.addWidget(self.picture, 1)
        column.addLayout(row)
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
        self.watch(self._draw_small, "refit")
        self.watch(self._changed, "live", "tumour", "prepared")
        self._new_case()
        self.begin()

    def _switch(self, key: str) -> QCheckBox:
        words, tip, on = SWITCHES[key]
        box = QCheckBox(words)
        box.setToolTip(tip)
        box.setChecked(on)
        box.toggled.connect(self._changed)
        return box

    def shows(self, key: str) -> bool:
        """Whether an overlay is wanted."""
        return self.switches[key].isChecked()

    def _changed(self, *_: Any) -> None:
        """Show what is wanted and known now; rings of the tumour area are in µm of the IHC."""
        outlines, drawn = self.session.outlines.get("ihc", ()), self.controller.canvas.rings()
        self.areas = areas_in_small(drawn, outlines, self.session.mapping)
        self.picture.update()

    def _draw_small(self, *_: Any) -> None:
        """Draw the maps of the case in small, in the background."""
        result, ihc, mapping = self.session.result, self.session.ihc, self.session.mapping
        for key in MAPS:
            self.switches[key].setEnabled(result is not None)
        self.small = None
        if result is not None and ihc is not None:
            size = ihc.size_um
            self._jobs.start(
                lambda: in_small(result, size, mapping),
                event=_nothing,
                result=partial(_drawn, ref(self), result),
                error=_nothing,
                end=_none,
            )
        self._changed()

    def _take_small(self, result: Any, small: InSmall) -> None:
        if self._open and result is self.session.result:
            self.small = small
            for key in MAPS:
                self.switches[key].setEnabled(key in small.maps)
            self._changed()

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
        self._draw_small()
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
        self._paint_overlays(painter, frame)
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

    def _paint_overlays(self, painter: QPainter, frame: QRectF) -> None:
        """Paint maps, veil, tumour area and judged fields in small."""
        dock = self._dock
        for key in MAPS:
            picture = None if dock.small is None or not dock.shows(key) else dock.small.maps.get(key)
            if picture is not None:
                painter.drawImage(frame, _image(picture))
        if dock.recorder is not None and dock.shows("reviewed"):
            painter.drawImage(frame, _veil(dock.recorder.close))
        if dock.shows("tumour"):
            for width, colour in ((2.6, "#ffffff"), (1.4, COLOURS["tumour"])):
                painter.setPen(QPen(QColor(colour), width))
                for ring in dock.areas:
                    painter.drawPolygon(QPolygonF([self._at(frame, place) for place in ring]))
        if dock.shows("reviewed"):
            self._paint_fields(painter, frame)

    def _paint_fields(self, painter: QPainter, frame: QRectF) -> None:
        """Paint the fields that were judged."""
        um = None if self._session.ihc is None else self._session.ihc.um_per_px
        for (row, col, side), colour in () if um is None else fields_in_small(self._session.live, um):
            painter.setPen(QPen(QColor(colour), 2.0))
            corners = self._at(frame, (row, col)), self._at(frame, (row + side, col + side))
            painter.drawRect(QRectF(*corners))

    def _at(self, frame: QRectF, place_um: Any) -> QPointF:
        """Return where a place of the IHC (µm) is painted."""
        height, width = self._session.ihc.size_um if self._session.ihc is not None else (1.0, 1.0)
        x = frame.left() + place_um[1] / width * frame.width()
        return QPointF(x, frame.top() + place_um[0] / height * frame.height())

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
    return _image(rgba)


def _image(rgba: Any) -> QImage:
    """Return a picture (rows, cols, 4) for Qt."""
    rows, cols = rgba.shape[:2]
    return QImage(rgba.data, cols, rows, 4 * cols, QImage.Format.Format_RGBA8888).copy()


def _drawn(dock: ref[NavigatorDock], result: Any, small: InSmall) -> None:
    """Hand on what was drawn, unless the dock is gone; a job that ends late keeps no dock."""
    navigator = dock()
    if navigator is not None:
        navigator._take_small(result, small)


def _nothing(_: Any) -> None:
    """Do nothing."""


def _none() -> None:
    """Do nothing."""
