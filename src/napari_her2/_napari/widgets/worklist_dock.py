"""The dock widget "HER2 worklist": many cases in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QSize, QSortFilterProxyModel, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap, QStandardItem, QStandardItemModel
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
)

from napari_her2._napari.shortcuts import key_of, with_key
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.jobs import QtJobs
from napari_her2._napari.widgets.parts import STATE_COLOURS, label
from napari_her2._napari.widgets.slides_box import dropped_paths
from napari_her2._napari.worklist import Thumbnail, WorklistControl

if TYPE_CHECKING:
    import napari
    from napari_her2.case import WorklistCase

__all__ = ["WorklistDock"]

COLUMNS = ("Case", "State", "Call", "Reader", "Comment")
COMMENT = COLUMNS.index("Comment")
SEARCHED = (0, 3, 4)
STATES = ("all", "to do", "running", "needs you", "done")
ICON = QSize(56, 42)
ORDER = {state: rank for rank, state in enumerate(("running", "needs you", "to do", "done"))}
NAME_ROLE, SORT_ROLE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1

KEYS = {key_of("worklist", "next"): 1, key_of("worklist", "previous"): -1}


class WorklistDock(Docked):
    """A folder of cases, a manifest or a cohort; a double click or the keys open a case.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.control = WorklistControl(self.controller, QtJobs(), self._show_thumbnail)
        self._icons: dict[str, QIcon] = {}
        self._build()
        self.watch(self._show_cases, "cases", "case_name")
        for key, by in KEYS.items():
            self.viewer.bind_key(key, lambda _, by=by: self.step(by), overwrite=True)
        self.setAcceptDrops(True)
        self._show_cases()
        self.begin()

    def _build(self) -> None:
        self.model = QStandardItemModel(0, len(COLUMNS), self)
        self.model.setHorizontalHeaderLabels(list(COLUMNS))
        self.model.itemChanged.connect(self._edited)
        self.shown = _Filter(self)
        self.shown.setSourceModel(self.model)
        self.shown.setSortRole(SORT_ROLE)
        self.table = QTableView()
        self.table.setModel(self.shown)
        self._dress(self.table)
        self.search, self.states = QLineEdit(), QComboBox()
        self.search.setPlaceholderText("filter by name, reader, comment")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.shown.set_text)
        self.states.addItems(STATES)
        self.states.currentTextChanged.connect(self.shown.set_state)
        self.open_button, self.file_button = QPushButton("Folder…"), QPushButton("Manifest…")
        self.back_button, self.on_button = QPushButton("◀"), QPushButton("▶")
        self.open_button.setToolTip("A folder of cases, of a cohort, or of slides named in pairs")
        self.file_button.setToolTip("A CSV file with the columns case, he, ihc")
        self.back_button.setToolTip(with_key("worklist", "previous"))
        self.on_button.setToolTip(with_key("worklist", "next"))
        self.open_button.clicked.connect(self._choose_folder)
        self.file_button.clicked.connect(self._choose_file)
        self.back_button.clicked.connect(lambda: self.step(-1))
        self.on_button.clicked.connect(lambda: self.step(1))
        self.words = label("", "small")
        self._lay_out()

    def _lay_out(self) -> None:
        top, bottom = QHBoxLayout(), QHBoxLayout()
        for widget in (self.open_button, self.file_button):
            top.addWidget(widget)
        top.addWidget(self.search, 1)
        top.addWidget(self.states)
        bottom.addWidget(self.words, 1)
        bottom.addWidget(self.back_button)
        bottom.addWidget(self.on_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(6, 4, 6, 6)
        whole.setSpacing(5)
        whole.addLayout(top)
        whole.addWidget(self.table, 1)
        whole.addLayout(bottom)

    def _dress(self, table: QTableView) -> None:
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        table.setIconSize(ICON)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ICON.height() + 6)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        for column, width in enumerate((170, 240, 80, 90, 90)):
            header.resizeSection(column, width)
        table.doubleClicked.connect(self._double_clicked)

    @property
    def pictured(self) -> int:
        """How many cases have their picture."""
        return len(self._icons)

    def step(self, by: int) -> None:
        """Open the next or previous case of the list as it is sorted and filtered."""
        self.control.step(by, self.order)

    @property
    def order(self) -> list[str]:
        """Names of the cases as they stand on the screen."""
        return [self.shown.index(row, 0).data(NAME_ROLE) for row in range(self.shown.rowCount())]

    def _show_cases(self, *_: Any) -> None:
        """Show the list; rows are changed where they are, so that the selection stays."""
        cases = self.session.cases
        self.model.blockSignals(True)
        if [self.model.item(row).data(NAME_ROLE) for row in range(self.model.rowCount())] != [
            case.name for case in cases
        ]:
            self.model.removeRows(0, self.model.rowCount())
            for _case in cases:
                self.model.appendRow([QStandardItem() for _ in COLUMNS])
        for row, case in enumerate(cases):
            self._show_case(row, case)
        self.model.blockSignals(False)
        self.model.layoutChanged.emit()
        self.shown.invalidate()
        counts = {state: sum(case.state == state for case in cases) for state in STATES[1:]}
        told = [f"{n} {state}" for state, n in counts.items() if n]
        self.words.setText(
            f"{len(cases)} case{'s' * (len(cases) != 1)}: {', '.join(told)}"
            if cases
            else "Open a folder or a manifest."
        )

    def _show_case(self, row: int, case: WorklistCase) -> None:
        here = case.name == self.session.case_name
        hidden = self.control.hides(case)
        call = "read first" if hidden else case.final or case.call
        state = f"{case.state}: {case.why}" if case.why and case.state == "needs you" else case.state
        state = case.state if hidden else state
        texts = (case.name, state, call, case.reader, case.note.comment)
        keys = (case.name.lower(), ORDER[case.state], call, case.reader, case.note.comment)
        for column, (text, key) in enumerate(zip(texts, keys, strict=True)):
            item = self.model.item(row, column)
            item.setText(text)
            item.setToolTip(case.why if column == 1 and not hidden else text)
            item.setData(case.name, NAME_ROLE)
            item.setData(key, SORT_ROLE)
            item.setEditable(column == COMMENT)
            font = item.font()
            font.setBold(here)
            item.setFont(font)
        if case.name in self._icons:
            self.model.item(row, 0).setIcon(self._icons[case.name])
        self.model.item(row, 1).setIcon(_dot(STATE_COLOURS[case.state]))

    def _show_thumbnail(self, thumbnail: Thumbnail) -> None:
        self._icons[thumbnail.name] = _icon(thumbnail)
        for row in range(self.model.rowCount()):
            if self.model.item(row).data(NAME_ROLE) == thumbnail.name:
                self.model.blockSignals(True)
                self.model.item(row).setIcon(self._icons[thumbnail.name])
                self.model.blockSignals(False)
        self.table.viewport().update()

    def _edited(self, item: QStandardItem) -> None:
        if item.column() == COMMENT:
            self.control.comment(item.data(NAME_ROLE), item.text())

    def _double_clicked(self, index: QModelIndex) -> None:
        if index.column() != COMMENT:
            self.control.go(index.data(NAME_ROLE))

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of cases")
        if name:
            self.control.open(Path(name))

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Manifest", "", "CSV (*.csv)")
        if name:
            self.control.open(Path(name))

    def dragEnterEvent(self, event: Any) -> None:
        """Accept one folder or manifest."""
        if len(dropped_paths(event)) == 1:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        self.control.open(dropped_paths(event)[0])

    def closed(self) -> None:
        """Keep the view and stop."""
        for key in KEYS:
            self.viewer.bind_key(key, None, overwrite=True)
        self.control.close()


class _Filter(QSortFilterProxyModel):
    """Shows the cases of one state whose name, reader or comment holds a text."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._state, self._text = STATES[0], ""

    def set_text(self, text: str) -> None:
        """Show the cases whose name, reader or comment holds a text."""
        self._text = text.strip().lower()
        self.invalidate()

    def set_state(self, state: str) -> None:
        """Show one state only, or all."""
        self._state = state
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Decide about a row."""
        index = self.sourceModel().index(row, 1, parent)
        state = str(index.data() or "")
        wanted = self._state == STATES[0] or state.split(":")[0] == self._state
        texts = (self.sourceModel().index(row, column, parent).data() for column in SEARCHED)
        return wanted and any(self._text in str(text or "").lower() for text in texts)


def _icon(thumbnail: Thumbnail) -> QIcon:
    import numpy as np

    rgb = np.ascontiguousarray(thumbnail.rgb)
    rows, cols = rgb.shape[:2]
    image = QImage(rgb.data, cols, rows, 3 * cols, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.copy()))


def _dot(colour: str) -> QIcon:
    from qtpy.QtGui import QColor, QPainter

    pixmap = QPixmap(14, 14)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(2, 2, 10, 10)
    painter.end()
    return QIcon(pixmap)
