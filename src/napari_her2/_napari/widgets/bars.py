"""Percentages with their intervals against the guideline's line, and the alternatives."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_her2._napari.score_view import sampled
from napari_her2._napari.widgets.look import readable_on
from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from napari_her2._napari.score_view import Bar
    from napari_her2._napari.widgets.look import Look

__all__ = ["AlternativesBar", "PercentBars"]

TO = "\u2013"
TICKS = (0, 1, 10, 25, 50, 100)
BAR_PX, AXIS_PX = 9, 20


class _Painted(QWidget):
    """A widget that paints itself in the panel's look."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_look(self, look: Look) -> None:
        self.look = look
        self.updateGeometry()
        self.update()

    def font_of(self, *, delta: float = 0.0, bold: bool = False) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(self.look.base_pt + delta)
        font.setBold(bold)
        return font

    def line_px(self) -> float:
        return QFontMetricsF(self.font_of()).height()


class PercentBars(_Painted):
    """One bar per class with its 95 % interval; the axis is a square root, so that 1 % and 10 % are apart."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._bars: tuple[Bar, ...] = ()
        self._line = 10.0
        self.setToolTip(
            "Percent of evaluable tumour cells with 95 % interval (the wider of cell counting and tile "
            "resampling). Square-root scale; the dotted line is the guideline's 10 %."
        )

    def show_bars(self, bars: tuple[Bar, ...], line_percent: float) -> None:
        """Show these percentages."""
        self._bars, self._line = bars, line_percent
        self.updateGeometry()
        self.update()

    def row_px(self) -> float:
        """Height of a class."""
        return self.line_px() + BAR_PX + 9

    def sizeHint(self) -> QSize:
        """Return a height that fits all classes and the axis."""
        return QSize(260, round(self.row_px() * len(self._bars) + AXIS_PX))

    def minimumSizeHint(self) -> QSize:
        """Return the least size."""
        return QSize(200, self.sizeHint().height())

    def x_of(self, percent: float) -> float:
        """Place of a percentage on the axis."""
        return 1 + (self.width() - 3) * sqrt(max(percent, 0.0) / 100)

    def paintEvent(self, event: Any) -> None:
        """Paint all of it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, bar in enumerate(self._bars):
            self._paint_bar(painter, bar, row * self.row_px())
        self._paint_axis(painter, len(self._bars) * self.row_px())
        painter.end()

    def _paint_bar(self, painter: QPainter, bar: Bar, top: float) -> None:
        text, line = QColor(self.look.text), self.line_px()
        painter.setFont(self.font_of(bold=True))
        painter.setPen(text)
        label = "unusual" if bar.name == "unusual" else bar.name
        painter.drawText(QRectF(0, top, 70, line), Qt.AlignmentFlag.AlignLeft, label)
        shift = QFontMetricsF(self.font_of(bold=True)).horizontalAdvance(label) + 8
        interval = f"{bar.low:.1f}{TO}{bar.high:.1f}"
        value = f"{bar.percent:.1f} %"
        right = self._numbers(painter, value, interval, top)
        painter.setFont(self.font_of(delta=-0.5))
        painter.setPen(QColor(self.look.dim))
        words = painter.fontMetrics().elidedText(
            bar.words, Qt.TextElideMode.ElideRight, max(int(right - shift - 6), 10)
        )
        painter.drawText(QPointF(shift, top + QFontMetricsF(self.font_of()).ascent()), words)
        self._paint_track(painter, bar, top + line + 2)

    def _numbers(self, painter: QPainter, value: str, interval: str, top: float) -> float:
        """Write percentage and interval in aligned columns; return where they begin."""
        small = QFontMetricsF(self.font_of(delta=-0.5)).horizontalAdvance(f"99.9{TO}100.0")
        wide = QFontMetricsF(self.font_of(bold=True)).horizontalAdvance("100.0 %")
        line, right = self.line_px(), float(self.width())
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(self.font_of(delta=-0.5))
        painter.setPen(QColor(self.look.dim))
        painter.drawText(QRectF(right - small, top, small, line), align, interval)
        painter.setFont(self.font_of(bold=True))
        painter.setPen(QColor(self.look.text))
        painter.drawText(QRectF(right - small - 6 - wide, top, wide, line), align, value)
        return right - small - 6 - wide

    def _paint_track(self, painter: QPainter, bar: Bar, top: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.look.button))
        painter.drawRoundedRect(QRectF(0, top, self.width() - 1, BAR_PX), 3, 3)
        painter.setBrush(QColor(bar.colour))
        if bar.percent > 0:
            painter.drawRoundedRect(QRectF(0, top, max(self.x_of(bar.percent), 3), BAR_PX), 3, 3)
        cut = self.x_of(self._line)
        painter.setPen(QPen(QColor(self.look.text), 1.2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(cut, top - 3), QPointF(cut, top + BAR_PX + 3))
        painter.setPen(QPen(QColor(self.look.text), 1.4))
        low, high, middle = self.x_of(bar.low), self.x_of(bar.high), top + BAR_PX / 2
        painter.drawLine(QPointF(low, middle), QPointF(high, middle))
        for end in (low, high):
            painter.drawLine(QPointF(end, middle - 3), QPointF(end, middle + 3))

    def _paint_axis(self, painter: QPainter, bottom: float) -> None:
        painter.setFont(self.font_of(delta=-1.5))
        for tick in TICKS:
            at = self.x_of(tick)
            cut = tick == self._line
            painter.setPen(QColor(self.look.text if cut else self.look.dim))
            width = 44.0
            left = min(max(at - width / 2, 0), self.width() - width)
            align = Qt.AlignmentFlag.AlignHCenter
            if tick in (0, 100):
                align = Qt.AlignmentFlag.AlignLeft if tick == 0 else Qt.AlignmentFlag.AlignRight
            painter.drawText(QRectF(left, bottom + 2, width, AXIS_PX), align, f"{tick} %")


class AlternativesBar(_Painted):
    """The probabilities of the scores as one stacked bar."""

    HEIGHT = 20

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._parts: tuple[tuple[str, float], ...] = ()
        self.setToolTip(
            "How often each score comes out when cells are resampled by tiles; not calibrated on cases"
        )

    def show_parts(self, parts: tuple[tuple[str, float], ...]) -> None:
        """Show these probabilities, largest first."""
        self._parts = parts
        self.update()

    def sizeHint(self) -> QSize:
        """Return the bar's size."""
        return QSize(200, self.HEIGHT)

    def paintEvent(self, event: Any) -> None:
        """Paint the parts with their names where they fit."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font_of(delta=-0.5, bold=True))
        left = 0.0
        for score, probability in self._parts:
            width = probability * self.width()
            colour = COLOURS[score]
            painter.fillRect(QRectF(left, 0, max(width - 1, 0), self.HEIGHT), QColor(colour))
            text = f"{score}  {sampled(probability)}"
            if QFontMetricsF(painter.font()).horizontalAdvance(text) < width - 6:
                painter.setPen(QColor(readable_on(colour)))
                painter.drawText(QRectF(left, 0, width, self.HEIGHT), Qt.AlignmentFlag.AlignCenter, text)
            left += width
        painter.end()
