"""What is on the canvas: overlays with their legend, and how the two slides lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QWidget,
)

from napari_her2._napari.shortcuts import with_key
from napari_her2._napari.widgets.parts import Chip, Section, label
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from napari_her2._napari.session import Session

__all__ = ["ViewBox"]

LAYERS = {
    "cells": ("Cells", "Cells that count, by class"),
    "outline": ("Tumour", "Outline of the tumour area"),
    "heat": ("Heat map", "Probability of tumour"),
    "her2": ("Class map", "Class of each cell over its territory"),
    "pixels": ("MaskFormer", "Class of each pixel, as model M sees it"),
    "disagreement": ("Disagreement", "How many classes cells and pixels are apart"),
    "error": ("Error", "Local error of the alignment: dark 0 µm, yellow 100 µm and more"),
}
ON = ("cells", "outline")
COLUMNS = 4


class ViewBox(Section):
    """Legend and switches of the overlays; side by side or over each other."""

    classes_chosen = Signal(set)
    layer_switched = Signal(str, bool)
    opacity_chosen = Signal(float)
    threshold_chosen = Signal(float)
    arranged = Signal(str)
    blended = Signal(float)
    looked_at = Signal(str)
    circle_chosen = Signal(float)
    ruler_switched = Signal()

    def __init__(self) -> None:
        super().__init__("View")
        self.classes = {code: self._class_switch(name) for code, name in enumerate(CELL_CLASSES)}
        self.layers = {key: QCheckBox(words) for key, (words, _) in LAYERS.items()}
        for key, box in self.layers.items():
            box.setChecked(key in ON)
            box.setToolTip(LAYERS[key][1])
            box.toggled.connect(lambda on, key=key: self._switched(key, on))
        self.opacity = _slider(60, "Opacity of the maps")
        self.opacity.valueChanged.connect(lambda value: self.opacity_chosen.emit(value / 100))
        self.threshold = _slider(0, "The heat map is clear below this probability")
        self.threshold.valueChanged.connect(lambda value: self.threshold_chosen.emit(value / 100))
        self.side, self.over = QPushButton("Side by side"), QPushButton("Overlaid")
        self.side.setToolTip("H&E left of the IHC, turned like it once the two are aligned")
        self.over.setToolTip("H&E over the IHC, by the affine part of the alignment; blend with the slider")
        self.blend = _slider(100, "IHC … H&E (Ctrl+Alt+S switches)")
        self.blend.valueChanged.connect(lambda value: self.blended.emit(value / 100))
        self.circle, self.ruler = QDoubleSpinBox(), QPushButton("Ruler")
        self.overlays, self.pair, self.tools = QWidget(), QWidget(), QWidget()
        self.blend_row, self.sliders = QWidget(), QWidget()
        self._lay_out()

    def _class_switch(self, name: str) -> QCheckBox:
        box = QCheckBox(name)
        box.setChecked(True)
        box.setToolTip(f"Show class {name} in cells and maps")
        box.toggled.connect(lambda _: self.classes_chosen.emit(self.chosen))
        return box

    def _switched(self, key: str, on: bool) -> None:
        self._show_sliders()
        self.layer_switched.emit(key, on)

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
        self.switches = QGridLayout()
        self.switches.setHorizontalSpacing(6)
        sliders = QGridLayout(self.sliders)
        sliders.setContentsMargins(0, 0, 0, 0)
        self.least_words = label("Heat from", "small")
        for row, (words, slider) in enumerate(
            ((label("Opacity", "small"), self.opacity), (self.least_words, self.threshold))
        ):
            sliders.addWidget(words, 0, 2 * row)
            sliders.addWidget(slider, 0, 2 * row + 1)
        inside = QGridLayout(self.overlays)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self.switches, 0, 0)
        inside.addLayout(legend, 1, 0)
        inside.addWidget(self.sliders, 2, 0)
        self.body.addWidget(self.overlays)
        self._lay_out_tools()
        self._lay_out_pair()

    def _lay_out_tools(self) -> None:
        self.circle.setRange(0.0, 5.0)
        self.circle.setSingleStep(0.05)
        self.circle.setSuffix(" mm")
        self.circle.setSpecialValueText("the view")
        self.circle.setKeyboardTracking(False)
        self.circle.setToolTip(f"Diameter of the field under the cursor. {with_key('window', 'circle')}")
        self.circle.valueChanged.connect(lambda mm: self.circle_chosen.emit(1000.0 * mm))
        self.ruler.setCheckable(True)
        self.ruler.setToolTip(with_key("window", "ruler"))
        self.ruler.clicked.connect(self.ruler_switched)
        line = QHBoxLayout(self.tools)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(label("Count cells in", "small"))
        line.addWidget(self.circle, 1)
        line.addWidget(self.ruler)
        self.body.addWidget(self.tools)

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
        self.tools.setVisible(session.result is not None)
        self.ruler.setChecked(session.tool == "ruler")
        self.circle.blockSignals(True)
        self.circle.setValue(session.circle_um / 1000)
        self.circle.blockSignals(False)
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
        self._show_switches(session)
        self._show_sliders()

    def _show_switches(self, session: Session) -> None:
        """Lay out the switches of the overlays that the case has."""
        there = _there(session)
        for box in self.layers.values():
            self.switches.removeWidget(box)
        for at, box in enumerate(box for key, box in self.layers.items() if key in there):
            self.switches.addWidget(box, at // COLUMNS, at % COLUMNS)
        for key, box in self.layers.items():
            box.setVisible(key in there)

    def _show_sliders(self) -> None:
        heat = self.layers["heat"].isChecked()
        maps = [box for key, box in self.layers.items() if key not in ON]
        self.sliders.setVisible(any(box.isChecked() for box in maps))
        for widget in (self.least_words, self.threshold):
            widget.setVisible(heat)

    def _reset(self) -> None:
        """All classes shown, the maps off: how new overlays come."""
        for box in self.classes.values():
            box.setChecked(True)
        for key, box in self.layers.items():
            box.setChecked(key in ON)


def _there(session: Session) -> set[str]:
    """Return the overlays that a case has."""
    result = session.result
    if result is None:
        return {"outline"} if session.outlines else set()
    found = {"cells"} | ({"outline"} if result.outlines else set())
    found |= {"heat"} if result.tumour is not None else set()
    found |= {"disagreement"} if result.disagreement is not None else set()
    keys = {"her2": "her2", "segmentation": "pixels", "mapping_error": "error"}
    return found | {keys[name] for name in result.rasters}


def _slider(value: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setValue(value)
    slider.setToolTip(tip)
    return slider
