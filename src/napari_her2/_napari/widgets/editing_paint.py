"""Tools, classes and sizes of the dock "Correct masks"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_her2._napari.editing_state import TOOLS
from napari_her2._napari.widgets.parts import Section, label

if TYPE_CHECKING:
    from napari_her2._napari.editing_state import EditState
    from napari_her2.annotation import MaskKind

__all__ = ["PaintBox"]

WAND_ON = {"brown": "brown stain", "blue": "blue stain", "model": "model's probability"}
LEAST_UM, MOST_UM = 1.0, 300.0


class PaintBox(Section):
    """Choose a tool and a class, paint, take back."""

    changed = Signal(dict)
    class_chosen = Signal(int)
    undone = Signal()
    redone = Signal()
    next_asked = Signal(int)

    def __init__(self) -> None:
        super().__init__("Paint")
        self.tools = _ToolGrid(lambda name: self.changed.emit({"tool": name}))
        self.classes = _ClassList(self.class_chosen.emit)
        self.brush, self.brush_words = _slider(0, 100), label("", "small")
        self.opacity, self.opacity_words = _slider(5, 100), label("", "small")
        self.keep = QCheckBox("Keep what is labelled already")
        self.keep.setToolTip("Brush, fill and polygon paint over background only")
        self.wand = _WandRow(self.changed.emit)
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.next_button = QPushButton("Next uncertain place")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.body.addWidget(self.tools)
        self.body.addWidget(self.classes)
        sizes = QGridLayout()
        sizes.setHorizontalSpacing(8)
        for row, (words, slider, value) in enumerate(
            (("Brush", self.brush, self.brush_words), ("Opacity", self.opacity, self.opacity_words))
        ):
            sizes.addWidget(label(words, "small"), row, 0)
            sizes.addWidget(slider, row, 1)
            value.setMinimumWidth(48)
            sizes.addWidget(value, row, 2)
        self.body.addLayout(sizes)
        self.body.addWidget(self.wand)
        self.body.addWidget(self.keep)
        acts = QHBoxLayout()
        for button, tip, stretch in (
            (self.undo_button, "Ctrl+Z; without limit, also after napari was closed", 1),
            (self.redo_button, "Ctrl+Shift+Z", 1),
            (self.next_button, "N; Shift+N goes back. Reviewed and corrected places are passed over", 2),
        ):
            button.setToolTip(tip)
            acts.addWidget(button, stretch)
        self.body.addLayout(acts)

    def _connect(self) -> None:
        self.brush.valueChanged.connect(lambda at: self.changed.emit({"brush_um": _um(at)}))
        self.opacity.valueChanged.connect(lambda at: self.changed.emit({"opacity": at / 100}))
        self.keep.toggled.connect(lambda on: self.changed.emit({"keep": on}))
        self.undo_button.clicked.connect(self.undone)
        self.redo_button.clicked.connect(self.redone)
        self.next_button.clicked.connect(lambda: self.next_asked.emit(1))

    def show_state(self, state: EditState) -> None:  # type: ignore[override]
        """Show what is chosen."""
        self.setEnabled(state.active)
        if state.kind is not None:
            self.classes.show_kind(state.kind)
        settings = state.settings
        self.tools.choose(settings.tool)
        self.classes.choose(settings.value)
        for slider, at in (
            (self.brush, _at(settings.brush_um)),
            (self.opacity, round(settings.opacity * 100)),
        ):
            slider.blockSignals(True)
            slider.setValue(at)
            slider.blockSignals(False)
        self.brush_words.setText(f"{settings.brush_um:.3g} µm")
        self.opacity_words.setText(f"{settings.opacity:.0%}")
        self.wand.setVisible(settings.tool == "wand")
        self.undo_button.setEnabled(state.can_undo)
        self.redo_button.setEnabled(state.can_redo)


class _ToolGrid(QWidget):
    """One button for each tool, with its key."""

    def __init__(self, chosen: Any) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for n, tool in enumerate(TOOLS.values()):
            button = QPushButton(f"{tool.title}  {tool.key}")
            button.setCheckable(True)
            button.setToolTip(f"{tool.tip}.")
            button.clicked.connect(lambda _=False, name=tool.name: chosen(name))
            self._group.addButton(button)
            self.buttons[tool.name] = button
            grid.addWidget(button, n // 3, n % 3)

    def choose(self, name: str) -> None:
        """Show which is in hand."""
        self.buttons[name].setChecked(True)


class _ClassList(QWidget):
    """One button for each class, with its colour and key; two columns."""

    def __init__(self, chosen: Any) -> None:
        super().__init__()
        self._chosen, self._kind = chosen, ""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._group = QButtonGroup(self)
        self.buttons: dict[int, QPushButton] = {}

    def show_kind(self, kind: MaskKind) -> None:
        """Show the classes of a kind of mask."""
        if self._kind == kind.name:
            return
        self._kind = kind.name
        for button in self.buttons.values():
            self._group.removeButton(button)
            self._grid.removeWidget(button)
            button.deleteLater()
        self.buttons = {}
        for n, one in enumerate(kind.classes):
            button = QPushButton(_swatch(one.colour if one.value else ""), f"{one.name}    key {n + 1}")
            button.setIconSize(QSize(14, 14))
            button.setCheckable(True)
            button.setStyleSheet("text-align: left;")
            button.setToolTip(f"Key {n + 1}")
            button.clicked.connect(lambda _=False, n=n: self._chosen(n))
            self._group.addButton(button)
            self._grid.addWidget(button, n // 2, n % 2)
            self.buttons[one.value] = button

    def choose(self, value: int) -> None:
        """Show which is in hand."""
        if value in self.buttons:
            self.buttons[value].setChecked(True)


class _WandRow(QWidget):
    """What the wand compares, and how alike it must be."""

    def __init__(self, changed: Any) -> None:
        super().__init__()
        self.on = QComboBox()
        for key, words in WAND_ON.items():
            self.on.addItem(words, key)
        self.tolerance, self.words = _slider(1, 60), label("±0.15", "small")
        self.tolerance.setValue(15)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(label("Wand looks at", "small"))
        first.addWidget(self.on, 1)
        second.addWidget(label("Alike within", "small"))
        second.addWidget(self.tolerance, 1)
        second.addWidget(self.words)
        column.addLayout(first)
        column.addLayout(second)
        self.on.currentIndexChanged.connect(lambda _: changed({"wand_on": self.on.currentData()}))
        self.tolerance.valueChanged.connect(self._moved)
        self._changed = changed

    def _moved(self, at: int) -> None:
        self.words.setText(f"±{at / 100:.2f}")
        self._changed({"tolerance": at / 100})


def _slider(least: int, most: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(least, most)
    return slider


def _um(at: int) -> float:
    """Position of the slider → diameter in µm, on a logarithmic scale."""
    return float(round(LEAST_UM * (MOST_UM / LEAST_UM) ** (at / 100), 2))


def _at(um: float) -> int:
    return round(100 * math.log(max(um, LEAST_UM) / LEAST_UM) / math.log(MOST_UM / LEAST_UM))


def _swatch(colour: str) -> QIcon:
    """Return a square of a colour; crossed out for background."""
    picture = QPixmap(14, 14)
    picture.fill(QColor(colour) if colour else QColor(0, 0, 0, 0))
    if not colour:
        painter = QPainter(picture)
        painter.setPen(QColor("#9a9a9a"))
        painter.drawRect(0, 0, 13, 13)
        painter.drawLine(0, 13, 13, 0)
        painter.end()
    return QIcon(picture)
