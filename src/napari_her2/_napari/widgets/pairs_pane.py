"""The list of pairs below the second canvas: how far each lies from where the others put it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from napari_her2._napari.widgets.parts import label

if TYPE_CHECKING:
    from napari_her2._napari.landmarking import LandmarkControl

__all__ = ["PairsPane"]

HEADS = (
    ("Pair", "Its number on the canvases"),
    ("Left out", "How far it lies from where the alignment and the other pairs put it"),
    ("Stated ±", "The error that the alignment states there: nine in ten places are better"),
)
HEIGHT_PX = 190
ROW_PX = 21
AGAINST = "#ff7a1a"


class PairsPane(QFrame):
    """Shows and edits the pairs of a :class:`LandmarkControl`.

    Parameters
    ----------
    control : LandmarkControl
    """

    gone_to = Signal(int)

    def __init__(self, control: LandmarkControl) -> None:
        super().__init__()
        self.setObjectName("card")
        self.control = control
        self.words = label("", "small", wrap=True)
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels([head for head, _ in HEADS])
        for column, (_, tip) in enumerate(HEADS):
            self.table.horizontalHeaderItem(column).setToolTip(tip)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.cellClicked.connect(lambda row, _: self._clicked(row))
        for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            shortcut = QShortcut(QKeySequence(key), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(control.delete)
        self._lay_out()
        self.setFixedHeight(HEIGHT_PX)
        events = control.state.events
        self._heard = [getattr(events, name) for name in ("pairs", "chosen", "begun", "busy")]
        self._heard.append(control.session.events.refit)
        for signal in self._heard:
            signal.connect(self.show_state)
        self.show_state()

    def leave(self) -> None:
        """Hear of nothing any more."""
        for signal in self._heard:
            signal.disconnect(self.show_state)

    def _lay_out(self) -> None:
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(4)
        for name, tip, act in (
            ("Accept", "Take the place that the alignment proposes for the pair that was begun", "accept"),
            ("Delete", "Take the chosen pair away, else the last one (Delete)", "delete"),
            ("Undo", "Take the last change back (Ctrl+Alt+Z)", "undo"),
            ("Redo", "Do again what was taken back (Ctrl+Alt+Y)", "redo"),
        ):
            row.addWidget(self._button(name, tip, getattr(self.control, act)))
        row.addStretch(1)
        row.addWidget(self._button("Open…", "Pairs from a CSV (he_x, he_y, ihc_x, ihc_y)", self._open))
        row.addWidget(self._button("Save…", "Write the pairs for `align --landmarks`", self._save))
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 5, 6, 5)
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addWidget(self.table, 1)
        column.addLayout(row)

    def _button(self, name: str, tip: str, act: Any) -> QPushButton:
        button = QPushButton(name)
        button.setToolTip(tip)
        button.clicked.connect(lambda _=False: act())
        self.buttons[name] = button
        return button

    def show_state(self, *_: Any) -> None:
        """Show the pairs, what can be done, and what to do next."""
        control, state = self.control, self.control.state
        refit = control.session.refit
        known = refit is not None and len(refit.landmarks) == len(state.pairs)
        self.words.setText(_words(control))
        self.table.setRowCount(len(state.pairs))
        against = refit.against if refit is not None and known else np.zeros(len(state.pairs), bool)
        for row in range(len(state.pairs)):
            left_out = f"{refit.left_out_um[row]:.1f} µm" if refit is not None and known else "…"
            self._put(row, (str(row + 1), left_out, self._stated(row)), bad=bool(against[row]))
        self._choose(state.chosen)
        for name, on in (
            ("Accept", state.begun is not None),
            ("Delete", len(state.pairs) > 0),
            ("Undo", control.can_undo),
            ("Redo", control.can_redo),
            ("Save…", len(state.pairs) > 0),
        ):
            self.buttons[name].setEnabled(on)

    def _stated(self, row: int) -> str:
        mapping = self.control.session.mapping
        if mapping is None:
            return ""
        return f"{mapping.local_error_um(self.control.state.pairs.he_px[row : row + 1], 'he')[0]:.0f} µm"

    def _put(self, row: int, texts: tuple[str, ...], *, bad: bool) -> None:
        for column, text in enumerate(texts):
            item = QTableWidgetItem(f"{text}  !" if bad and column == 1 else text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            if bad:
                item.setForeground(QColor(AGAINST))
            self.table.setItem(row, column, item)

    def _choose(self, chosen: int | None) -> None:
        if chosen is None:
            self.table.clearSelection()
        elif chosen < self.table.rowCount():
            self.table.selectRow(chosen)

    def _clicked(self, row: int) -> None:
        self.control.choose(row)
        self.gone_to.emit(row)

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Pairs of places", "", "CSV (*.csv)")
        if name:
            self.control.read(Path(name))

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Pairs of places", "landmarks.csv", "CSV (*.csv)")
        if name:
            self.control.write(Path(name))


def _words(control: LandmarkControl) -> str:
    state, session = control.state, control.session
    if session.mapping is None:
        return "Align the slides first: pairs correct an alignment."
    if state.begun is not None:
        other = "H&E" if state.begun.side == "ihc" else "IHC"
        return f"Now click the same place on the {other}; the ring is where the alignment expects it."
    if not len(state.pairs):
        return "Click a place on either slide, then the same place on the other."
    if state.busy:
        return "Bending the alignment …"
    late = " The score was made before: score again." if session.outdated else ""
    return f"Click for a new pair, drag a ring to move it.{late}"
