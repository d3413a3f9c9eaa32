"""The gallery of the faintest stained cells at 40x: is there any staining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_her2._napari.shortcuts import key_of, spoken
from napari_her2._napari.widgets.parts import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2._napari.faint import FaintCell, FaintPicture

__all__ = ["FaintBox", "untinted"]

SIDE_PX = 112
MARKS = {"0": "✗ 0", "1+": "✓ 1+", "out": "left out", "": ""}


def untinted(picture: QPixmap) -> QIcon:
    """Return a picture that keeps its colours while it is chosen: Qt would tint the tissue blue."""
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


class FaintBox(QWidget):
    """One small picture for each cell, the faintest first."""

    went = Signal(int)
    judged = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.cells = QListWidget()
        self.cells.setFlow(QListWidget.Flow.LeftToRight)
        self.cells.setViewMode(QListWidget.ViewMode.IconMode)
        self.cells.setMovement(QListWidget.Movement.Static)
        self.cells.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.cells.setIconSize(QSize(SIDE_PX, SIDE_PX))
        self.cells.setGridSize(QSize(SIDE_PX + 10, SIDE_PX + 26))
        self.cells.itemClicked.connect(lambda item: self.went.emit(item.data(Qt.ItemDataRole.UserRole)))
        self.stained, self.unstained = QPushButton("Stained (1+)"), QPushButton("Not stained (0)")
        self.stained.setToolTip("The membrane of this cell is faintly stained")
        self.unstained.setToolTip("No membrane staining, or nothing but grain: the cell counts as 0")
        self.stained.clicked.connect(lambda: self.judged.emit(True))
        self.unstained.clicked.connect(lambda: self.judged.emit(False))
        key = spoken(key_of("review", "faintest"))
        line = QHBoxLayout()
        line.addWidget(label(f"40x, the faintest first; {key} for the next", "small", wrap=True), 1)
        line.addWidget(self.stained)
        line.addWidget(self.unstained)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.cells, 1)
        whole.addLayout(line)
        self._pictures: dict[int, QPixmap] = {}

    def show_cells(self, faint: Sequence[FaintCell], shown: int) -> None:
        """Show the list, what was said of each, and which one is in view."""
        if self.cells.count() != len(faint):
            self.cells.clear()
            for _ in faint:
                self.cells.addItem(QListWidgetItem())
        for row, cell in enumerate(faint):
            item = self.cells.item(row)
            item.setText(f"{cell.number}  {MARKS.get(cell.said, cell.said)}".strip())
            item.setToolTip(
                f"Membrane {cell.intensity_od:.3f} OD, complete to {100 * cell.completeness:.0f} %"
            )
            item.setData(Qt.ItemDataRole.UserRole, cell.number)
            if cell.number in self._pictures:
                item.setIcon(untinted(self._pictures[cell.number]))
            if cell.number == shown:
                self.cells.setCurrentRow(row)
        for button in (self.stained, self.unstained):
            button.setEnabled(any(cell.number == shown for cell in faint))

    def show_picture(self, picture: FaintPicture) -> None:
        """Show one cell."""
        rgb: Any = np.ascontiguousarray(picture.rgb)
        image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], 3 * rgb.shape[1], QImage.Format.Format_RGB888)
        how = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        self._pictures[picture.number] = QPixmap.fromImage(image.copy()).scaled(SIDE_PX, SIDE_PX, *how)
        for row in range(self.cells.count()):
            item = self.cells.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == picture.number:
                item.setIcon(untinted(self._pictures[picture.number]))
