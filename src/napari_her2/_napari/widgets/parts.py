"""Small parts that the boxes of the panel are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Chip", "MessageBar", "Section", "label", "restyle", "rule", "scrolled", "shown", "unbroken"]


STATE_COLOURS = {"to do": "#8b9099", "running": "#3f8fe0", "needs you": "#e39c17", "done": "#3d9a5b"}
"""Told apart by words and form as well, never by the colour alone."""


def scrolled(boxes: Iterable[QWidget], spacing: int) -> QScrollArea:
    """Return boxes one below the other in an area that scrolls up and down, its bar always there."""
    content = QWidget()
    content.setObjectName("content")
    column = QVBoxLayout(content)
    column.setContentsMargins(6, 4, 6, 4)
    column.setSpacing(spacing)
    for box in boxes:
        column.addWidget(box)
    column.addStretch(1)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
    area.setWidget(content)
    return area


def label(text: str = "", kind: str = "", *, wrap: bool = False, tip: str = "") -> QLabel:
    """Return a label of one of the kinds that the style sheet knows."""
    made = QLabel(text)
    made.setProperty("kind", kind)
    made.setWordWrap(wrap)
    made.setToolTip(tip)
    if kind not in ("title", "state"):  # a click there folds the card
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return made


def rule() -> QFrame:
    """Return a thin line."""
    line = QFrame()
    line.setObjectName("rule")
    return line


def restyle(widget: QWidget, name: str, value: Any) -> None:
    """Set a property that the style sheet looks at."""
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def unbroken(text: str) -> str:
    """Return a text whose lines do not end between a number and its percent sign."""
    return text.replace(" %", "\u00a0%")


def shown(widget: QWidget, text: str) -> None:
    """Set a label's text and hide it while empty."""
    widget.setText(text)
    widget.setVisible(bool(text))


class Section(QFrame):
    """A card with a title that folds away; the state stands at the right of the title.

    ``opened`` tells that a person unfolded or folded it.
    """

    toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self._arrow = QToolButton()
        self._arrow.setArrowType(Qt.ArrowType.DownArrow)
        self._arrow.setAutoRaise(True)
        self._arrow.setFixedSize(18, 18)
        self._arrow.setStyleSheet("background: transparent; padding: 0;")
        self._arrow.setToolTip("Fold or unfold")
        self._arrow.clicked.connect(self._turn)
        self._title, self.state = label(title, "title"), label("", "state")
        self.dot = Chip("#808080", 10)
        self.dot.hide()
        self.head = _Head(self._turn)
        head = QHBoxLayout(self.head)
        head.setContentsMargins(0, 0, 0, 0)
        head.setSpacing(4)
        head.addWidget(self._arrow)
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self.state)
        head.addWidget(self.dot)
        self.inside = QWidget()
        self.body = QVBoxLayout(self.inside)
        self.body.setContentsMargins(2, 2, 2, 2)
        self.body.setSpacing(6)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 6, 8, 7)
        whole.setSpacing(4)
        whole.addWidget(self.head)
        whole.addWidget(self.inside)

    def _turn(self) -> None:
        self.fold(not self.folded)
        self.toggled.emit(not self.folded)

    def show_state(self, state: str, words: str, hint: str = "") -> None:
        """Show how far this step is: in words, and by the colour and form of a dot."""
        self.dot.show()
        self.dot.set_form(STATE_COLOURS[state], hollow=state == "to do")
        self.state.setText(words)
        tip = f"{state.capitalize()}. {hint}".strip()
        for widget in (self.head, self.state, self.dot):
            widget.setToolTip(tip)
        self.setAccessibleName(f"{self._title.text()}: {state}")

    @property
    def folded(self) -> bool:
        """Whether only the title is shown."""
        return self.inside.isHidden()

    def fold(self, folded: bool) -> None:
        """Show the title only, or all of it."""
        self.inside.setVisible(not folded)
        self._arrow.setArrowType(Qt.ArrowType.RightArrow if folded else Qt.ArrowType.DownArrow)


class _Head(QWidget):
    """The line with the title: a click anywhere on it folds or unfolds."""

    def __init__(self, turn: Callable[[], None]) -> None:
        super().__init__()
        self._turn = turn
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Fold or unfold."""
        self._turn()


class MessageBar(QLabel):
    """One sentence for the person, coloured by its weight; a click takes it away."""

    dismissed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setContentsMargins(9, 7, 9, 7)
        self.setToolTip("Click to close")
        self.hide()

    def show_message(self, text: str, kind: str) -> None:
        """Show a sentence, or nothing for an empty one."""
        restyle(self, "message", kind)
        shown(self, text)

    def mousePressEvent(self, event: Any) -> None:
        """Close it."""
        super().mousePressEvent(event)
        self.dismissed.emit()


class Chip(QWidget):
    """A dot in the colour of a class."""

    def __init__(self, colour: str, size: int = 11) -> None:
        super().__init__()
        self._colour, self._size = QColor(colour), size
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    _hollow = False

    def set_form(self, colour: str, *, hollow: bool = False) -> None:
        """Change colour and form."""
        self._colour, self._hollow = QColor(colour), hollow
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of the dot."""
        return QSize(self._size, self._size)

    def paintEvent(self, event: Any) -> None:
        """Paint the dot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._colour, 1.6) if self._hollow else Qt.PenStyle.NoPen)
        painter.setBrush(Qt.BrushStyle.NoBrush if self._hollow else self._colour)
        painter.drawEllipse(self.rect().adjusted(1, 1, -1, -1))
        painter.end()
