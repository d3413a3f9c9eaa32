"""Steps 2 and 3: the tumour area and the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
)
from superqt import QElidingLabel

from napari_her2._napari.widgets.parts import Section, label, shown

if TYPE_CHECKING:
    from napari_her2._napari.progress import RunProgress
    from napari_her2._napari.session import Session

__all__ = ["RunBox", "TumourBox"]

BAR_STEPS = 1000


class TumourBox(Section):
    """Where tumour is: proposed by the program until a person draws it."""

    drawn = Signal()

    def __init__(self) -> None:
        super().__init__("Tumour area")
        self.words = label("", "small", wrap=True)
        self.button = QPushButton("Draw")
        self.button.setToolTip(
            "Draw the invasive tumour in the layer “tumour”, on the IHC or on the H&E; leave out in situ "
            "and necrosis. Click for corners, double-click to finish."
        )
        self.button.clicked.connect(self.drawn)
        line = QHBoxLayout()
        line.addWidget(self.words, 1)
        line.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(line)

    def show_session(self, session: Session) -> None:
        """Show whose area it is."""
        rings = session.tumour.rings
        self.state.setText(f"drawn, {rings} area{'s' if rings > 1 else ''}" if rings else "proposed")
        self.words.setText(
            "Drawn by hand: this is what is scored."
            if rings
            else "The program proposes it. The score stays provisional until you draw the area yourself."
        )
        self.button.setText("Draw more" if rings else "Draw")
        self.button.setEnabled(session.ihc is not None and not session.busy)


class RunBox(Section):
    """Guideline, folder, run and cancel, and how far it is."""

    started = Signal()
    cancelled = Signal()
    rule_chosen = Signal(str)
    folder_chosen = Signal(object)
    restart_chosen = Signal(bool)

    def __init__(self, rules: list[tuple[str, str]]) -> None:
        super().__init__("Score")
        self.rules = QComboBox()
        for name, words in rules:
            self.rules.addItem(words, name)
        self.rules.setToolTip("The guideline that turns cells into a score")
        self.rules.setMinimumContentsLength(12)
        self.rules.activated.connect(lambda _: self.rule_chosen.emit(self.rules.currentData()))
        self.folder = QElidingLabel("")
        self.folder.setElideMode(Qt.TextElideMode.ElideLeft)
        self.folder_button = QToolButton()
        self.folder_button.setText("…")
        self.folder_button.setToolTip("Choose where the case is kept")
        self.folder_button.clicked.connect(self._choose_folder)
        self.restart = QCheckBox("Start over")
        self.restart.setToolTip("Forget what the case's folder holds of an earlier run")
        self.restart.toggled.connect(self.restart_chosen)
        self.run_button = QPushButton("Score")
        self.run_button.setObjectName("primary")
        self.run_button.clicked.connect(self.started)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancelled)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.hint = label("", "small", wrap=True)
        self.headline, self.detail = label("", "strong"), label("", "small")
        self.stages = label("", "small", wrap=True)
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        grid.addWidget(label("Guideline", "small"), 0, 0)
        grid.addWidget(self.rules, 0, 1, 1, 2)
        grid.addWidget(label("Case folder", "small"), 1, 0)
        grid.addWidget(self.folder, 1, 1)
        grid.addWidget(self.folder_button, 1, 2)
        grid.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.restart)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.run_button, 1)
        self.body.addLayout(grid)
        self.body.addLayout(buttons)
        for widget in (self.hint, self.headline, self.bar, self.detail, self.stages):
            self.body.addWidget(widget)

    def show_session(self, session: Session) -> None:
        """Show settings and what may be clicked."""
        folder = session.settings.case_folder
        self.folder.setText("" if folder is None else str(folder))
        self.folder.setToolTip("" if folder is None else str(folder))
        self.rules.setCurrentIndex(max(self.rules.findData(session.settings.rule), 0))
        self.restart.setChecked(session.settings.restart)
        why_not = session.why_not
        self.run_button.setEnabled(why_not is None)
        self.run_button.setToolTip("Score this case (Ctrl+Alt+R)")
        shown(self.hint, "" if session.busy else why_not or "")
        self.cancel_button.setVisible(session.busy)
        for widget in (self.rules, self.folder_button, self.restart):
            widget.setEnabled(not session.busy)
        for widget in (self.bar, self.headline):
            widget.setVisible(session.busy)
        done = "done" if session.result is not None else "ready" if why_not is None else ""
        self.state.setText(session.activity if session.busy else done)
        self.show_progress(session.progress, session.activity)

    def show_progress(self, progress: RunProgress, activity: str) -> None:
        """Show how far the run is."""
        busy = activity != "idle"
        self.headline.setText(progress.headline)
        shown(self.detail, progress.detail if busy else "")
        shown(self.stages, "\n".join(stage.text for stage in progress.finished) if busy else "")
        if not busy:
            return
        fraction = progress.fraction
        self.bar.setRange(0, 0 if fraction is None else BAR_STEPS)
        if fraction is not None:
            self.bar.setValue(round(fraction * BAR_STEPS))

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Where to keep the case")
        if name:
            self.folder_chosen.emit(Path(name))
