"""How the things over a canvas are painted: each on a dark edge, so that it is seen on any slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CHIP_PX",
    "MARGIN_PX",
    "circle",
    "cross",
    "legend",
    "line",
    "mark",
    "metrics_of",
    "patch",
    "written",
]

MARGIN_PX: Final = 10
CHIP_PX: Final = 12
MARK_PX: Final = 6.0
TEXT_PT: Final = 9.5
MARK_COLOURS: Final = {
    "set": "#00d5ff",
    "chosen": "#ffd21f",
    "against": "#ff7a1a",
    "begun": "#ffd21f",
    "guess": "#ffffff",
}


def metrics_of(painter: QPainter, font: QFont) -> QFontMetricsF:
    """Set the font of the words over a canvas and return its measures."""
    ours = QFont(font)
    ours.setPointSizeF(TEXT_PT)
    painter.setFont(ours)
    return QFontMetricsF(ours)


def _pens(colour: str, width: float, style: Any = Qt.PenStyle.SolidLine) -> tuple[QPen, QPen]:
    """Return a dark, wider pen and the pen that is painted over it."""
    return QPen(QColor(0, 0, 0, 190), width + 2, style), QPen(QColor(colour), width, style)


def circle(painter: QPainter, at: QPointF, radius: float, colour: str, *, dashed: bool = False) -> None:
    """Paint a circle."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
    for pen in _pens(colour, 2.0, style):
        painter.setPen(pen)
        painter.drawEllipse(at, radius, radius)


def cross(painter: QPainter, at: QPointF, arm: float, colour: str) -> None:
    """Paint an upright cross."""
    for pen in _pens(colour, 2.0):
        painter.setPen(pen)
        for dx, dy in ((arm, 0.0), (0.0, arm)):
            painter.drawLine(at - QPointF(dx, dy), at + QPointF(dx, dy))


def patch(painter: QPainter, corners: Sequence[QPointF], *, matched: bool) -> None:
    """Paint the outline of a patch: solid with a partner, dashed and orange without."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    colour, style = ("#00d5ff", Qt.PenStyle.SolidLine) if matched else ("#ff7a1a", Qt.PenStyle.DashLine)
    for pen in _pens(colour, 1.6, style):
        painter.setPen(pen)
        painter.drawPolygon(QPolygonF(list(corners)))


def mark(painter: QPainter, at: QPointF, words: str, kind: str) -> None:
    """Paint an end of a pair: a ring with a point in it, and its number beside it."""
    colour = MARK_COLOURS[kind]
    circle(painter, at, MARK_PX, colour, dashed=kind == "guess")
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(at, 1.6, 1.6)
    if words:
        metrics = QFontMetricsF(painter.font())
        box = QRectF(
            at.x() + 12, at.y() - metrics.height() / 2, metrics.horizontalAdvance(words), metrics.height()
        )
        written(painter, box, words, colour)


def line(painter: QPainter, start: QPointF, end: QPointF, words: str) -> None:
    """Paint a measured line with its length beside its end."""
    for pen in _pens("#ffd21f", 2.0):
        painter.setPen(pen)
        painter.drawLine(start, end)
    for at in (start, end):
        cross(painter, at, 4.0, "#ffd21f")
    metrics = QFontMetricsF(painter.font())
    left = end.x() + 12 if end.x() >= start.x() else end.x() - 12 - metrics.horizontalAdvance(words)
    box = QRectF(left, end.y() - metrics.height() / 2, metrics.horizontalAdvance(words), metrics.height())
    written(painter, box, words)


def legend(
    painter: QPainter, entries: Sequence[tuple[str, str]], metrics: QFontMetricsF, bottom: float
) -> None:
    """Paint (colour, words) from the lower left upwards."""
    row_px = max(metrics.height(), CHIP_PX) + 3
    width = CHIP_PX + 8 + max(metrics.horizontalAdvance(words) for _, words in entries)
    top = bottom - MARGIN_PX - row_px * len(entries)
    backing(painter, QRectF(MARGIN_PX, top, width, row_px * len(entries)))
    for row, (colour, words) in enumerate(entries):
        y = top + row * row_px
        painter.setPen(QPen(QColor("#ffffff"), 0.8))
        painter.setBrush(QColor(colour))
        painter.drawRect(QRectF(MARGIN_PX, y + (row_px - CHIP_PX) / 2, CHIP_PX, CHIP_PX))
        painter.setPen(QColor("#ffffff"))
        box = QRectF(MARGIN_PX + CHIP_PX + 6, y, width, row_px)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)


def written(painter: QPainter, box: QRectF, text: str, colour: str = "#ffffff") -> None:
    """Paint words on a dark ground."""
    backing(painter, box)
    painter.setPen(QColor(colour))
    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)


def backing(painter: QPainter, box: QRectF) -> None:
    """Darken what lies behind words, so that they are read on any slide."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 165))
    painter.drawRoundedRect(box.adjusted(-5, -3, 6, 3), 3, 3)
