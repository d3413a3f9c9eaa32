"""The review: fields in order, verdicts, the score that follows, the signature. No Qt.

All that is read or written happens in the background; verdicts are on disk before the next field is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_her2._napari.faint import PICTURE_UM, FaintPicture, judge_faint
from napari_her2._napari.live import read_live
from napari_her2._napari.session import Message
from napari_her2._napari.signing import judge_field, sign
from napari_her2._napari.viewing import zoom_of
from napari_her2.errors import Her2Error
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2._napari.controller import Jobs, ScoreController
    from napari_her2._napari.faint import FaintCell
    from napari_her2._napari.live import LiveScore
    from napari_her2._napari.session import OpenSlide
    from napari_her2._napari.signing import Signature
    from napari_her2.events import Steps
    from napari_her2.mapping import SlideMapping
    from napari_her2.review import Field

__all__ = ["FieldPicture", "ReviewControl"]

PICTURE_PX = 120


@dataclass(frozen=True, slots=True, eq=False)
class FieldPicture:
    """A field on both slides, (rows, cols, 3) uint8 each; ``he`` is None without an H&E."""

    number: int
    ihc: NDArray[np.uint8]
    he: NDArray[np.uint8] | None


class ReviewControl:
    """Leads a reader through the fields of a case.

    Parameters
    ----------
    controller : ScoreController
    jobs : Jobs
        Its own; verdicts are written in the order in which they were given.
    """

    pictured = Signal(object)
    """A :class:`FieldPicture` or :class:`FaintPicture` is there; on the window's thread."""

    def __init__(self, controller: ScoreController, jobs: Jobs) -> None:
        self.controller, self.session = controller, controller.session
        self._jobs = jobs
        self._ish: dict[str, Any] | None = None
        self._wanted = False
        self._closed = False
        self.faint_shown = 0
        self.session.events.result.connect(self.refresh)

    @property
    def queue(self) -> tuple[Field, ...]:
        """The fields, the weightiest first."""
        return () if self.session.live is None else self.session.live.queue

    @property
    def field(self) -> Field | None:
        """The field that is shown."""
        return next((field for field in self.queue if field.number == self.session.field), None)

    @property
    def progress(self) -> tuple[int, int]:
        """How many fields have a verdict, of how many."""
        live = self.session.live
        return (0, 0) if live is None else (live.verdicts.seen(live.queue), len(live.queue))

    def refresh(self, *_: Any) -> None:
        """Count the case anew with all that was said."""
        result = self.session.result
        if result is not None and not self._closed:
            folder, reader, ish = result.folder, self.session.reader, self._ish
            self._start(lambda: read_live(folder, reader, ish), self._counted)

    def give_ish(self, ish: dict[str, Any] | None) -> None:
        """Take what ISH found; the HER2 status follows, also of the next run."""
        self._ish = ish or None
        self.controller.change(ish=tuple(sorted((ish or {}).items())))
        self.refresh()

    def go(self, number: int) -> None:
        """Show a field, so that it fills the view."""
        field = next((field for field in self.queue if field.number == number), None)
        um = self.session.ihc.um_per_px if self.session.ihc is not None else None
        if field is None or um is None:
            return
        rows, cols = self.controller.canvas.viewer.canvas.size
        zoom = 0.9 * min(rows, cols) / (field.side_px * um)
        row, col = field.centre_px
        self.session.field = number
        self.controller.canvas.go((row * um, col * um), zoom)

    def step(self, by: int) -> None:
        """Show the next or previous field."""
        numbers = [field.number for field in self.queue]
        if numbers:
            now = self.session.field
            at = numbers.index(now) + by if now in numbers else 0
            self.go(numbers[min(max(at, 0), len(numbers) - 1)])

    @property
    def faint(self) -> tuple[FaintCell, ...]:
        """The faintest stained cells, where null or ultralow is open."""
        return () if self.session.live is None else self.session.live.faint

    def go_faint(self, number: int) -> None:
        """Show one of the faintest cells at 40 times."""
        cell = next((cell for cell in self.faint if cell.number == number), None)
        um = self.session.ihc.um_per_px if self.session.ihc is not None else None
        if cell is not None and um is not None:
            self.faint_shown = number
            self.controller.canvas.go((cell.row_px * um, cell.col_px * um), zoom_of(40.0))

    def next_faint(self) -> None:
        """Show the next of them; after the last the first again."""
        if self.faint:
            self.go_faint(self.faint_shown % len(self.faint) + 1)

    def judge_faint(self, stained: bool) -> None:
        """Say whether the membrane of the cell that is shown is stained at all, and go on."""
        cell = next((cell for cell in self.faint if cell.number == self.faint_shown), None)
        result = self.session.result
        if cell is not None and result is not None:
            folder, reader = result.folder, self.session.reader
            self._start(lambda: judge_faint(folder, cell, stained, reader), lambda _: self.refresh())
            self.next_faint()

    def judge(self, verdict: str, comment: str = "") -> None:
        """Say something of the field that is shown, and go on unless it is a comment."""
        field, result = self.field, self.session.result
        if field is None or result is None:
            return
        folder, reader = result.folder, self.session.reader
        self._start(lambda: judge_field(folder, field, verdict, reader, comment), lambda _: self.refresh())
        if verdict != "comment":
            self.step(1)

    def sign(self, signature: Signature) -> None:
        """Write the reader's own score into the report."""
        finished = self.session.finished
        if finished is not None:
            folder, blind = finished.folder, self.session.blind
            self._start(lambda: sign(folder, replace(signature, blind=blind)), self._signed)

    def close(self) -> None:
        """Hear of nothing any more."""
        self._closed = True
        self.session.events.result.disconnect(self.refresh, missing_ok=True)

    def _counted(self, live: LiveScore) -> None:
        if self._closed or self.session.result is None:
            return
        before, faint, self.session.live = self.queue, self.faint, live
        fresh = [f.centre_px for f in before] != [f.centre_px for f in live.queue]
        if self._wanted and (fresh or len(faint) != len(live.faint)):
            self.make_pictures()

    def make_pictures(self) -> None:
        """Have the fields pictured, now and whenever they change."""
        self._wanted = True
        slides, mapping, queue = (self.session.he, self.session.ihc), self.session.mapping, self.queue
        if queue:
            self._start(lambda: _pictures(slides, mapping, queue), lambda _: None)
        faint = self.faint
        if faint:
            self._start(lambda: _faint_pictures(slides[1], faint), lambda _: None)

    def _signed(self, report: Any) -> None:
        self.session.signed = report.final.score or "not scorable"
        if self.session.unread is not None:
            self.controller.blind.reveal(report)
            program = report.call.score or "not scorable"
            self.session.message = Message(
                f"Signed {self.session.signed} by {report.reader.reader}; the program says {program}. "
                "To change your mind, sign again."
            )
            return
        self.session.message = Message(f"Signed {self.session.signed} by {report.reader.reader}; sealed.")

    def _start(self, make: Callable[[], Steps[Any]], done: Callable[[Any], None]) -> None:
        self._jobs.start(make, event=self._event, result=done, error=self._say, end=_nothing)

    def _event(self, event: Any) -> None:
        if isinstance(event, FieldPicture | FaintPicture) and not self._closed:
            self.pictured.emit(event)

    def _say(self, error: BaseException) -> None:
        known = isinstance(error, Her2Error)
        text = str(error) if known else f"Something went wrong inside ({type(error).__name__}: {error})"
        self.session.message = Message(text[:500], "error")


def _nothing() -> None:
    """Nothing is left to do."""


def _pictures(
    slides: tuple[OpenSlide | None, OpenSlide | None],
    mapping: SlideMapping | None,
    queue: Sequence[Field],
) -> Steps[None]:
    """Yield a :class:`FieldPicture` of each field."""
    he, ihc = slides
    if ihc is None:
        return
    for field in queue:
        box = Box(round(field.row_px), round(field.col_px), round(field.side_px), round(field.side_px))
        on_ihc = _picture(ihc, box)
        on_he = None
        if he is not None and mapping is not None:
            from napari_her2.mapping import carry_box

            on_he = _picture(he, carry_box(mapping, box, "ihc"))
        yield FieldPicture(field.number, on_ihc, on_he)  # type: ignore[misc]


def _faint_pictures(ihc: OpenSlide | None, faint: Sequence[FaintCell]) -> Steps[None]:
    """Yield a :class:`FaintPicture` of each of the faintest cells."""
    if ihc is None:
        return
    side = round(PICTURE_UM / (ihc.um_per_px or 1.0))
    for cell in faint:
        corner = round(cell.row_px - side / 2), round(cell.col_px - side / 2)
        yield FaintPicture(cell.number, _picture(ihc, Box(*corner, side, side)))  # type: ignore[misc]


def _picture(slide: OpenSlide, box: Box) -> NDArray[np.uint8]:
    source: Any = slide.pyramid.source
    um = max(box.height, box.width) * (slide.um_per_px or 1.0) / PICTURE_PX
    found: NDArray[np.uint8] = source.slide.read_at(box, max(um, slide.um_per_px or 1.0))
    return found
