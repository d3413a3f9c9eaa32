"""Areas in the dock "Correct masks": draw, choose, combine, simplify, list; and what is reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSlider,
    QTableView,
)

from napari_her2._napari.widgets.editing_paint import _slider, _swatch
from napari_her2._napari.widgets.parts import Section, label
from napari_her2.annotation import AREA_COLOURS

if TYPE_CHECKING:
    from napari_her2._napari.editing_areas import AreaEditor, AreaState
    from napari_her2._napari.editing_reviewed import Overview
    from napari_her2.annotation import Area

__all__ = ["AreasBox", "ReviewedBox"]

TOOLS = {
    "choose": ("Choose", "Click an area; Shift+click adds another. Drag moves the view"),
    "polygon": ("Polygon", "Click corners, double-click to finish"),
    "rectangle": ("Box", "Drag a box"),
    "lasso": ("Lasso", "Draw around an area"),
    "corners": ("Corners", "Move, add or take away corners of the chosen area; any other tool ends it"),
}
JOINS = {
    "union": ("Join", "One area of all that are chosen"),
    "subtract": ("Subtract", "Takes the others from the area chosen first"),
    "intersect": ("Common", "What the chosen areas share"),
    "exclude": ("Either", "What belongs to one of two areas, not to both"),
}


MEANS = "Only inside reviewed areas does unlabelled mean background; only they are exported for training."


class AreasBox(Section):
    """Areas as vectors."""

    tool_taken = Signal(str)
    class_chosen = Signal(str)
    joined = Signal(str)
    chosen = Signal(list)
    went = Signal(str)
    removed = Signal()
    filled = Signal()
    tolerance_set = Signal(float)
    simplified = Signal()
    undone = Signal()
    redone = Signal()

    def __init__(self) -> None:
        super().__init__("Areas")
        self.names = QComboBox()
        for name, colour in AREA_COLOURS.items():
            self.names.addItem(_swatch(colour), name, name)
        self.tools = _buttons(TOOLS, self.tool_taken, checkable=True)
        self.joins = _buttons(JOINS, self.joined)
        self.tolerance: QSlider = _slider(0, 60)
        self.simple_words, self.simple_button = label("", "small"), QPushButton("Simplify")
        self.fill_button, self.remove_button = QPushButton("Fill mask"), QPushButton("Delete")
        self.fill_button.setToolTip("Give the chosen areas the class of the brush in the mask, to the pixel")
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.model = AreaTable()
        self.list = QTableView()
        self._set_up_list()
        self._lay_out()
        self._connect()

    def _set_up_list(self) -> None:
        view = self.list
        view.setModel(self.model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(22)
        view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        view.horizontalHeader().setStretchLastSection(True)
        for column, width in enumerate((110, 66, 62)):
            view.setColumnWidth(column, width)
        view.setShowGrid(False)
        view.setMinimumHeight(150)
        view.setToolTip("Double-click goes there")

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(label("Class", "small"))
        first.addWidget(self.names, 1)
        self.body.addLayout(first)
        for buttons, columns in ((self.tools, 5), (self.joins, 4)):
            grid = QGridLayout()
            grid.setSpacing(4)
            for n, button in enumerate(buttons.values()):
                button.setStyleSheet("padding: 4px 2px;")
                grid.addWidget(button, n // columns, n % columns)
            self.body.addLayout(grid)
        simple = QHBoxLayout()
        simple.addWidget(label("Simpler by", "small"))
        simple.addWidget(self.tolerance, 1)
        simple.addWidget(self.simple_words)
        simple.addWidget(self.simple_button)
        self.body.addLayout(simple)
        acts = QHBoxLayout()
        for button in (self.fill_button, self.remove_button, self.undo_button, self.redo_button):
            button.setStyleSheet("padding: 4px 2px;")
            acts.addWidget(button)
        self.body.addLayout(acts)
        self.body.addWidget(self.list)

    def _connect(self) -> None:
        self.names.activated.connect(lambda _: self.class_chosen.emit(self.names.currentData()))
        self.remove_button.clicked.connect(self.removed)
        self.fill_button.clicked.connect(self.filled)
        self.simple_button.clicked.connect(self.simplified)
        self.undo_button.clicked.connect(self.undone)
        self.redo_button.clicked.connect(self.redone)
        self.tolerance.valueChanged.connect(lambda at: self.tolerance_set.emit(at / 4))
        self.list.doubleClicked.connect(lambda index: self.went.emit(self.model.key(index.row())))
        self.list.clicked.connect(self._clicked)

    def _clicked(self, _: Any) -> None:
        rows = {index.row() for index in self.list.selectionModel().selectedRows()}
        self.chosen.emit([self.model.key(row) for row in sorted(rows)])

    def show_areas(self, editor: AreaEditor, *, can_fill: bool) -> None:
        """Show the areas of the book that is open."""
        book, areas = editor.book, editor.areas
        self.setEnabled(book is not None)
        um = editor.case.target.um_per_px if editor.case is not None else 1.0
        self.model.show(list(book or ()), um, areas.version)
        self.tools[areas.tool].setChecked(True)
        self.names.setCurrentIndex(max(self.names.findData(areas.name), 0))
        n = len(areas.chosen)
        for button in self.joins.values():
            button.setEnabled(n > 1)
        self.tools["corners"].setEnabled(n == 1)
        self.remove_button.setEnabled(n > 0)
        self.fill_button.setEnabled(n > 0 and can_fill)
        self.undo_button.setEnabled(book is not None and book.can_undo)
        self.redo_button.setEnabled(book is not None and book.can_redo)
        self._show_simpler(editor, areas)
        self.state.setText(
            f"{n} chosen of {len(book)}" if book is not None and n else str(len(book or ()) or "")
        )

    def _show_simpler(self, editor: AreaEditor, areas: AreaState) -> None:
        chosen = editor._chosen()
        self.tolerance.setEnabled(bool(chosen))
        self.simple_button.setEnabled(bool(chosen) and areas.tolerance_um > 0)
        if not areas.tolerance_um and self.tolerance.value():
            self.tolerance.blockSignals(True)
            self.tolerance.setValue(0)
            self.tolerance.blockSignals(False)
        before = sum(area.corners for area in chosen)
        after = sum(editor._previewed(area).corners for area in chosen)
        words = f"{areas.tolerance_um:.3g} µm: {before} → {after} corners" if areas.tolerance_um else ""
        self.simple_words.setText(words)


def _buttons(
    entries: dict[str, tuple[str, str]], signal: Any, *, checkable: bool = False
) -> dict[str, QPushButton]:
    made = {}
    for name, (words, tip) in entries.items():
        button = QPushButton(words)
        button.setToolTip(f"{tip}.")
        button.setCheckable(checkable)
        button.setAutoExclusive(checkable)
        button.clicked.connect(lambda _=False, name=name: signal.emit(name))
        made[name] = button
    return made


class AreaTable(QAbstractTableModel):
    """The list of areas; only rows that are seen are asked for, so any number is fine."""

    COLUMNS = ("class", "mm²", "corners", "by")

    def __init__(self) -> None:
        super().__init__()
        self._areas: list[Area] = []
        self._um, self._version = 1.0, -1

    def show(self, areas: list[Area], um_per_px: float, version: int) -> None:
        """Show areas in their order."""
        if version != self._version or len(areas) != len(self._areas):
            self.beginResetModel()
            self._areas, self._um, self._version = areas, um_per_px, version
            self.endResetModel()

    def key(self, row: int) -> str:
        """Return the key of the area in a row."""
        return self._areas[row].key

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return how many areas there are."""
        return 0 if parent.isValid() else len(self._areas)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return how many facts are shown of each."""
        return 0 if parent.isValid() else len(self.COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return the name of a column."""
        horizontal = orientation == Qt.Orientation.Horizontal
        return self.COLUMNS[section] if horizontal and role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what stands in a cell."""
        area = self._areas[index.row()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return QColor(area.colour)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return (area.name, f"{area.mm2(self._um):.4f}", str(area.corners), area.who)[index.column()]


class ReviewedBox(Section):
    """Mark what is complete; see what is left."""

    drawn = Signal(str)
    next_asked = Signal()

    def __init__(self) -> None:
        super().__init__("Reviewed")
        self.words = label(MEANS, "small", wrap=True)
        self.picture = label("")
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.box_button, self.polygon_button = QPushButton("Mark box"), QPushButton("Mark polygon")
        self.next_button = QPushButton("Go to what is left")
        self.box_button.clicked.connect(lambda: self.drawn.emit("rectangle"))
        self.polygon_button.clicked.connect(lambda: self.drawn.emit("polygon"))
        self.next_button.clicked.connect(self.next_asked)
        acts = QHBoxLayout()
        for button in (self.box_button, self.polygon_button, self.next_button):
            button.setStyleSheet("padding: 4px 2px;")
            acts.addWidget(button)
        self.body.addWidget(self.picture)
        self.body.addWidget(self.words)
        self.body.addLayout(acts)

    def show_overview(self, overview: Overview | None, *, active: bool) -> None:
        """Show how far it is."""
        for button in (self.box_button, self.polygon_button):
            button.setEnabled(active)
        self.next_button.setEnabled(active and overview is not None and overview.coverage.left_mm2 > 0)
        self.state.setText("" if overview is None else f"{overview.coverage.percent_done:.0f} %")
        if overview is None:
            self.picture.clear()
            return
        rows, cols = overview.picture.shape[:2]
        image = QImage(overview.picture.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888)
        pixmap = QPixmap.fromImage(image)
        self.picture.setPixmap(pixmap.scaled(300, 150, Qt.AspectRatioMode.KeepAspectRatio))
        self.words.setText(f"{overview.words}. {MEANS}")
