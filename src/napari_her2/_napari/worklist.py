"""What happens in the worklist: open the list, go from case to case, keep comments and views. No Qt.

Files are read and written in the background; the next case is read while the present one is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2._napari.blind import is_asked
from napari_her2._napari.session import Message, OpenSlide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2._napari.controller import Jobs, ScoreController
    from napari_her2.case import DeskNote, WorklistCase
    from napari_her2.events import Steps

__all__ = ["Thumbnail", "WorklistControl"]

THUMBNAIL_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A small picture of a case's IHC slide, (rows, cols, 3) uint8."""

    name: str
    rgb: NDArray[np.uint8]


class WorklistControl:
    """Moves the shared case along a list.

    Parameters
    ----------
    controller : ScoreController
    jobs : Jobs
        For files of the desk; apart from those of the case, so that neither waits for the other.
    show_thumbnail : callable
        Gets each :class:`Thumbnail`, on the window's thread.
    """

    def __init__(
        self, controller: ScoreController, jobs: Jobs, show_thumbnail: Callable[[Thumbnail], None]
    ) -> None:
        self.controller, self.session = controller, controller.session
        self._jobs, self._show_thumbnail = jobs, show_thumbnail
        self._pending: DeskNote | None = None
        self._ahead: tuple[Path, Any] | None = None
        self._running: list[Any] = []
        self._closed = False
        self.session.events.activity.connect(self._activity_changed)
        self.session.events.result.connect(self._refresh_current)
        self.session.events.signed.connect(self._refresh_current)

    @property
    def current(self) -> WorklistCase | None:
        """The case that is open."""
        named = (case for case in self.session.cases if case.name == self.session.case_name)
        return next(named, None)

    def hides(self, case: WorklistCase) -> bool:
        """Whether this reader is to read a case before its call is shown."""
        return not case.note.signed and is_asked(case.folder, wanted=self.controller.blind.wanted)

    def open(self, path: Path) -> None:
        """Open a folder, a manifest or a cohort as the list."""
        self._start(lambda: _read(path, self.session.reader), self._opened)

    def go(self, name: str) -> None:
        """Open a case of the list; the view of the one before is kept."""
        case = next((case for case in self.session.cases if case.name == name), None)
        if case is None or self.session.busy:
            return
        self.leave()
        self.session.case_name, self._pending = case.name, case.note
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == case.folder:
            self.controller.take(ahead[1])
            self._activity_changed("idle")
            return
        _close_slides(ahead)
        if (case.folder / "report.json").is_file() or not case.slides:
            self.controller.open_case(case.folder)
        else:
            self.controller.open(case.slides, folder=case.folder)

    def step(self, by: int, order: Sequence[str] | None = None) -> None:
        """Go on or back; ``order`` is the list as it is sorted and filtered on the screen."""
        from napari_her2.case import neighbour

        by_name = {case.name: case for case in self.session.cases}
        cases = list(by_name.values()) if order is None else [by_name[name] for name in order]
        case = neighbour(cases, self.session.case_name, by)
        if case is None:
            self.session.message = Message("This is the last case." if by > 0 else "This is the first case.")
        else:
            self.go(case.name)

    def comment(self, name: str, text: str) -> None:
        """Keep a comment of this reader."""
        self._note(name, comment=text)

    def leave(self) -> None:
        """Keep the view of the case that is open."""
        case = self.current
        if case is not None and self.session.ihc is not None:
            centre, zoom = self.controller.canvas.view()
            self._note(case.name, centre_um=centre, zoom=zoom)

    def close(self) -> None:
        """Keep the view, stop, and let go of what was read ahead."""
        self.leave()
        self._closed = True
        for name in ("activity", "result", "signed"):
            slot = self._activity_changed if name == "activity" else self._refresh_current
            getattr(self.session.events, name).disconnect(slot, missing_ok=True)
        _close_slides(self._ahead)
        self._ahead = None

    def _note(self, name: str, **changes: Any) -> None:
        case = next(case for case in self.session.cases if case.name == name)
        note = replace(case.note, **changes)
        if note != case.note:
            self._replace(replace(case, note=note))
            self._start(lambda: _keep(case.folder, self.session.reader, note), lambda _: None)

    def _replace(self, case: WorklistCase) -> None:
        self.session.cases = tuple(case if old.name == case.name else old for old in self.session.cases)

    def _opened(self, cases: tuple[WorklistCase, ...]) -> None:
        self.session.case_name, self.session.cases = None, cases
        self._start(lambda: _thumbnails(cases), lambda _: None)

    def _refresh_current(self, *_: Any) -> None:
        """Show what became of the case: read from its folder in the background."""
        case, reader = self.current, self.session.reader
        if case is not None and not self._closed:
            self._start(lambda: _again(case, reader), self._refreshed)

    def _refreshed(self, case: WorklistCase) -> None:
        now = next((old for old in self.session.cases if old.name == case.name), None)
        if now is not None:
            self._replace(replace(case, note=now.note))

    def _activity_changed(self, activity: str) -> None:
        case = self.current
        if case is not None:
            self._replace(replace(case, state="running") if activity == "running" else case)
        if activity == "idle" and self._pending is not None and self.session.ihc is not None:
            note, self._pending = self._pending, None
            if note.centre_um is not None and note.zoom is not None:
                self.controller.canvas.go(note.centre_um, note.zoom)
            self._read_ahead()

    def _read_ahead(self) -> None:
        from napari_her2.case import is_case, neighbour

        following = neighbour(self.session.cases, self.session.case_name, 1)
        if following is None or not is_case(following.folder) or self._ahead is not None:
            return
        folder = following.folder
        self._start(lambda: self.controller.load(folder), lambda opened: self._keep_ahead(folder, opened))

    def _keep_ahead(self, folder: Path, opened: Any) -> None:
        self._ahead = folder, opened
        if self._closed:
            _close_slides(self._ahead)
            self._ahead = None

    def _start(self, make: Callable[[], Steps[Any]], done: Callable[[Any], None]) -> None:
        self._jobs.start(make, event=self._event, result=done, error=self._say, end=_nothing)

    def _event(self, event: Any) -> None:
        if isinstance(event, Thumbnail) and not self._closed:
            self._show_thumbnail(event)

    def _say(self, error: BaseException) -> None:
        self.session.message = Message(str(error)[:500], "error")


def _nothing() -> None:
    """Nothing is left to do."""


def _close_slides(ahead: tuple[Path, Any] | None) -> None:
    if ahead is not None:
        _, (_, slides, _) = ahead
        for slide in slides.values():
            if isinstance(slide, OpenSlide):
                slide.pyramid.close()


def _read(path: Path, reader: str) -> Steps[tuple[WorklistCase, ...]]:
    from napari_her2.case import open_worklist

    yield from ()
    return open_worklist(path, reader=reader)


def _again(case: WorklistCase, reader: str) -> Steps[WorklistCase]:
    from napari_her2.case import refreshed

    yield from ()
    return refreshed(case, reader)


def _keep(folder: Path, reader: str, note: DeskNote) -> Steps[None]:
    from napari_her2.case import write_note

    yield from ()
    write_note(folder, reader, note)


def _thumbnails(cases: Sequence[WorklistCase]) -> Steps[None]:
    """Yield a :class:`Thumbnail` of each case whose IHC slide is found and can be read."""
    from napari_her2.errors import Her2Error
    from napari_her2.slides import open_slide

    for case in cases:
        try:
            path = case.ihc or _slide_of(case.folder)
            if path is not None:
                with open_slide(path) as slide:
                    yield Thumbnail(case.name, slide.thumbnail(THUMBNAIL_PX))  # type: ignore[misc]
        except Her2Error:
            continue


def _slide_of(folder: Path) -> Path | None:
    """Return where the IHC slide of a finished case lies."""
    from napari_her2.case import CaseFiles, CaseSlide, find_slide
    from napari_her2.errors import CaseError
    from napari_her2.store import read_json

    try:
        slides = [CaseSlide(**slide) for slide in read_json(CaseFiles(folder).manifest)["slides"]]
    except (CaseError, KeyError, TypeError):
        return None
    return next((find_slide(slide, folder) for slide in slides if slide.role == "ihc"), None)
