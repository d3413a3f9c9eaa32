"""Cells in the dock "Correct masks": the verdict in hand, and what the verdicts lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton

from napari_her2._napari.widgets.editing_paint import _swatch
from napari_her2._napari.widgets.parts import Section, label
from napari_her2.vocabulary import COLOURS, SCORES

if TYPE_CHECKING:
    from napari_her2._napari.editing_cells import CellEditor
    from napari_her2.case import Report
    from napari_her2.pipeline import Recount

__all__ = ["CellsBox"]

WORDS: dict[str, tuple[str, str, str]] = {
    "exclude": ("Exclude", "", "Does not count, says you"),
    "include": ("Include", "", "Counts as a tumour cell, says you"),
    **{score: (score, COLOURS[score], f"Its class is {score}") for score in SCORES},
    "unusual": ("unusual", COLOURS["unusual"], "Strong, but open at the lumen (U-shaped) or at one side"),
    "model": ("Program's", "", "Takes back what was said about it"),
}


class CellsBox(Section):
    """Judge single cells, or many at once."""

    verdict_chosen = Signal(str)
    undone = Signal()

    def __init__(self) -> None:
        super().__init__("Cells")
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for n, (name, (words, colour, tip)) in enumerate(WORDS.items()):
            button = QPushButton(words)
            if colour:
                button.setIcon(_swatch(colour))
            button.setCheckable(True)
            button.setToolTip(f"{tip}.")
            button.clicked.connect(lambda _=False, name=name: self.verdict_chosen.emit(name))
            self._group.addButton(button)
            self.buttons[name] = button
            grid.addWidget(button, n // 3, n % 3)
        self.how = label(
            "Click a cell to give it the verdict; hold Shift and draw around many. A white rim marks yours.",
            "small",
            wrap=True,
        )
        self.before, self.after = label("", "small", wrap=True), label("", "strong", wrap=True)
        self.undo_button = QPushButton("Undo the last verdict")
        self.undo_button.clicked.connect(self.undone)
        self.body.addLayout(grid)
        for widget in (self.how, self.before, self.after, self.undo_button):
            self.body.addWidget(widget)

    def show_cells(self, editor: CellEditor) -> None:
        """Show the verdict in hand and the call before and after."""
        cells, case = editor.cells, editor.case
        self.setEnabled(editor.table is not None)
        self.buttons[cells.verdict].setChecked(True)
        self.undo_button.setEnabled(cells.verdicts > 0)
        self.state.setText("counting…" if cells.counting else "")
        if case is None or case.bundle is None:
            self.before.setText("Score the case first: its cells are judged here.")
            self.after.setText("")
            return
        self.before.setText(_program(case.bundle.report))
        self.after.setText(_yours(cells.result) if cells.result is not None else "")


def _program(report: Report) -> str:
    return f"Program: {_line(report.call.score, report.percent['3+'], report.cells.evaluable)}"


def _yours(result: Recount) -> str:
    if not result.changed:
        return "No cell changed."
    summary = result.summary
    line = _line(result.call.score, summary.percent["3+"], summary.counts.total)
    return f"With yours: {line}  ·  {result.changed:,} changed"


def _line(score: str | None, percent: float, n: int) -> str:
    return f"{score or 'not scorable'}  ·  {percent:.1f} % 3+ of {n:,} cells"
