"""Rows that run one model, or the cell engine, where the person looks; all of them, or one in a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QGridLayout, QProgressBar, QPushButton, QVBoxLayout

from napari_her2._napari.analysis import PARTS
from napari_her2._napari.parts import PartControl
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.widgets.parts import Chip, label, shown
from napari_her2.vocabulary import COLOURS, SCORES

if TYPE_CHECKING:
    import napari
    from napari_her2._napari.analysis import Letter

__all__ = ["HeatMapDock", "MaskFormerDock", "PartsDock", "StainDock"]

SCOPES = {"visible region": "view", "selected shape": "shape", "whole slide": "slide"}
BAR_STEPS = 1000
REST_MS = 200
WHAT = {
    "C": "Model C on the H&E: how likely each patch is invasive tumour",
    "L": "Model L on the IHC: the HER2 class of each patch",
    "M": "Model M on the IHC: the HER2 class of each pixel",
    "cells": "The membrane engine on the IHC: the class of each cell; no trained weights",
}


class PartRow(QFrame):
    """One row: model, where, run, progress, cancel."""

    def __init__(self, control: PartControl, models: list[str]) -> None:
        super().__init__()
        self.setObjectName("card")
        self.control = control
        part = control.part
        self.scope = ComboBox(name="where", choices=list(SCOPES), value="visible region")
        self.scope.tooltip = "What is in view comes first in any case, also when the view moves"
        self.model = ComboBox(name="model", choices=models or ["measured"])
        self.model.enabled = len(models) > 1
        self.run_button, self.cancel_button = QPushButton("Run"), QPushButton("Cancel")
        self.run_button.setToolTip(WHAT[part.letter])
        self.bar, self.words = QProgressBar(), label("", "small", wrap=True)
        self.bar.setTextVisible(False)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(control.cancel)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        title = label(part.words, "strong", tip=WHAT[part.letter])
        grid.addWidget(title, 0, 0, 1, 2)
        grid.addWidget(self.model.native, 1, 0)
        grid.addWidget(self.scope.native, 1, 1)
        grid.addWidget(self.run_button, 1, 2)
        grid.addWidget(self.cancel_button, 1, 2)
        grid.addWidget(self.bar, 2, 0, 1, 3)
        grid.addWidget(self.words, 3, 0, 1, 3)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self._legend(grid, part.letter)
        for name in ("busy", "progress", "words"):
            getattr(control.state.events, name).connect(self.show_state)
        self.show_state()

    def _legend(self, grid: QGridLayout, letter: str) -> None:
        from qtpy.QtWidgets import QHBoxLayout

        line = QHBoxLayout()
        names = ("tumour",) if letter == "C" else SCORES
        for name in names:
            line.addWidget(Chip(COLOURS[name]))
            line.addWidget(label(name, "small"))
        grid.addLayout(line, 0, 2, Qt.AlignmentFlag.AlignRight)

    def run(self) -> None:
        """Run what is chosen."""
        model = self.model.value if self.control.part.setting else ""
        self.control.start(SCOPES[self.scope.value], str(model or ""))  # type: ignore[arg-type]

    def show_state(self, *_: Any) -> None:
        """Show how far it is."""
        state = self.control.state
        self.run_button.setVisible(not state.busy)
        self.cancel_button.setVisible(state.busy)
        self.bar.setVisible(state.busy)
        self.scope.enabled = not state.busy
        fraction = state.progress.fraction
        self.bar.setRange(0, 0 if fraction is None else BAR_STEPS)
        self.bar.setValue(round((fraction or 0) * BAR_STEPS))
        detail = state.progress.detail if state.busy else ""
        shown(self.words, "  ·  ".join(text for text in (detail, state.words) if text))


class PartsDock(Docked):
    """The dock "Analyse parts": a row for C, L, M and the cell engine."""

    letters: ClassVar[tuple[Letter, ...]] = ("C", "L", "M", "cells")

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.rows: dict[str, PartRow] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(6)
        for letter in self.letters:
            control = PartControl(letter, self.controller, QtJobs(), self.studio.preferences.device)
            self.rows[letter] = PartRow(control, _models(letter))
            column.addWidget(self.rows[letter])
        column.addStretch(1)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._rested)
        camera = self.viewer.scene.camera.events
        self.follow(self._moved, camera.center, camera.zoom)
        self.begin()

    def _moved(self, *_: Any) -> None:
        self._rest.start()

    def _rested(self) -> None:
        for row in self.rows.values():
            row.control.camera_rested()

    def closed(self) -> None:
        """Stop all rows."""
        self._rest.stop()
        for row in self.rows.values():
            row.control.state.events.disconnect()
            row.control.close()


class HeatMapDock(PartsDock):
    """The dock "Tumour heat map"."""

    letters = ("C",)


class StainDock(PartsDock):
    """The dock "Stain classes"."""

    letters = ("L", "cells")


class MaskFormerDock(PartsDock):
    """The dock "MaskFormer overlay"."""

    letters = ("M",)


def _models(letter: Letter) -> list[str]:
    """Return the models that can play the part, the package's own first."""
    setting = PARTS[letter].setting
    if setting is None:
        return []
    from napari_her2.models import list_models
    from napari_her2.pipeline.engine import MODELS

    role = MODELS[setting]
    names = [entry.spec.name for entry in list_models() if role.fits(entry.spec)]
    return sorted(names, key=lambda name: (name != role.preferred, name))
