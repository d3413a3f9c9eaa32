"""What a person knows about the specimen and the pieces on the glass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSpinBox,
    LineEdit,
    PushButton,
    SpinBox,
)
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_her2._napari.widgets.parts import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.tissue import Piece

__all__ = ["IshCard", "PiecesList", "SpecimenCard", "TissueRow"]

SITES = {"not given": None, "primary": "primary", "metastasis": "metastasis"}
ADEQUATE = {"not given": None, "adequate": True, "not adequate": False}
ROLES = (
    ("patient", "patient"),
    ("control 3+", "control 3+"),
    ("control 2+", "control 2+"),
    ("control 1+", "control 1+"),
    ("control 0", "control 0"),
    ("duplicate", "second level of the same block"),
    ("ignore", "leave out"),
)


TISSUES = {
    ("breast", ""): ("Breast", "asco-cap-breast-2023"),
    ("stomach", "resection"): ("Stomach or gastro-oesophageal junction, resection", "gastric-resection"),
    ("stomach", "biopsy"): ("Stomach or gastro-oesophageal junction, biopsy", "gastric-biopsy"),
}
"""What is under the microscope, and the guideline that it asks for."""


class TissueRow(QWidget):
    """Tissue and specimen; choosing one picks the guideline."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        for words, rule in TISSUES.values():
            self.choice.addItem(words, rule)
        self.choice.setToolTip("Picks the guideline: breast, or stomach with its own rules for biopsies")
        self.choice.setMinimumContentsLength(12)
        self.choice.setPlaceholderText("another guideline was chosen")
        self.choice.activated.connect(lambda _: self.picked.emit(self.choice.currentData()))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(label("Tissue", "small"))
        line.addWidget(self.choice, 1)

    def show_rule(self, rule: str) -> None:
        """Show the tissue of a guideline; none where the guideline belongs to no tissue."""
        self.choice.setCurrentIndex(self.choice.findData(rule))


class SpecimenCard(QCollapsible):
    """An optional card; what stays empty counts as not given. No names, no identifiers."""

    changed = Signal(tuple)

    def __init__(self) -> None:
        super().__init__("Specimen (optional)")
        _tighten(self)
        self.form = Container(
            widgets=[
                LineEdit(name="specimen", label="Specimen", tooltip="e.g. core biopsy, resection"),
                ComboBox(name="site", label="Site", choices=list(SITES)),
                LineEdit(name="antibody_clone", label="Antibody clone", tooltip="e.g. 4B5, HercepTest, SP3"),
                LineEdit(name="scanner", label="Scanner"),
                ComboBox(name="controls_adequate", label="Controls", choices=list(ADEQUATE)),
                LineEdit(name="fixation", label="Fixation", tooltip="e.g. 10 % NBF, 6 to 72 h"),
            ],
        )
        self.form.margins = (0, 0, 0, 0)
        self.form.changed.connect(lambda _: self.changed.emit(self.values))
        self.addWidget(self.form.native)
        self.collapse(animate=False)

    @property
    def values(self) -> tuple[tuple[str, Any], ...]:
        """What was given, in order."""
        plain: dict[str, Any] = {row.name: row.value for row in self.form}
        plain["site"] = SITES[plain["site"]]
        plain["controls_adequate"] = ADEQUATE[plain["controls_adequate"]]
        return tuple((name, value) for name, value in plain.items() if value not in ("", None))


class IshCard(QCollapsible):
    """What in-situ hybridisation found; the HER2 status follows by the guideline's groups."""

    given = Signal(dict)

    def __init__(self) -> None:
        super().__init__("ISH result")
        _tighten(self)
        self.form = Container(
            widgets=[
                ComboBox(name="probe", label="Probe", choices=["dual", "single"]),
                FloatSpinBox(name="ratio", label="HER2/CEP17", max=50, step=0.1, tooltip="0: not given"),
                FloatSpinBox(name="her2_copies", label="HER2 per cell", max=100, step=0.1),
                SpinBox(name="cells", label="Cells counted", max=10000, tooltip="0: not given"),
                CheckBox(name="recounted", label="Recounted by a second observer"),
                PushButton(name="apply", text="Apply"),
            ],
        )
        self.form.margins = (0, 0, 0, 0)
        self.form["apply"].changed.connect(lambda _: self.given.emit(self.values))
        self.addWidget(self.form.native)
        self.collapse(animate=False)

    @property
    def values(self) -> dict[str, Any]:
        """What was given; empty while there are no copies."""
        plain: dict[str, Any] = {row.name: row.value for row in self.form if row.name != "apply"}
        if not plain["her2_copies"]:
            return {}
        kept = {name: value for name, value in plain.items() if value or name == "recounted"}
        return {name: value for name, value in kept.items() if name != "ratio" or plain["probe"] == "dual"}


class PiecesList(QWidget):
    """The pieces of tissue on the IHC; a role is a proposal until a person has chosen it."""

    changed = Signal(tuple)

    def __init__(self) -> None:
        super().__init__()
        self._pieces: tuple[Piece, ...] = ()
        self._said: dict[str, str] = {}
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(label("Pieces of tissue on the IHC", "small"))
        self._grid = QGridLayout()
        whole.addLayout(self._grid)
        self.hide()

    def show_pieces(self, pieces: Sequence[Piece]) -> None:
        """Show the pieces, where there is more than one."""
        if tuple(pieces) == self._pieces:
            return
        self._pieces, self._said = tuple(pieces), {}
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        for row, piece in enumerate(self._pieces):
            self._grid.addWidget(label(f"{piece.label}: {piece.area_mm2:.2f} mm²", "small"), row, 0)
            self._grid.addWidget(self._choice(piece), row, 1)
        self.setVisible(len(self._pieces) > 1)

    def _choice(self, piece: Piece) -> QComboBox:
        choice = QComboBox()
        for value, words in ROLES:
            choice.addItem(words, value)
        now = f"control {piece.expected_score}" if piece.role == "control" else piece.role
        choice.setCurrentIndex(max(choice.findData(now), 0))
        choice.setToolTip("Whose tissue this is; controls are scored apart" + _proposal(piece))
        choice.activated.connect(partial(self._say, str(piece.label), choice))
        return choice

    def _say(self, piece: str, choice: QComboBox, _: int) -> None:
        self._said[piece] = choice.currentData()
        self.changed.emit(tuple(sorted(self._said.items())))


def _tighten(card: QCollapsible) -> None:
    """Let a card fold at once, and stand flush with its neighbours."""
    card.setDuration(0)
    card.setExpandedIcon("\u25be")
    card.setCollapsedIcon("\u25b8")
    for layout in (card.layout(), card.content().layout()):
        layout.setContentsMargins(0, 0, 0, 0)


def _proposal(piece: Piece) -> str:
    return "" if piece.confirmed else ". This is a proposal: choose to confirm it"
