"""Reading blind first: whether a reader may see what the program says about a case. No Qt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_her2._napari.preparing import Prepared
from napari_her2._napari.session import Message

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.controller import ScoreController
    from napari_her2.case import Report

__all__ = ["HIDDEN", "SHOWN_BLIND", "BlindReading", "has_read", "is_asked", "is_blind"]

HIDDEN: Final = (
    "Read blind first: look at the slides, choose your own score in the review queue and sign. "
    "What the program says is shown then."
)
SHOWN_BLIND: Final = ("ihc", "he", "outline", "outline_he")
"""Keys of layers that say nothing about HER2: the slides, and where the tumour is to be read."""


def is_blind(folder: Path | None, reader: str, *, wanted: bool) -> bool:
    """Whether the program's result of a case is hidden from a reader.

    Parameters
    ----------
    folder : Path or None
        Of the case; None while it has none.
    reader : str
    wanted : bool
        The preference; a study locks it on.
    """
    return is_asked(folder, wanted=wanted) and (folder is None or not has_read(folder, reader))


def is_asked(folder: Path | None, *, wanted: bool) -> bool:
    """Whether a case is to be read blind first: by preference, or because its study says so."""
    from napari_her2.case import find_study

    study = None if wanted or folder is None else find_study(folder)
    return wanted or (study is not None and study.blind_first)


def has_read(folder: Path, reader: str) -> bool:
    """Whether a reader has signed an own score of a case."""
    from napari_her2.review import ReviewLog

    path = folder / "review.jsonl"
    if not reader or not path.is_file():
        return False
    return any(entry.get("who") == reader for entry in ReviewLog(path).of("sign", "reading"))


class BlindReading:
    """Hides a finished case from who has not read it yet, and shows it once they have signed.

    Parameters
    ----------
    controller : ScoreController
    wanted : bool
        The preference.
    """

    def __init__(self, controller: ScoreController, *, wanted: bool) -> None:
        self.controller, self.session, self.wanted = controller, controller.session, wanted
        self.session.events.reader.connect(self.reread)

    def covered(self, folder: Path | None) -> bool:
        """Note whether what the program says of a case is hidden from this reader, and return it."""
        self.session.blind = is_blind(folder, self.session.reader, wanted=self.wanted)
        return self.session.blind

    def covers(self, view: CaseView) -> bool:
        """Show only the slides and where the tumour lies, if this reader is to read first; say whether."""
        self.session.unread = None
        if not self.covered(view.folder):
            return False
        self.controller.clear_result()
        self.session.live = self.session.field = None
        ihc = view.slide("ihc")
        self.session.prepared = Prepared(
            mapping=view.mapping,
            outlines=view.outlines,
            ihc_um_per_px=1.0 if ihc is None else ihc.um_per_px,
        )
        self.session.unread = view
        self.controller.canvas.show_prepared(self.session.prepared)
        self.session.message = Message(HIDDEN)
        return True

    def reread(self, *_: Any) -> None:
        """Hide or show the result, as the reader who sits there now may see it."""
        view, was = self.session.finished, self.session.unread is not None
        if view is None:
            self.covered(self.session.settings.case_folder)
        elif self.covered(view.folder) != was:
            self.controller.show_case(view)

    def reveal(self, report: Report) -> None:
        """Show what was hidden, now that the reader has signed."""
        view = self.session.unread
        if view is not None:
            self.controller.show_case(replace(view, report=report))
