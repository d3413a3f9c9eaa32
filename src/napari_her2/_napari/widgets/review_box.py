"""Step 6: the reader's own word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from napari_her2._napari.blind import HIDDEN
from napari_her2._napari.widgets.parts import Section, label

if TYPE_CHECKING:
    from napari_her2._napari.session import Session

__all__ = ["ReviewBox"]


class ReviewBox(Section):
    """Opens the queue of fields; the signature follows there."""

    queue_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("6  Review")
        self.words = label("", "small", wrap=True)
        self.queue_button = QPushButton("Open the review queue")
        self.queue_button.setToolTip("Fields ordered by how much they could change the call; sign there")
        self.queue_button.clicked.connect(self.queue_wanted)
        self.body.addWidget(self.words)
        self.body.addWidget(self.queue_button)

    def show_session(self, session: Session) -> None:
        """Show whether the case is signed."""
        done = session.finished is not None
        self.queue_button.setEnabled(done)
        signed = f"Signed {session.signed}." if session.signed else "Not signed yet."
        signed = HIDDEN if session.unread is not None else signed
        self.words.setText(signed if done else "Score the case first.")
