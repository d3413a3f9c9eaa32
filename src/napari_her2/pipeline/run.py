"""One run on one case's folder: open slides, a plan, a lock, stages that are done once."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from napari_her2 import __version__
from napari_her2.case import CaseFiles, StageStore, key_of, read_case, remember_slide, seal_of
from napari_her2.cells import CellSettings
from napari_her2.errors import CaseError, SlideError, UsageError
from napari_her2.events import StageDone
from napari_her2.pipeline.choosing import checkers_of, first, models_of
from napari_her2.pipeline.corrections import Corrections
from napari_her2.pipeline.engine import ENGINE_VERSION
from napari_her2.pipeline.memory import (
    FILES,
    entered_wishes,
    keep_inputs,
    of_this_slide,
    plain_wishes,
    record_file,
    record_of,
)
from napari_her2.pipeline.plan import SOURCES, FileFacts, Plan, SlideFacts, resolve
from napari_her2.pipeline.request import Wishes, read_preferences
from napari_her2.pipeline.standing import standing_report
from napari_her2.pipeline.whites import borrow_white
from napari_her2.review import ReviewLog
from napari_her2.slides import Slide, describe, given_white, open_slide
from napari_her2.store import FolderLock, read_json, sha256_of, writable_folder, write_json
from napari_her2.threads import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_her2.case import Report
    from napari_her2.events import Steps
    from napari_her2.models import ModelEntry
    from napari_her2.pipeline.asking import Asked
    from napari_her2.pipeline.request import CaseRequest

__all__ = ["Run", "open_run"]

T = TypeVar("T")
PICTURE: Final = "field"


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """What the stages of one run share.

    Attributes
    ----------
    plan : Plan
    ihc, he : Slide
        Open while the run lasts.
    files : CaseFiles
        Of the case's folder, which is locked while the run lasts.
    paths : mapping of str to Path
        The files among the settings, by name of the setting.
    models : mapping of str to ModelEntry
        The models that judge the whole area, by name of the setting; only with the transformer engine.
    checkers : mapping of str to ModelEntry
        The models that look at a sample beside the cells, by name of the setting; only with ``auto``.
    unchecked : str
        Why nobody looks beside the cells; empty where somebody does.
    entered : Wishes
        What was entered for this case, now or before.
    finished : Report or None
        The report of an equal run that was finished before, or one that people vouched for.
    notices : list of str
        What a person should read about the run before it goes on.
    started : str
        ISO 8601, UTC.
    seconds : dict
        How long each stage took, when it ran.
    cell_settings : CellSettings
        Thresholds of the cell engine; the usual ones unless control tissue sets them.
    said : Corrections
        What people said about the case; empty where it is not to be used.
    spare_cores : int
        Cores that are left to others, as to an open window.
    asked : dict
        What each model that took part was asked, and whether it knew such patches, by name of the setting.
    """

    plan: Plan
    ihc: Slide
    he: Slide | None
    files: CaseFiles
    paths: Mapping[str, Path]
    entered: Wishes
    models: Mapping[str, ModelEntry] = field(default_factory=dict)
    checkers: Mapping[str, ModelEntry] = field(default_factory=dict)
    unchecked: str = ""
    finished: Report | None = None
    notices: list[str] = field(default_factory=list)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: dict[str, float] = field(default_factory=dict)
    cell_settings: CellSettings = field(default_factory=CellSettings)
    said: Corrections = field(default_factory=Corrections)
    spare_cores: int = 0
    asked: dict[str, Asked] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> StageStore:
        """Where stages are kept."""
        return StageStore(self.files.stages)

    @property
    def own_threads(self) -> int:
        """Threads of the classical estimates and the cell engine: as many as cores may be used."""
        return max(cores() - self.spare_cores, 1)

    def key(self, stage: str, needs: Sequence[str], facts: Mapping[str, Any]) -> str:
        """Return the key of a stage: what it needs and the facts it depends on; remember it for others."""
        upstream = {name: self._keys[name] for name in needs}
        made_by = {"version": __version__, "engine": ENGINE_VERSION}
        self._keys[stage] = key_of({"stage": stage, "needs": upstream, **facts, **made_by})
        return self._keys[stage]

    def stage(
        self, name: str, work: Callable[[], Steps[T]], *, needs: Sequence[str] = (), **facts: Any
    ) -> Steps[T]:
        """Do a stage, or take its stored result if all that it depends on is unchanged.

        Parameters
        ----------
        name : str
        work : callable
            Gives the steps that make the result.
        needs : sequence of str
            Earlier stages whose results go in.
        **facts
            Settings and slides that go in.
        """
        key = self.key(name, needs, facts)
        stored = self.store.load(name, key)
        if stored is None:
            stored = yield from self._make(name, key, work)
        else:
            self.seconds[name] = self.store.seconds(name, key)
            yield StageDone(name, self.seconds[name], reused=True)
        result: T = stored[0]
        return result

    def _make(self, name: str, key: str, work: Callable[[], Steps[T]]) -> Steps[tuple[T]]:
        began = perf_counter()
        made = yield from work()
        self.seconds[name] = round(perf_counter() - began, 3)
        self.store.save(name, key, (made,))
        self.store.finish(name, key, self.seconds[name])
        yield StageDone(name, self.seconds[name])
        return (made,)

    def entry(self, setting: str) -> ModelEntry:
        """Return a model that takes part in either way."""
        return self.models[setting] if setting in self.models else self.checkers[setting]

    def model_facts(self, setting: str) -> dict[str, Any]:
        """Return what a stage depends on if it asks this model; nothing where the model takes no part."""
        return self.plan.facts(setting, "device") if setting in self.models else {}

    def took(self, name: str, began: float) -> StageDone:
        """Note the time of a stage that is not stored."""
        self.seconds[name] = round(perf_counter() - began, 3)
        return StageDone(name, self.seconds[name])


@contextmanager
def open_run(request: CaseRequest) -> Iterator[Run]:
    """Open the slides, make the plan, lock the folder; close and unlock in the end.

    Raises
    ------
    Her2Error
        If a slide, a wish or the folder cannot be used; then nothing was written.
    """
    with ExitStack() as stack:
        entered = entered_wishes(request)
        wishes = dict(zip(SOURCES, (request.options, entered, _preferences(request)), strict=True))
        ihc = stack.enter_context(_opened(request.ihc, "ihc", wishes))
        he = None if request.he is None else stack.enter_context(_opened(request.he, "he", wishes))
        ours = of_this_slide(request, ihc.sha256())
        used = ours and first(wishes, "corrections") is not False
        said = _said(request, ihc, he) if used else Corrections()
        if not used:
            drawn = {name: getattr(request.recipe, name) for name in FILES}
            wishes["case"] = replace(entered, **drawn)
            entered = entered if ours else wishes["case"]
        paths = {name: path for name in FILES if (path := first(wishes, name)) is not None}
        models = models_of(wishes, ihc, he, drawn="roi" in paths)
        checkers, unchecked = checkers_of(wishes, ihc)
        plan = _plan(wishes, ihc, he, (paths, {**models, **checkers}), said.key)
        files = CaseFiles(writable_folder(request.out))
        stack.enter_context(FolderLock(files.stages / "lock", files.folder.name))
        entered = replace(entered, **paths)
        run = Run(plan=plan, ihc=ihc, he=he, files=files, paths=paths, models=models, entered=entered)
        run.said, run.spare_cores = said, request.spare_cores
        run.checkers, run.unchecked = checkers, unchecked
        run.finished = _taken_up(run, restart=request.restart)
        yield run


def _opened(path: Path, role: str, wishes: Mapping[str, Wishes]) -> Slide:
    return open_slide(
        path,
        um_per_px=first(wishes, f"um_per_px_{role}"),
        option=f"--um-per-px-{role}",
        white=given_white(first(wishes, f"white_{role}"), f"--white-{role}"),
    )


def _said(request: CaseRequest, ihc: Slide, he: Slide | None) -> Corrections:
    _ = ihc.um_per_px, None if he is None else he.um_per_px
    sha256 = {"ihc": ihc.sha256()} if he is None else {"ihc": ihc.sha256(), "he": he.sha256()}
    return Corrections.read(CaseFiles(request.corrections or request.out), sha256)


def _plan(
    wishes: Mapping[str, Wishes],
    ihc: Slide,
    he: Slide | None,
    parts: tuple[Mapping[str, Path], Mapping[str, ModelEntry]],
    said: str,
) -> Plan:
    paths, models = parts
    if he is not None:
        _ = he.um_per_px  # a missing pixel size is told before long files are hashed
    _ = ihc.um_per_px
    borrow_white(ihc, he)
    facts = _facts(ihc), None if he is None else _facts(he)
    if facts[1] is not None and facts[1].sha256 == facts[0].sha256:
        raise SlideError(
            f"{ihc.name} was given as H&E and as IHC: give two different slides with --he and --ihc"
        )
    files = {name: _file_facts(path) for name, path in paths.items()}
    specs = {name: entry.spec for name, entry in models.items()}
    return resolve(wishes, ihc=facts[0], he=facts[1], files=files, models=specs, said=said)


def _facts(slide: Slide) -> SlideFacts:
    um_per_px = slide.um_per_px
    levels = tuple(describe(slide)["levels"])
    return SlideFacts(
        slide.name, slide.sha256(), um_per_px, slide.format == PICTURE, levels, slide.background
    )


def _file_facts(path: Path) -> FileFacts:
    try:
        return FileFacts(path.name, sha256_of(path))
    except OSError as error:
        raise CaseError(f"{path.name} cannot be read ({error.strerror or error}): check its name") from error


def _preferences(request: CaseRequest) -> Wishes:
    return read_preferences() if request.preferences is None else request.preferences


def _taken_up(run: Run, *, restart: bool) -> Report | None:
    """Check whose folder it is; return the finished report of an equal run, or clear the way for this one."""
    slides: dict[str, str] = {role: slide.sha256 for role, slide in run.plan.slides.items()}
    if restart:
        _keep_work_of_people(run.files, slides["ihc"])
        _forget(run.files)
    else:
        _check_owner(run.files, slides)
    if (report := _finished(run)) is not None:
        return report
    if (report := standing_report(run.files, run.plan, run.said)) is not None:
        run.notices.append(
            f"{run.files.folder.name} was signed or sealed with an earlier engine, and its call stays: "
            '"Start over" (--restart) scores it again.'
        )
        return report
    _refuse_sealed(run.files)
    _withdraw(run.files)
    keep_inputs(run.files, run.entered)
    write_json(record_file(run.files), {"slides": slides, "settings": plain_wishes(run.entered)})
    for slide, facts in ((run.ihc, run.plan.ihc), (run.he, run.plan.he)):
        if slide is not None and facts is not None:
            remember_slide(facts.sha256, slide.path)
    return None


def _check_owner(files: CaseFiles, slides: Mapping[str, str]) -> None:
    """Refuse a folder that holds another case, or files of other programs under our names."""
    record, name = record_of(files), files.folder.name
    if record is not None and record["slides"] != slides:
        raise UsageError(
            f"{name} holds a case of other slides: choose another folder with --out, "
            "or --restart to replace it"
        )
    strangers = [path.name for path in files.results() if path.exists()] if record is None else []
    if strangers:
        raise UsageError(
            f"{name} holds {strangers[0]}, which is not of a case: choose another folder with --out, "
            "or --restart to replace it"
        )


def _refuse_sealed(files: CaseFiles) -> None:
    """Leave a case alone that a person sealed: what they vouched for is replaced on request only."""
    sealed = seal_of(files)
    if sealed:
        by = f" by {sealed['reader']}" if sealed.get("reader") else ""
        raise CaseError(
            f"{files.folder.name} was sealed{by}, and another score would replace what it holds: choose "
            'another folder with --out, or "Start over" (--restart) to break the seal, which is logged'
        )


def _finished(run: Run) -> Report | None:
    """Return the report if it is there, whole, and of an equal plan."""
    files = run.files
    if not (files.report.is_file() and files.run.is_file() and files.manifest.is_file()):
        return None
    try:
        if read_json(files.run)["key"] != run.plan.key:
            return None
        names = read_json(files.manifest)["files"]
        return (
            read_case(files.folder).report if all((files.folder / name).exists() for name in names) else None
        )
    except (CaseError, KeyError, TypeError):
        return None


def _withdraw(files: CaseFiles) -> None:
    """Remove an earlier result, the report first, so that no moment shows a mixture as a result."""
    for path in files.results():
        path.unlink(missing_ok=True)
    shutil.rmtree(files.rasters, ignore_errors=True)


def _keep_work_of_people(files: CaseFiles, ihc: str) -> None:
    """Leave corrections and their log where they are, or put them aside where they are of another slide."""
    record = None
    with suppress(CaseError):
        record = record_of(files)
    if record is not None and record["slides"].get("ihc") == ihc:
        if sealed := seal_of(files):
            ReviewLog(files.review).append({"act": "unseal", "before": sealed["seal"], "after": None})
        return
    for path in (files.review, files.edits):
        if path.is_dir() or (path.is_file() and path.stat().st_size):
            free = (path.with_name(f"{path.name}.old-{n}") for n in count(1))
            path.replace(next(other for other in free if not other.exists()))


def _forget(files: CaseFiles) -> None:
    """Remove results and stages; the lock that is held stays."""
    _withdraw(files)
    for path in files.stages.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
    record_file(files).unlink(missing_ok=True)
