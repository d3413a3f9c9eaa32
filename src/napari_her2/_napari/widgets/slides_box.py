"""Step 1: which two slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_her2._napari.widgets.card import PiecesList, SpecimenCard, TissueRow
from napari_her2._napari.widgets.parts import Section, label, restyle, shown

if TYPE_CHECKING:
    from napari_her2._napari.session import OpenSlide, Session

__all__ = ["SlidesBox"]

FILTER = (
    "Slides (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.svslide *.tif *.tiff *.btf *.dcm);;"
    "Pictures (*.png *.jpg *.jpeg *.tif *.tiff);;All files (*)"
)
ROLES = {"he": "H&E", "ihc": "IHC"}
EMPTY = {"he": "drop a slide here (optional)", "ihc": "drop a slide or a picture here"}


class SlideRow(QWidget):
    """One slide: its role, name and facts; a field for the pixel size where the file states none."""

    closed = Signal(str)
    sized = Signal(str, float)
    white_switched = Signal(str, bool)

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role
        name = label(ROLES[role], "strong")
        name.setFixedWidth(34)
        self.name = QElidingLabel(EMPTY[role])
        self.name.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.facts = QElidingLabel("")
        self.facts.setProperty("kind", "small")
        self.close_button = QToolButton()
        self.close_button.setText("\u00d7")
        self.close_button.setFixedSize(22, 20)
        self.close_button.setObjectName("close")
        self.close_button.setToolTip(f"Take the {ROLES[role]} out")
        self.close_button.clicked.connect(lambda: self.closed.emit(role))
        self.white_button = QToolButton()
        self.white_button.setText("White")
        self.white_button.setCheckable(True)
        self.white_button.setToolTip(
            f"Pick the white of the {ROLES[role]}: click bare glass on it. Again: as found on the slide"
        )
        self.white_button.clicked.connect(lambda on: self.white_switched.emit(role, on))
        self.size_row = self._size_row()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(1)
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addWidget(self.close_button, 0, 2)
        grid.addWidget(self.facts, 1, 1)
        grid.addWidget(self.white_button, 1, 2)
        grid.addWidget(self.size_row, 2, 1, 1, 2)
        grid.setColumnStretch(1, 1)

    def _size_row(self) -> QWidget:
        row = QWidget()
        self.um_per_px = QDoubleSpinBox()
        self.um_per_px.setDecimals(4)
        self.um_per_px.setRange(0.0, 100.0)
        self.um_per_px.setSpecialValueText("µm/px?")
        self.um_per_px.setSuffix(" µm/px")
        self.um_per_px.setSingleStep(0.05)
        self.um_per_px.setToolTip(
            "The file states no pixel size. A 40x scan has about 0.25, a 20x scan 0.5 µm/px"
        )
        use = QPushButton("Use")
        use.clicked.connect(self._use)
        self.um_per_px.lineEdit().returnPressed.connect(self._use)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 2, 0, 2)
        line.addWidget(self.um_per_px, 1)
        line.addWidget(use)
        row.hide()
        return row

    def _use(self) -> None:
        self.sized.emit(self.role, self.um_per_px.value())

    def show_slide(self, slide: OpenSlide | None, *, picking: bool = False) -> None:
        """Show a slide, or the hint for an empty row."""
        self.white_button.setVisible(slide is not None)
        self.white_button.setChecked(picking or (slide is not None and isinstance(slide.white, tuple)))
        self.name.setText(EMPTY[self.role] if slide is None else slide.name)
        restyle(self.name, "kind", "small" if slide is None else "")
        shown(self.facts, "" if slide is None else slide.facts)
        self.close_button.setVisible(slide is not None)
        self.size_row.setVisible(slide is not None and slide.stated_um_per_px is None)
        known = slide.um_per_px if slide is not None else None
        self.um_per_px.setValue(known or 0.0)  # never the pixel size of the slide before


class SlidesBox(Section):
    """Both slides, and the ways to open, swap and drop them."""

    opened = Signal(list)
    swapped = Signal()
    changed = Signal(dict)

    def __init__(self) -> None:
        super().__init__("1  Slides")
        self.rows = {role: SlideRow(role) for role in ROLES}
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip("Choose the H&E and the IHC slide together, or one of them")
        self.open_button.clicked.connect(self._choose_files)
        self.case_button = QPushButton("Open case…")
        self.case_button.setToolTip("Choose the folder of a finished case")
        self.case_button.clicked.connect(self._choose_case)
        self.swap_button = QPushButton("Swap")
        self.swap_button.setToolTip("The program guessed the stains wrongly: exchange H&E and IHC")
        self.swap_button.clicked.connect(self.swapped)
        self.body.addWidget(self._drop_frame())
        buttons = QHBoxLayout()
        for button in (self.open_button, self.case_button, self.swap_button):
            buttons.addWidget(button)
        self.body.addLayout(buttons)
        self.pieces = PiecesList()
        self.pieces.changed.connect(lambda roles: self.changed.emit({"pieces": roles}))
        self.body.addWidget(self.pieces)
        self.tissue = TissueRow()
        self.tissue.picked.connect(lambda rule: self.changed.emit({"rule": rule}))
        self.body.addWidget(self.tissue)
        self.card = SpecimenCard()
        self.card.changed.connect(lambda values: self.changed.emit({"specimen": values}))
        self.body.addWidget(self.card)

    def _drop_frame(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("drop")
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(8, 7, 6, 7)
        inside.setSpacing(5)
        for row in self.rows.values():
            inside.addWidget(row)
        return frame

    def show_session(self, session: Session) -> None:
        """Show what is open."""
        for role, row in self.rows.items():
            row.show_slide(getattr(session, role), picking=session.picking_white == role)
            for part in (row.close_button, row.white_button):
                part.setEnabled(not session.busy)
            row.size_row.setEnabled(not session.busy)
        self.swap_button.setEnabled(not session.busy and (session.he is not None or session.ihc is not None))
        for button in (self.open_button, self.case_button):
            button.setEnabled(not session.busy)
        self.pieces.show_pieces(() if session.prepared is None else session.prepared.pieces)
        self.tissue.show_rule(session.settings.rule)
        self.tissue.setEnabled(not session.busy)
        for row in (self.tissue, self.card):
            row.setVisible(session.ihc is not None)

    def _choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "H&E and IHC slide", "", FILTER)
        if names:
            self.opened.emit([Path(name) for name in names])

    def _choose_case(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of a case")
        if name:
            self.opened.emit([Path(name)])


def dropped_paths(event: Any) -> list[Path]:
    """Return the local files of a drag-and-drop event."""
    mime = event.mimeData()
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()] if mime.hasUrls() else []
