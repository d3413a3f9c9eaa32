"""Step 3: which area counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_her2._napari.roi import AREA_CLASSES
from napari_her2._napari.widgets.parts import Section, label

if TYPE_CHECKING:
    from napari_her2._napari.session import Session

__all__ = ["TumourBox"]

DRAW = {
    "Tumor": ("Tumour", "Draw invasive tumour, on the IHC or on the H&E: it counts, and only it"),
    "In situ": ("In situ", "Draw carcinoma in situ inside your area: its cells are left out"),
    "Necrosis": ("Necrosis", "Draw necrosis or an artefact inside your area: its cells are left out"),
}


class TumourBox(Section):
    """Confirm the proposal, edit it, or draw."""

    drawn = Signal(str)
    edited = Signal()
    confirmed = Signal()
    cleared = Signal()

    def __init__(self) -> None:
        super().__init__("3  Tumour")
        self.words = label("", "small", wrap=True)
        self.confirm_button, self.edit_button = QPushButton("Confirm"), QPushButton("Edit")
        self.confirm_button.setObjectName("primary")
        self.confirm_button.setToolTip(
            "I have looked at the green outline and agree; a case that is scored is scored anew"
        )
        self.edit_button.setToolTip(
            "Copies the outline into the layer “tumour”: move corners, or take areas away"
        )
        self.clear_button = QPushButton("Clear")
        self.clear_button.setToolTip("Take back what was drawn or confirmed")
        self.draw_buttons = {name: QPushButton(DRAW[name][0]) for name in AREA_CLASSES}
        for name, button in self.draw_buttons.items():
            button.setToolTip(f"{DRAW[name][1]}. Click for corners, double-click to finish.")
            button.clicked.connect(lambda _=False, name=name: self.drawn.emit(name))
        self.button = self.draw_buttons[AREA_CLASSES[0]]
        self.confirm_button.clicked.connect(self.confirmed)
        self.edit_button.clicked.connect(self.edited)
        self.clear_button.clicked.connect(self.cleared)
        self._lay_out()

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        for button, stretch in ((self.confirm_button, 2), (self.edit_button, 1), (self.clear_button, 1)):
            first.addWidget(button, stretch)
        second.addWidget(label("Draw", "small"))
        for button in self.draw_buttons.values():
            second.addWidget(button, 1)
        self.body.addWidget(self.words)
        self.body.addLayout(first)
        self.body.addLayout(second)

    def show_session(self, session: Session) -> None:
        """Show whose area it is."""
        tumour, free = session.tumour, session.ihc is not None and not session.busy
        self.words.setText(_words(session))
        proposal = bool(session.outlines) and not tumour.rings and not session.area_kept
        self.confirm_button.setEnabled(free and proposal)
        self.edit_button.setEnabled(free and bool(session.outlines))
        self.clear_button.setEnabled(free and bool(tumour.rings or tumour.left_out or session.area_kept))
        for name, button in self.draw_buttons.items():
            button.setEnabled(free and (name == AREA_CLASSES[0] or bool(tumour.rings)))


def _words(session: Session) -> str:
    tumour = session.tumour
    if tumour.rings:
        less = f" less {tumour.left_out} area{'s' * (tumour.left_out > 1)}" if tumour.left_out else ""
        areas = f"{tumour.rings} area{'s' * (tumour.rings > 1)}"
        return f"Yours: {areas}{less}, {tumour.mm2:.2f} mm². This is what is scored."
    if session.area_kept:
        return "The green outline is the area that a person confirmed; every new score takes it again."
    if session.settings.forget_area and session.result is not None:
        return "Cleared. Score again: the program then proposes an area anew."
    if session.outlines:
        return (
            "The green outline is the program's proposal. The score stays provisional until you confirm it."
        )
    if session.he is not None:
        return "Align or score first: the program then proposes an area. Or draw it now."
    return "Without H&E all tissue counts. Draw the invasive tumour to say what does."
