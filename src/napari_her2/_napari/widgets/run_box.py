"""Step 4: the run over the whole case."""

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

from napari_her2._napari.shortcuts import with_key
from napari_her2._napari.widgets.parts import Section, label, shown

if TYPE_CHECKING:
    from napari_her2._napari.progress import RunProgress
    from napari_her2._napari.session import Session

__all__ = ["RunBox"]

BAR_STEPS = 1000

ENGINES = {
    "auto": ("Auto", "Cells make the call; L and M look at a sample beside them and say if they disagree"),
    "classical": ("Classical", "Measured membranes, tumour area from nuclei and texture; no trained weights"),
    "transformer": (
        "Transformer",
        "Model C finds the tumour, L and M judge patches and pixels beside the cells",
    ),
}


class RunBox(Section):
    """Guideline, folder, run and cancel, and how far it is."""

    started = Signal()
    cancelled = Signal()
    changed = Signal(dict)
    rows_wanted = Signal()

    def __init__(self, rules: list[tuple[str, str]]) -> None:
        super().__init__("4  Analyse")
        self.rules = QComboBox()
        for name, words in rules:
            self.rules.addItem(words, name)
        self.rules.setToolTip("The guideline that turns cells into a score")
        self.rules.setMinimumContentsLength(12)
        self.rules.activated.connect(lambda _: self.changed.emit({"rule": self.rules.currentData()}))
        self.folder = QElidingLabel("")
        self.folder.setElideMode(Qt.TextElideMode.ElideLeft)
        self.folder_button = QToolButton()
        self.folder_button.setText("…")
        self.folder_button.setToolTip("Choose where the case is kept")
        self.folder_button.clicked.connect(self._choose_folder)
        self.restart = QCheckBox("Start over")
        self.restart.setToolTip("Forget what the case's folder holds of an earlier run")
        self.restart.toggled.connect(lambda on: self.changed.emit({"restart": on}))
        self.corrections = QCheckBox("Use corrections")
        self.corrections.setToolTip(
            "Count with what people corrected in this case: masks, areas, cells, the tumour area. "
            "Switched off, nothing of it is deleted."
        )
        self.corrections.toggled.connect(lambda on: self.changed.emit({"corrections": on}))
        self.engines = QComboBox()
        for name, (words, tip) in ENGINES.items():
            self.engines.addItem(words, name)
            self.engines.setItemData(self.engines.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.engines.setToolTip("Who looks at the slides; the guideline always counts cells")
        self.engines.activated.connect(lambda _: self.changed.emit({"engine": self.engines.currentData()}))
        self.rows_button = QPushButton("Parts…")
        self.rows_button.setToolTip("Run one model alone, on what is in view, on a shape, or on the slide")
        self.rows_button.clicked.connect(self.rows_wanted)
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
        grid.addWidget(label("Engine", "small"), 1, 0)
        grid.addWidget(self.engines, 1, 1)
        grid.addWidget(self.rows_button, 1, 2)
        grid.addWidget(label("Case folder", "small"), 2, 0)
        grid.addWidget(self.folder, 2, 1)
        grid.addWidget(self.folder_button, 2, 2)
        grid.setColumnStretch(1, 1)
        ticks, buttons = QHBoxLayout(), QHBoxLayout()
        ticks.addWidget(self.corrections)
        ticks.addWidget(self.restart)
        ticks.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.run_button, 1)
        for part in (grid, ticks, buttons):
            self.body.addLayout(part)
        for widget in (self.hint, self.headline, self.bar, self.detail, self.stages):
            self.body.addWidget(widget)

    def show_session(self, session: Session) -> None:
        """Show settings and what may be clicked."""
        folder = session.settings.case_folder
        self.folder.setText("" if folder is None else str(folder))
        self.folder.setToolTip("" if folder is None else str(folder))
        self.rules.setCurrentIndex(max(self.rules.findData(session.settings.rule), 0))
        self.engines.setCurrentIndex(max(self.engines.findData(session.settings.engine), 0))
        for tick, on in (
            (self.restart, session.settings.restart),
            (self.corrections, session.settings.corrections),
        ):
            tick.blockSignals(True)
            tick.setChecked(on)
            tick.blockSignals(False)
        why_not = session.why_not
        self.run_button.setEnabled(why_not is None)
        self.run_button.setToolTip(with_key("window", "score"))
        shown(self.hint, "" if session.busy else why_not or "")
        self.cancel_button.setVisible(session.busy)
        for widget in (self.rules, self.engines, self.folder_button, self.restart, self.corrections):
            widget.setEnabled(not session.busy)
        for widget in (self.bar, self.headline):
            widget.setVisible(session.busy)
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
            self.changed.emit({"case_folder": Path(name)})
