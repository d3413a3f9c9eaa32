"""Which mask of which slide, and who corrects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QToolButton

from napari_her2._napari.widgets.parts import Section, label
from napari_her2.annotation import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.editing_state import EditState
    from napari_her2._napari.session import Session

__all__ = ["StartBox"]

ROLES = {"ihc": "IHC", "he": "H&E"}


class StartBox(Section):
    """Choose slide and mask, start, stop."""

    started = Signal(str, str, str)
    stopped = Signal()
    folder_asked = Signal()

    def __init__(self) -> None:
        super().__init__("Mask")
        self.slide, self.kind, self.reader = QComboBox(), QComboBox(), QLineEdit()
        for kind in KINDS.values():
            self.kind.addItem(kind.title, kind.name)
        self.reader.setPlaceholderText("your name or sign, for the log")
        self.folder, self.folder_button = label("", "small"), QToolButton()
        self.folder_button.setText("Folder…")
        self.folder_button.setToolTip("Keep corrections in another folder")
        self.start_button, self.stop_button = QPushButton("Start correcting"), QPushButton("Stop")
        self.start_button.setObjectName("primary")
        self.stop_button.setToolTip("All strokes are saved already; the layers are taken away")
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        for row, (words, widget) in enumerate(
            (("Slide", self.slide), ("Mask", self.kind), ("Reader", self.reader))
        ):
            grid.addWidget(label(words, "small"), row, 0)
            grid.addWidget(widget, row, 1)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.folder_button)
        acts = QHBoxLayout()
        acts.addWidget(self.start_button, 2)
        acts.addWidget(self.stop_button, 1)
        for layout in (grid, place, acts):
            self.body.addLayout(layout)
        self.start_button.clicked.connect(self._start)
        self.stop_button.clicked.connect(self.stopped)
        self.folder_button.clicked.connect(self.folder_asked)

    def _start(self) -> None:
        self.started.emit(self.slide.currentData(), self.kind.currentData(), self.reader.text().strip())

    def show_session(self, session: Session, state: EditState, folder: Path | None) -> None:
        """Show which slides are open, and where corrections go."""
        open_now = [role for role in ROLES if getattr(session, role) is not None]
        if open_now != [self.slide.itemData(n) for n in range(self.slide.count())]:
            self.slide.clear()
            for role in open_now:
                self.slide.addItem(f"{ROLES[role]}   {getattr(session, role).name}", role)
        if not self.reader.text() and not self.reader.hasFocus():
            self.reader.setText(getattr(session, "reader", ""))
        self.folder.setText("" if folder is None else f"Kept in {folder.name}/edits")
        self.folder.setToolTip("" if folder is None else str(folder))
        for widget in (self.slide, self.kind, self.reader, self.folder_button):
            widget.setEnabled(bool(open_now) and not state.active)
        self.start_button.setEnabled(bool(open_now) and not state.active)
        self.start_button.setText("Start correcting" if open_now else "Open a slide first")
        self.stop_button.setEnabled(state.active)
        self.state.setText(state.kind.title if state.kind is not None else "")
