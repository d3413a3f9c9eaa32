"""Step 2: H&E and IHC brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton

from napari_her2._napari.widgets.parts import Section, label, shown

if TYPE_CHECKING:
    from napari_her2._napari.progress import RunProgress
    from napari_her2._napari.session import Session

__all__ = ["AlignBox"]

BAR_STEPS = 1000


class AlignBox(Section):
    """Runs the alignment, says how good it is, and opens the linked view."""

    started = Signal()
    cancelled = Signal()
    linked = Signal()

    def __init__(self) -> None:
        super().__init__("2  Align")
        self.words = label("", "small", wrap=True)
        self.run_button, self.cancel_button = QPushButton("Align"), QPushButton("Cancel")
        self.run_button.setObjectName("primary")
        self.run_button.setToolTip(
            "Finds where each place of the H&E lies on the IHC, how exact that is, and where tumour may be; "
            "kept in the case's folder, so that scoring goes on from it"
        )
        self.link_button = QPushButton("Linked view")
        self.link_button.setToolTip(
            "H&E in a canvas of its own that follows the IHC, and the other way round"
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.run_button.clicked.connect(self.started)
        self.cancel_button.clicked.connect(self.cancelled)
        self.link_button.clicked.connect(self.linked)
        line = QHBoxLayout()
        for button in (self.run_button, self.cancel_button, self.link_button):
            line.addWidget(button)
        self.body.addWidget(self.words)
        self.body.addWidget(self.bar)
        self.body.addLayout(line)

    def show_session(self, session: Session) -> None:
        """Show how well the slides fit."""
        pair = session.he is not None and session.ihc is not None
        aligning = session.activity == "aligning"
        self.words.setText(_words(session))
        self.run_button.setText("Align" if session.mapping is None else "Align again")
        self.run_button.setVisible(pair and not aligning)
        self.run_button.setEnabled(session.why_not is None)
        self.link_button.setVisible(pair)
        self.cancel_button.setVisible(aligning)
        self.show_progress(session.progress, session.activity)

    def show_progress(self, progress: RunProgress, activity: str) -> None:
        """Show how far the alignment is."""
        self.bar.setVisible(activity == "aligning")
        if activity == "aligning":
            fraction = progress.fraction
            self.bar.setRange(0, 0 if fraction is None else BAR_STEPS)
            self.bar.setValue(round((fraction or 0) * BAR_STEPS))
            shown(self.words, progress.headline)


def _words(session: Session) -> str:
    if session.he is None or session.ihc is None:
        return "With the IHC alone there is nothing to align." if session.ihc else "Open both slides first."
    mapping = session.mapping
    if mapping is None:
        return "Not aligned yet. Scoring aligns as well; align now to see the slides linked."
    mirrored = ", one slide is face down" if mapping.mirrored else ""
    pairs = "" if session.refit is None else _pair_words(len(session.refit.landmarks), session.outdated)
    return (
        f"{mapping.kind.capitalize()}{mirrored}. Error {mapping.residual_um_p50:.0f} µm in the middle, "
        f"{mapping.residual_um_p90:.0f} µm for nine in ten places; {100 * mapping.overlap_fraction:.0f} % of "
        f"the tissue is on both slides.{pairs}"
    )


def _pair_words(count: int, outdated: bool) -> str:
    pairs = f" Bent through your {count} pair{'s' * (count > 1)}." if count else ""
    return f"{pairs} Changed after scoring: score again." if outdated else pairs
