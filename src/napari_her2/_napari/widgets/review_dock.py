"""The dock widget "Review queue": fields with both stains, verdicts, and the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_her2._napari.faint import FaintPicture
from napari_her2._napari.score_view import STATUS_WORDS
from napari_her2._napari.session import Message
from napari_her2._napari.shortcuts import key_of, spoken, with_key
from napari_her2._napari.signing import Signature
from napari_her2._napari.widgets.docked import Docked
from napari_her2._napari.widgets.faint_box import FaintBox, untinted
from napari_her2._napari.widgets.parts import label
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari_her2._napari.review import FieldPicture
    from napari_her2.review import Field

__all__ = ["ReviewDock"]

HALF_PX = 78
GAP_PX = 3
NOT_SCORABLE = "not scorable"
BLIND = "Read blind first: choose your own score and sign, then the program's is shown."
MARKS = {"accepted": "✓ ", "excluded": "✗ ", "changed": "± ", "": ""}
STATUS_OF = {"0": "negative", "1+": "negative", "2+": "equivocal", "3+": "positive", None: "indeterminate"}
KEYS = {
    key_of("review", act): do
    for act, do in (
        ("next", ("step", 1)),
        ("previous", ("step", -1)),
        ("accept", ("judge", "accepted")),
        ("exclude", ("judge", "excluded")),
        ("faintest", ("next_faint",)),
    )
}


class ReviewDock(Docked):
    """Fields ordered by how much they could change the call.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.control = self.studio.review
        self.follow(self._show_picture, self.control.pictured)
        self._pictures: dict[int, QPixmap] = {}
        self._build()
        self.watch(self._show_queue, "live", "field", "signed", "reader", "unread", "blind")
        for key, (name, *what) in KEYS.items():
            action = getattr(self.control, name)
            self.viewer.bind_key(key, lambda _, act=action, what=what: self._act(act, what), overwrite=True)
        self._show_queue()
        self.control.make_pictures()
        self.begin()

    @property
    def pictured(self) -> int:
        """How many fields have their pictures."""
        return len(self._pictures)

    def _build(self) -> None:
        self.fields = QListWidget()
        self.fields.setFlow(QListWidget.Flow.LeftToRight)
        self.fields.setViewMode(QListWidget.ViewMode.IconMode)
        self.fields.setMovement(QListWidget.Movement.Static)
        self.fields.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.fields.setIconSize(QSize(2 * HALF_PX + GAP_PX, HALF_PX))
        self.fields.setSpacing(4)
        self.fields.setWordWrap(True)
        self.fields.setGridSize(QSize(2 * HALF_PX + 22, HALF_PX + 44))
        self.fields.itemClicked.connect(lambda item: self.control.go(item.data(Qt.ItemDataRole.UserRole)))
        self.done, self.told = QProgressBar(), label("", "small", wrap=True)
        self.done.setTextVisible(False)
        self.title, self.reasons = label("", "strong"), label("", "small", wrap=True)
        self.faint, self.faint_button = FaintBox(), QPushButton("Faintest cells")
        self.faint_button.setCheckable(True)
        self.faint_button.setToolTip("Null or ultralow is open: look at the faintest stained cells at 40x")
        self.faint_button.toggled.connect(self._show_queue)
        self.faint.went.connect(self.control.go_faint)
        self.faint.went.connect(self._show_queue)
        self.faint.judged.connect(self.control.judge_faint)
        side = QVBoxLayout()
        side.setSpacing(5)
        side.addWidget(self.title)
        side.addWidget(self.reasons)
        side.addLayout(self._build_verdicts())
        side.addWidget(self._build_signature())
        side.addStretch(1)
        left = QVBoxLayout()
        progress = QHBoxLayout()
        progress.addWidget(self.faint_button)
        progress.addWidget(self.told, 2)
        progress.addWidget(self.done, 1)
        left.addLayout(progress)
        left.addWidget(self.fields, 1)
        left.addWidget(self.faint, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(6, 4, 6, 6)
        whole.setSpacing(8)
        whole.addLayout(left, 3)
        whole.addLayout(side, 2)
        self.setMinimumHeight(215)

    def _build_verdicts(self) -> QGridLayout:
        grid = QGridLayout()
        self.accept_button, self.exclude_button = QPushButton("Accept"), QPushButton("Exclude")
        self.accept_button.setToolTip(f"{with_key('review', 'accept')}: what is measured here is right")
        self.exclude_button.setToolTip(f"{with_key('review', 'exclude')}: its cells do not count")
        self.classes = QComboBox()
        self.classes.addItem("all are…", None)
        for name in (*reversed(SCORES), "unusual"):
            self.classes.addItem(f"all are {name}", name)
        self.classes.setToolTip("Take all tumour cells of the field for one class")
        self.comment = QLineEdit()
        self.comment.setPlaceholderText("comment, then Enter")
        self.accept_button.clicked.connect(lambda: self.control.judge("accepted"))
        self.exclude_button.clicked.connect(lambda: self.control.judge("excluded"))
        self.classes.activated.connect(self._reclass)
        self.comment.returnPressed.connect(self._comment)
        for column, widget in enumerate((self.accept_button, self.exclude_button, self.classes)):
            grid.addWidget(widget, 0, column)
        grid.addWidget(self.comment, 1, 0, 1, 3)
        return grid

    def _build_signature(self) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(5)
        grid.setVerticalSpacing(4)
        self.reader, self.score, self.status = QLineEdit(), QComboBox(), QComboBox()
        self.reader.setPlaceholderText("reader")
        self.reader.setText(self.session.reader)
        self.reader.editingFinished.connect(self._set_reader)
        self.score.addItems([*reversed(SCORES), NOT_SCORABLE])
        self.score.setPlaceholderText("your score")
        self.status.setPlaceholderText("HER2 status")
        self._suggested = self.score.currentText()
        self.score.currentTextChanged.connect(self._suggest_status)
        for name, words in STATUS_WORDS.items():
            self.status.addItem(words, name)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("reason, if it differs")
        self.reason.setToolTip("Asked for where your score differs from the program's")
        self.reader.setMinimumWidth(80)
        for box_ in (self.score, self.status):
            box_.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box_.setMinimumContentsLength(9)
        self.sign_button = QPushButton("Sign")
        self.sign_button.setToolTip(
            "Writes your score into the report, beside the program's, and seals the case"
        )
        self.sign_button.clicked.connect(self._sign)
        for column, widget in enumerate((self.reader, self.score, self.status)):
            grid.addWidget(widget, 0, column)
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.reason, 1, 0, 1, 2)
        grid.addWidget(self.sign_button, 1, 2)
        return box

    def _show_queue(self, *_: Any) -> None:
        """Show the fields, what was said of them, and the one in view."""
        queue, field = self.control.queue, self.control.field
        self._show_faint()
        if self.fields.count() != len(queue):
            self.fields.clear()
            for _field in queue:
                self.fields.addItem(QListWidgetItem())
        for row, one in enumerate(queue):
            self._show_field(self.fields.item(row), one)
            if field is not None and one.number == field.number:
                self.fields.setCurrentRow(row)
        seen, total = self.control.progress
        self.told.setText(f"{seen} of {total} fields judged" if total else "Score the case first.")
        if self.session.unread is not None:
            self.told.setText(BLIND)
        self.done.setRange(0, max(total, 1))
        self.done.setValue(seen)
        self.title.setText("" if field is None else f"Field {field.number}: {field.cells} tumour cells")
        self.reasons.setText(_told(field, self))
        for widget in (self.accept_button, self.exclude_button, self.classes, self.comment):
            widget.setEnabled(field is not None)
        self.sign_button.setEnabled(self.session.finished is not None)
        self._suggest()

    def _show_faint(self) -> None:
        """Offer the gallery where null or ultralow is open, and show it where it was asked for."""
        faint = self.control.faint
        self.faint_button.setVisible(bool(faint))
        open_ = bool(faint) and self.faint_button.isChecked()
        self.faint.setVisible(open_)
        self.fields.setVisible(not open_)
        self.faint.show_cells(faint, self.control.faint_shown)

    def _act(self, action: Any, what: Sequence[Any]) -> None:
        """Do what a key asks for, and show it."""
        action(*what)
        if action == self.control.next_faint:
            self.faint_button.setChecked(bool(self.control.faint))
            self._show_faint()

    def _show_field(self, item: QListWidgetItem, field: Field) -> None:
        live = self.session.live
        mark = MARKS.get(live.verdicts.of(field), "") if live is not None else ""
        strongest = ", ".join(f"{name} {n}" for name, n in field.by_class[:2])
        item.setText(f"{mark}{field.number}: {strongest}")
        item.setToolTip("\n".join(field.reasons))
        item.setData(Qt.ItemDataRole.UserRole, field.number)
        if field.number in self._pictures:
            item.setIcon(untinted(self._pictures[field.number]))

    def _suggest(self) -> None:
        """Begin with the score as it is after the verdicts, until the reader chooses."""
        report = self.session.live.report if self.session.live is not None else None
        if self.session.unread is not None and self.score.currentText() == self._suggested:
            self._suggested = ""  # nothing is suggested to who reads blind
            self.score.setCurrentIndex(-1)
            self.status.setCurrentIndex(-1)
            return
        if report is not None and self.score.currentText() == self._suggested:
            self._suggested = report.call.score or NOT_SCORABLE
            self.score.setCurrentText(self._suggested)
            self._suggest_status(self._suggested)

    def _suggest_status(self, text: str) -> None:
        live = self.session.live
        if not text:
            return
        score = None if text == NOT_SCORABLE else text
        same = live is not None and live.report.call.score == score
        status = live.report.her2_status if same and live is not None else STATUS_OF[score]
        self.status.setCurrentIndex(self.status.findData(status))

    def _show_picture(self, picture: FieldPicture | FaintPicture) -> None:
        if isinstance(picture, FaintPicture):
            self.faint.show_picture(picture)
            return
        self._pictures[picture.number] = _both(picture)
        for row in range(self.fields.count()):
            item = self.fields.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == picture.number:
                item.setIcon(untinted(self._pictures[picture.number]))

    def _reclass(self, _: int) -> None:
        name = self.classes.currentData()
        self.classes.setCurrentIndex(0)
        if name is not None:
            self.control.judge(name)

    def _comment(self) -> None:
        if self.comment.text().strip():
            self.control.judge("comment", self.comment.text().strip())
            self.comment.clear()

    def _set_reader(self) -> None:
        self.session.reader = self.reader.text().strip()
        self.control.refresh()

    def _sign(self) -> None:
        self._set_reader()
        text = self.score.currentText()
        if not text:
            self.session.message = Message("Choose your score first.", "warning")
            return
        self.control.sign(
            Signature(
                score=None if text == NOT_SCORABLE else text,
                her2_status=self.status.currentData(),
                reader=self.session.reader,
                reason=self.reason.text().strip(),
            )
        )

    def closed(self) -> None:
        """Hear of nothing any more."""
        for key in KEYS:
            self.viewer.bind_key(key, None, overwrite=True)


def _told(field: Field | None, dock: ReviewDock) -> str:
    if dock.session.unread is not None:
        return "The fields are shown when you have signed."
    if field is None:
        key = spoken(key_of("review", "next"))
        return f"Click a field, or {key} for the first. Fields that could change the call come first."
    live = dock.session.live
    comments = live.verdicts.comments_on(field) if live is not None else ()
    return "\n".join([*field.reasons, *(f"“{comment}”" for comment in comments)])


def _both(picture: FieldPicture) -> QPixmap:
    """Return IHC and H&E side by side; where there is only one, it lies in the middle."""
    from qtpy.QtGui import QPainter

    both = QPixmap(2 * HALF_PX + GAP_PX, HALF_PX)
    both.fill(Qt.GlobalColor.transparent)
    painter = QPainter(both)
    stains = [rgb for rgb in (picture.ihc, picture.he) if rgb is not None]
    start = (2 - len(stains)) * (HALF_PX + GAP_PX) // 2
    for at, rgb in enumerate(stains):
        painter.drawPixmap(start + at * (HALF_PX + GAP_PX), 0, _pixmap(rgb))
    painter.end()
    return both


def _pixmap(rgb: np.ndarray[Any, Any]) -> QPixmap:
    pixels = np.ascontiguousarray(rgb)
    rows, cols = pixels.shape[:2]
    image = QImage(pixels.data, cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()
    return QPixmap.fromImage(image).scaled(
        HALF_PX, HALF_PX, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
