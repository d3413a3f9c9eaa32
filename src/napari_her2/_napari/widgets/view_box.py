"""What is on the canvas: overlays with their legend, and how the two slides lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QSlider, QWidget

from napari_her2._napari.widgets.parts import Chip, Section, label
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from napari_her2._napari.session import Session

__all__ = ["ViewBox"]

LAYERS = {"cells": "Cells", "outline": "Tumour outline", "heat": "Tumour heat map"}


class ViewBox(Section):
    """Legend and switches of the overlays; side by side or over each other."""

    classes_chosen = Signal(set)
    layer_switched = Signal(str, bool)
    arranged = Signal(str)
    blended = Signal(float)
    looked_at = Signal(str)

    def __init__(self) -> None:
        super().__init__("View")
        self.classes = {code: self._class_switch(name) for code, name in enumerate(CELL_CLASSES)}
        self.layers = {key: QCheckBox(words) for key, words in LAYERS.items()}
        for key, box in self.layers.items():
            box.setChecked(key != "heat")
            box.toggled.connect(lambda on, key=key: self.layer_switched.emit(key, on))
        self.side, self.over = QPushButton("Side by side"), QPushButton("Overlaid")
        self.side.setToolTip("H&E left of the IHC, turned like it once the two are aligned")
        self.over.setToolTip("H&E over the IHC, by the affine part of the alignment; blend with the slider")
        self.blend = QSlider(Qt.Orientation.Horizontal)
        self.blend.setRange(0, 100)
        self.blend.setToolTip("IHC … H&E (Ctrl+Alt+S switches)")
        self.blend.valueChanged.connect(lambda value: self.blended.emit(value / 100))
        self.overlays, self.pair, self.blend_row = QWidget(), QWidget(), QWidget()
        self._lay_out()

    def _class_switch(self, name: str) -> QCheckBox:
        box = QCheckBox(name)
        box.setChecked(True)
        box.setToolTip(f"Show cells of class {name}")
        box.toggled.connect(lambda _: self.classes_chosen.emit(self.chosen))
        return box

    @property
    def chosen(self) -> set[int]:
        """Codes of the classes that are shown."""
        return {code for code, box in self.classes.items() if box.isChecked()}

    def _lay_out(self) -> None:
        legend = QHBoxLayout()
        legend.setSpacing(3)
        for code in (3, 2, 4, 1, 0):
            legend.addWidget(Chip(COLOURS[CELL_CLASSES[code]]))
            legend.addWidget(self.classes[code])
            legend.addStretch(1)
        switches = QHBoxLayout()
        for box in self.layers.values():
            switches.addWidget(box)
        switches.addStretch(1)
        inside = QGridLayout(self.overlays)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(switches, 0, 0)
        inside.addLayout(legend, 1, 0)
        self.body.addWidget(self.overlays)
        self._lay_out_pair()

    def _lay_out_pair(self) -> None:
        group = QButtonGroup(self)
        for button in (self.side, self.over):
            button.setCheckable(True)
            group.addButton(button)
        self.side.clicked.connect(lambda: self.arranged.emit("side"))
        self.over.clicked.connect(lambda: self.arranged.emit("over"))
        line = QGridLayout(self.pair)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.side, 0, 0)
        line.addWidget(self.over, 0, 1)
        blend = QHBoxLayout(self.blend_row)
        blend.setContentsMargins(0, 0, 0, 0)
        blend.addWidget(label("IHC", "small"))
        blend.addWidget(self.blend, 1)
        blend.addWidget(label("H&E", "small"))
        line.addWidget(self.blend_row, 1, 0, 1, 2)
        go = QHBoxLayout()
        for key, words in (("he", "Fit H&&E"), ("ihc", "Fit IHC"), ("", "Fit both")):
            button = QPushButton(words)
            button.clicked.connect(lambda _=False, key=key: self.looked_at.emit(key))
            go.addWidget(button)
        line.addLayout(go, 2, 0, 1, 2)
        self.body.addWidget(self.pair)

    def show_session(self, session: Session) -> None:
        """Show what there is to switch."""
        self.overlays.setVisible(session.result is not None)
        pair = session.he is not None and session.ihc is not None
        self.pair.setVisible(pair)
        self.setVisible(pair or session.result is not None)
        over = session.arrangement == "over"
        self.side.setChecked(not over)
        self.over.setChecked(over)
        self.blend_row.setVisible(over)
        self.blend.blockSignals(True)
        self.blend.setValue(round(100 * session.blend))
        self.blend.blockSignals(False)
        if session.result is None:
            self._reset()
        else:
            self.layers["heat"].setVisible(session.result.tumour is not None)
            self.layers["outline"].setVisible(bool(session.result.outlines))

    def _reset(self) -> None:
        """All classes shown, the heat map off: how new overlays come."""
        for box in self.classes.values():
            box.setChecked(True)
        for key, box in self.layers.items():
            box.setChecked(key != "heat")
