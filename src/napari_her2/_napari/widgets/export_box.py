"""Step 7: what goes on to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_her2._napari.widgets.parts import Section, label

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.session import Session

__all__ = ["ExportBox"]


class ExportBox(Section):
    """Opens the page of the report and the case's folder."""

    def __init__(self) -> None:
        super().__init__("7  Export")
        self._folder: Path | None = None
        self.words = label("", "small", wrap=True)
        self.page_button, self.folder_button = QPushButton("Report page"), QPushButton("Case folder")
        self.page_button.setToolTip("Open report.html in the browser; it prints on A4")
        self.folder_button.setToolTip("Tables (Parquet), rasters (OME-Zarr), areas (GeoJSON for QuPath)")
        self.page_button.clicked.connect(lambda: self._open("report.html"))
        self.folder_button.clicked.connect(lambda: self._open(""))
        line = QHBoxLayout()
        line.addWidget(self.page_button)
        line.addWidget(self.folder_button)
        self.body.addWidget(self.words)
        self.body.addLayout(line)

    def show_session(self, session: Session) -> None:
        """Show what there is."""
        self._folder = None if session.result is None else session.result.folder
        self.words.setText(
            "Score the case first."
            if self._folder is None
            else "Report, tables, rasters and areas lie in the case's folder."
        )
        for button in (self.page_button, self.folder_button):
            button.setEnabled(self._folder is not None)

    def _open(self, name: str) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder / name)))
