"""What happens when the person does something; no Qt, so that tests need none.

The controller starts background jobs, and moves their results into the session and onto the canvas.
It touches session and canvas on the window's thread only.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from napari_her2._napari import opening
from napari_her2._napari.blind import BlindReading
from napari_her2._napari.case_view import load_case
from napari_her2._napari.pipette import Pipette
from napari_her2._napari.progress import RunProgress, advance
from napari_her2._napari.running import CaseRun
from napari_her2._napari.session import Message, OpenSlide, RunSettings, Session
from napari_her2._napari.tumour import TumourControl
from napari_her2.errors import Her2Error, UsageError
from napari_her2.events import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_her2._napari.canvas import CaseCanvas
    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.preferences import Preferences
    from napari_her2._napari.preparing import Prepared
    from napari_her2._napari.refitting import Refit
    from napari_her2._napari.session import SlideRole
    from napari_her2._napari.tiles import TileLoader
    from napari_her2.events import Event, Steps

    _Opened = tuple[CaseView, dict[SlideRole, OpenSlide], list[str]]

__all__ = ["Job", "Jobs", "ScoreController"]

T = TypeVar("T")

ROLES: tuple[SlideRole, ...] = ("he", "ihc")


class Job(Protocol):
    """Work in the background."""

    def quit(self) -> None:
        """Ask it to stop at its next step."""


class Jobs(Protocol):
    """Starts work in the background; the callbacks come on the window's thread."""

    def start(
        self,
        make: Callable[[], Steps[T]],
        *,
        event: Callable[[Event], None],
        result: Callable[[T], None],
        error: Callable[[BaseException], None],
        end: Callable[[], None],
    ) -> Job:
        """Run a generator of events; ``end`` always comes last, ``result`` not after ``quit``."""


class ScoreController:
    """Opens slides and cases, runs the pipeline, shows the result.

    Parameters
    ----------
    session : Session
    canvas : CaseCanvas
    jobs : Jobs
    loader : TileLoader
        Decodes the tiles of the slides it opens.
    preferences : Preferences
    """

    def __init__(
        self, session: Session, canvas: CaseCanvas, jobs: Jobs, loader: TileLoader, preferences: Preferences
    ) -> None:
        self.session, self.canvas = session, canvas
        self._jobs, self._loader, self._preferences = jobs, loader, preferences
        self._job: Job | None = None
        self._turn = 0
        self._new_folder: Path | None = None
        self._closed = False
        self.tumour, self.pipette = TumourControl(session, canvas), Pipette(session, canvas)
        session.settings = RunSettings(rule=preferences.rule)
        self.blind = BlindReading(self, wanted=preferences.blind_first)

    def open(self, paths: Sequence[Path], folder: Path | None = None) -> None:
        """Open one or two slides, a picture, or the folder of a case; a new case goes into ``folder``."""
        if not self._free():
            return
        self._new_folder = folder
        if len(paths) == 1 and (paths[0] / "case.json").is_file():
            self.open_case(paths[0])
            return
        self._start(lambda: opening.open_slides(paths, self._loader), self._opened, "opening")

    def open_case(self, folder: Path) -> None:
        """Open a finished case with its slides, as far as they are found."""
        if self._free():
            self._start(lambda: self.load(folder), self.take, "opening")

    def adopt(self) -> None:
        """Take over slides or a case that the reader has opened already."""
        about, known = self.canvas.adopt()
        if "case" in about:
            folder = Path(about["case"])
            self._start(lambda: self.load(folder, known), self.take, "opening")
        elif 1 <= len(known) <= len(ROLES):
            paths = [Path(path) for path in known]
            self._start(lambda: opening.open_slides(paths, self._loader, known), self._opened, "opening")

    def toggle_overlays(self) -> None:
        """Hide the overlays, or show them again."""
        self.canvas.toggle_overlays()

    def toggle_stain(self) -> None:
        """Show the H&E in the place of the IHC, and back."""
        self.canvas.toggle_stain()
        self.session.arrangement, self.session.blend = self.canvas.arrangement

    def tile_failed(self, pyramid: object, error: BaseException) -> None:
        """Say that a part of a slide cannot be read."""
        if any(
            slide is not None and slide.pyramid is pyramid for slide in (self.session.he, self.session.ihc)
        ):
            self._say(error)

    def swap(self) -> None:
        """Exchange H&E and IHC."""
        if not self._free():
            return
        self._clear_case()
        self.session.he, self.session.ihc = self.session.ihc, self.session.he
        self.canvas.swap()
        self._suggest_folder()

    def close_slide(self, role: SlideRole) -> None:
        """Take one slide out of the case."""
        if self._free():
            self._clear_case()
            self.canvas.remove(role)
            self._put(role, None)
            self.canvas.arrange()

    def give_um_per_px(self, role: SlideRole, um_per_px: float) -> None:
        """Set the pixel size of a slide that states none."""
        slide = self._slide(role)
        if slide is None or not self._free():
            return
        try:
            self._set(role, opening.with_um_per_px(slide, um_per_px))
        except UsageError as error:
            self._say(error)
            return
        self.canvas.rescale(role, um_per_px)
        self.session.message = None

    def change(self, **settings: Any) -> None:
        """Change settings of the run."""
        self.session.settings = replace(self.session.settings, **settings)

    def confirm_tumour(self) -> None:
        """Take the proposed area as it is; a case that is scored is scored anew with it."""
        if self._free():
            self.tumour.confirm()
            if self.session.result is not None:
                self.run()

    def run(self) -> None:
        """Score the open case."""
        run = self._case_run()
        if run is not None:
            self.clear_result()
            self._start(run, self.show_case, "running")

    def align(self) -> None:
        """Bring the slides together and propose the tumour area, without measuring cells."""
        run = self._case_run()
        if run is not None:
            self.clear_result()
            self._start(run.prepare, self._prepared, "aligning")

    def _case_run(self) -> CaseRun | None:
        """Return what to run; None where it cannot start, which the person is told."""
        session = self.session
        self.tumour.drawn()
        if session.why_not is not None or session.ihc is None:
            session.message = Message(session.why_not or "", "warning")
            return None
        return CaseRun(
            ihc=session.ihc,
            he=session.he,
            folder=session.settings.case_folder or opening.default_case_folder(session.ihc.path),
            settings=session.settings,
            rings=self.tumour.rings(),
            preferences=self._preferences,
            mapping=session.mapping,
            landmarks=None if session.refit is None else session.refit.landmarks,
        )

    def remap(self, refit: Refit) -> None:
        """Let all that is carried follow an alignment that was changed; results stay, and are out of date."""
        self.session.refit = refit
        self.canvas.remap(refit.mapping.affine_um, refit.outlines)
        self.tumour.drawn()

    def _prepared(self, prepared: Prepared) -> None:
        if not self._closed:
            self.session.refit = prepared.refit
            self.session.prepared = prepared
            self.canvas.show_prepared(prepared)
            self.tumour.drawn()

    def cancel(self) -> None:
        """Let go of what runs; what is done so far is kept and resumed by the next run.

        The job ends after the step it is in; whatever it still says is not heard any more, and the next
        job begins after it.
        """
        if self._job is not None:
            self._job.quit()
            self._job, self._turn = None, self._turn + 1
            self.session.activity = "idle"
            self.session.message = Message("Stopped. What was finished is kept; run again to go on.")

    def arrange(self, how: Any = None, blend: float | None = None) -> None:
        """Place H&E beside or over the IHC."""
        self.session.arrangement = how or self.session.arrangement
        self.session.blend = self.session.blend if blend is None else blend
        self.canvas.arrange(how, blend)

    def close(self) -> None:
        """Stop, and leave the viewer as it was."""
        self._closed = True
        self.canvas.close()
        self.halt()

    def halt(self) -> None:
        """Stop, and release the slides; for when there is no viewer any more."""
        self._closed = True
        self._turn += 1
        if self._job is not None:
            self._job.quit()
        for slide in (self.session.he, self.session.ihc):
            if slide is not None:
                slide.pyramid.close()

    def _free(self) -> bool:
        if self.session.busy:
            self.session.message = Message("Something is running: cancel it first.", "warning")
        return not self.session.busy

    def _start(self, make: Callable[[], Steps[T]], done: Callable[[T], None], activity: Any) -> None:
        session = self.session
        session.message, session.progress, session.activity = None, RunProgress(), activity
        self._turn += 1
        heard = partial(_heard, self, self._turn)
        self._job = self._jobs.start(
            make,
            event=partial(heard, self._event),
            result=partial(heard, done),
            error=partial(heard, self._say),
            end=partial(heard, self._end),
        )

    def _event(self, event: Event) -> None:
        self.session.progress = advance(self.session.progress, event, time.monotonic())
        if isinstance(event, Notice):
            self.session.message = Message(event.text)

    def _end(self) -> None:
        self.session.activity, self._job = "idle", None

    def _say(self, error: BaseException) -> None:
        known = isinstance(error, Her2Error)
        text = str(error) if known else f"Something went wrong inside ({type(error).__name__}: {error})"
        self.session.message = Message(text[:500], "error")

    def _opened(self, slides: tuple[OpenSlide, ...]) -> None:
        if self._closed:
            opening.close_slides(slides)
            return
        try:
            he, ihc = opening.assign(slides)
        except UsageError as error:
            opening.close_slides(slides)
            self._say(error)
            return
        self._clear_case()
        for role, slide in zip(ROLES, (he, ihc), strict=True):
            if slide is not None:
                self._put(role, slide)
                self.canvas.show_slide(role, slide)
        self._suggest_folder()

    def _put(self, role: Any, slide: OpenSlide | None) -> None:
        """Set a slide and release the one before."""
        before = self._slide(role)
        self._set(role, slide)
        if before is not None and before is not slide:
            self.canvas.remove(role)
            before.pyramid.close()

    def _set(self, role: SlideRole, slide: OpenSlide | None) -> None:
        setattr(self.session, role, slide)

    def _slide(self, role: SlideRole) -> OpenSlide | None:
        return self.session.he if role == "he" else self.session.ihc

    def _suggest_folder(self) -> None:
        ihc = self.session.ihc
        if ihc is not None:
            usual = opening.default_case_folder(ihc.path, self._preferences.case_folder)
            self.change(case_folder=self._new_folder or usual)
            self.blind.covered(self.session.settings.case_folder)

    def clear_result(self) -> None:
        """Forget what a run found, and take it off the canvas."""
        self.session.result = self.session.unread = None
        self.canvas.clear_result()

    def _clear_case(self) -> None:
        """Forget all that was found on the slides before."""
        self.session.refit = None
        self.clear_result()
        self.session.prepared, self.session.signed = None, ""
        self.session.live = self.session.field = None
        self.tumour.forget()

    def show_case(self, view: CaseView) -> None:
        """Show a finished case, or as much of it as this reader may see."""
        if self._closed:
            return
        now = self.session.refit  # pairs set while the case was read blind are newer than the view
        self.session.refit = now if now is not None and now.ground.mapping is view.mapping else view.refit
        if not self.blind.covers(view):
            self.session.live, word = None, view.report.reader
            self.session.signed = "" if word is None else word.score or "not scorable"
            rule = view.report.call.rule.name  # a case keeps its guideline until a person chooses another
            self.session.settings = replace(self.session.settings, forget_area=False, rule=rule)
            self.session.result = view
            self.canvas.show_result(view)
            self.tumour.drawn()
        refit = self.session.refit
        if refit is not None and refit.changed:
            self.remap(refit)

    def load(self, folder: Path, known: opening.Known = opening.NONE) -> Steps[_Opened]:
        """Read a finished case and open its slides, for :meth:`take`; for a background thread."""
        view = yield from load_case(folder, cell_limit=self._preferences.cell_limit)
        slides: dict[Any, OpenSlide] = {}
        missing: list[str] = []
        for place in view.slides:
            if place.role not in ROLES:
                continue
            if place.path is None:
                missing.append(place.name)
            else:
                slide = opening.open_for_window(place.path, self._loader, known.get(place.role))
                slides[place.role] = (
                    slide if slide.um_per_px else opening.with_um_per_px(slide, place.um_per_px)
                )
        return view, slides, missing

    def take(self, opened: _Opened) -> None:
        """Show a case that :meth:`load` has read."""
        view, slides, missing = opened
        if self._closed:
            opening.close_slides(slides.values())
            return
        self._clear_case()
        for role in ROLES:
            self._put(role, slides.get(role))
            if role in slides:
                self.canvas.show_slide(role, slides[role])
        self.change(case_folder=view.folder)
        self.show_case(view)
        if missing:
            names = " and ".join(missing)
            self.session.message = Message(f"{names} not found: put it beside the case's folder.", "warning")


def _heard(controller: ScoreController, turn: int, tell: Callable[..., None], *what: Any) -> None:
    """Pass on what a job says, unless it was let go of; slides that it opened in vain are closed."""
    if turn == controller._turn:
        tell(*what)
        return
    opening.close_slides(opening.slides_in(what))
