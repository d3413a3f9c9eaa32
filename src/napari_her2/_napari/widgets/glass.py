"""A sheet of glass over a canvas: linked cursor, legend, magnification; the mouse goes through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Glass", "Ring", "canvas_of"]

MARGIN_PX = 10
CHIP_PX = 12
LEAST_RING_PX = 7.0


@dataclass(frozen=True, slots=True)
class Ring:
    """A place on the other slide: world µm (row, col), radius in µm, and whether the slides share it."""

    place: tuple[float, float]
    radius_um: float
    inside: bool = True


def canvas_of(viewer: Any) -> QWidget:
    """Return the widget that napari draws a window's main viewer on."""
    native: QWidget = viewer.window._qt_viewer.canvas.native
    return native


class Glass(QWidget):
    """Paints over a canvas, in step with its camera.

    Parameters
    ----------
    viewer : ViewerModel
        Whose camera says where world µm lie on the screen.
    canvas : QWidget
        Covered wholly.
    """

    def __init__(self, viewer: Any, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.viewer = viewer
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._ring: Ring | None = None
        self._circle: Ring | None = None
        self._legend: tuple[tuple[str, str], ...] = ()
        self._lines: tuple[str, ...] = ()
        self._title = ""
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self.show()
        self.raise_()

    def leave(self) -> None:
        """Go away with what is painted."""
        parent = self.parent()
        if parent is not None:
            parent.removeEventFilter(self)
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def show_ring(self, ring: Ring | None) -> None:
        """Show where the other slide's cursor lies, with its error as the radius; None hides it."""
        if ring != self._ring:
            self._ring = ring
            self.update()

    def show_circle(self, circle: Ring | None) -> None:
        """Show the field that is counted."""
        self._circle = circle
        self.update()

    def show_legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Show (colour, words) at the lower left; nothing for none."""
        self._legend = tuple(entries)
        self.update()

    def show_lines(self, *lines: str) -> None:
        """Show lines of text at the upper right."""
        if lines != self._lines:
            self._lines = lines
            self.update()

    def show_title(self, title: str) -> None:
        """Show which slide this is, at the upper left."""
        self._title = title
        self.update()

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Stay as large as the canvas."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(watched.rect())
        return False

    def on_screen(self, place: tuple[float, float]) -> QPointF:
        """Return where a place (world µm) is painted."""
        camera = self.viewer.scene.camera
        row, col = camera.center[-2:]
        zoom = camera.zoom
        return QPointF(
            self.width() / 2 + (place[1] - col) * zoom, self.height() / 2 + (place[0] - row) * zoom
        )

    def paintEvent(self, event: Any) -> None:
        """Paint all of it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._circle is not None:
            self._paint_circle(painter, self._circle)
        if self._ring is not None:
            self._paint_ring(painter, self._ring)
        self._paint_legend(painter)
        self._paint_texts(painter)
        painter.end()

    def _paint_ring(self, painter: QPainter, ring: Ring) -> None:
        at = self.on_screen(ring.place)
        radius = max(ring.radius_um * self.viewer.scene.camera.zoom, LEAST_RING_PX)
        colour = "#00d5ff" if ring.inside else "#9a9a9a"
        style = Qt.PenStyle.SolidLine if ring.inside else Qt.PenStyle.DashLine
        for width, shade in ((4.0, "#000000"), (2.0, colour)):
            painter.setPen(QPen(QColor(shade), width, style))
            painter.drawEllipse(at, radius, radius)
            for dx, dy in ((4, 0), (0, 4)):
                painter.drawLine(at - QPointF(dx, dy), at + QPointF(dx, dy))

    def _paint_circle(self, painter: QPainter, circle: Ring) -> None:
        at, radius = self.on_screen(circle.place), circle.radius_um * self.viewer.scene.camera.zoom
        for width, shade in ((3.5, "#000000"), (1.6, "#ffffff")):
            painter.setPen(QPen(QColor(shade), width))
            painter.drawEllipse(at, radius, radius)

    def _paint_legend(self, painter: QPainter) -> None:
        if not self._legend:
            return
        metrics = self._font(painter)
        line = max(metrics.height(), CHIP_PX) + 3
        width = CHIP_PX + 8 + max(metrics.horizontalAdvance(words) for _, words in self._legend)
        top = self.height() - MARGIN_PX - line * len(self._legend)
        self._backing(painter, QRectF(MARGIN_PX, top, width, line * len(self._legend)))
        for row, (colour, words) in enumerate(self._legend):
            y = top + row * line
            painter.setPen(QPen(QColor("#ffffff"), 0.8))
            painter.setBrush(QColor(colour))
            painter.drawRect(QRectF(MARGIN_PX, y + (line - CHIP_PX) / 2, CHIP_PX, CHIP_PX))
            painter.setPen(QColor("#ffffff"))
            painter.drawText(
                QRectF(MARGIN_PX + CHIP_PX + 6, y, width, line), Qt.AlignmentFlag.AlignVCenter, words
            )

    def _paint_texts(self, painter: QPainter) -> None:
        metrics = self._font(painter)
        if self._title:
            box = QRectF(MARGIN_PX, MARGIN_PX, metrics.horizontalAdvance(self._title), metrics.height())
            self._written(painter, box, self._title)
        top = float(MARGIN_PX)
        for text in self._lines:
            width = metrics.horizontalAdvance(text)
            self._written(
                painter, QRectF(self.width() - MARGIN_PX - width, top, width, metrics.height()), text
            )
            top += metrics.height() + 6

    def _written(self, painter: QPainter, box: QRectF, text: str) -> None:
        self._backing(painter, box)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)

    @staticmethod
    def _backing(painter: QPainter, box: QRectF) -> None:
        """Darken what lies behind words, so that they are read on any slide."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 165))
        painter.drawRoundedRect(box.adjusted(-5, -3, 6, 3), 3, 3)

    def _font(self, painter: QPainter) -> QFontMetricsF:
        font = QFont(self.font())
        font.setPointSizeF(9.5)
        painter.setFont(font)
        return QFontMetricsF(font)
