"""A person's layer of labels over one slide: paint, undo, redo, and nothing is lost.

The order of every step: (1) what changes is appended to the journal and is on the disk, (2) the chunks of
all levels are written, (3) the step is logged, (4) the step is noted as done. Whoever dies in between goes
on at the next opening from what the journal has. The model's raster is never written.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from napari_her2.annotation.history import History
from napari_her2.annotation.journal import Journal
from napari_her2.annotation.strokes import ChunkPatch, packed_patches, patches_of, unpacked_patches
from napari_her2.errors import CaseError, OutputError
from napari_her2.store import FolderLock, LabelPyramid, read_json, writable_folder, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.annotation.classes import MaskKind
    from napari_her2.annotation.journal import Record
    from napari_her2.annotation.strokes import AreaStroke, Stroke
    from napari_her2.geometry import Box

__all__ = ["EditableMask", "MaskFacts", "SavedMask", "Step", "StepLog", "now", "set_aside"]

SCHEMA: Final = "napari-her2/mask/1"
REPLAYED: Final = 64
"""So many steps before the last one known as done are done again after a kill: a disk may forget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts:
    """Whose pixels a mask describes.

    Attributes
    ----------
    kind : MaskKind
    slide : str
        Role of the slide, ``he`` or ``ihc``.
    shape : tuple of int
        (rows, cols) of the slide's level 0.
    um_per_px : float
    sha256 : str
        Of the slide; empty where it is not known (yet): then shape and pixel size must fit.
    """

    kind: MaskKind
    slide: str
    shape: tuple[int, int]
    um_per_px: float
    sha256: str = ""

    @property
    def name(self) -> str:
        """Name of the mask in files and logs."""
        return f"{self.slide}_{self.kind.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """What a stroke, an undo or a redo changed.

    Attributes
    ----------
    act : str
        ``paint``, ``undo`` or ``redo``.
    number : int
        Number of the step in the journal, from 1.
    boxes : tuple of Box
        At level 0.
    about : mapping
        Of the stroke that was done, undone or redone.
    """

    act: str
    number: int
    boxes: tuple[Box, ...]
    about: Mapping[str, Any]


class StepLog(Protocol):
    """Where steps are logged for people (``review.jsonl``)."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry through to the disk."""

    def last_step(self, mask: str) -> int:
        """Return the number of the last logged step of a mask; 0 where there is none."""


def now() -> str:
    """Return the time as files have it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class EditableMask:
    """One mask of one slide in its own folder; for one thread at a time, readers apart.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    facts : MaskFacts
    log : StepLog

    Attributes
    ----------
    notes : list of str
        What a person should know after opening: sentences, most often none.

    Raises
    ------
    CaseError
        If the folder holds a mask of another slide.
    OutputError
        If it cannot be written, or another window holds it.
    """

    def __init__(self, folder: Path, facts: MaskFacts, log: StepLog) -> None:
        self.folder, self.facts, self._log = folder, facts, log
        self.notes: list[str] = []
        with ExitStack() as undo:
            writable_folder(folder, "Folder…")
            undo.enter_context(FolderLock(folder / "lock", f"the mask {facts.name}"))
            self._journal = Journal(folder / "journal.bin")
            undo.callback(self._journal.close)
            self._history = History(self._journal.records)
            self._done = 0
            self.pyramid = self._pyramid()
            self._recover()
            self._close = undo.pop_all()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._history.to_undo is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return self._history.to_redo is not None

    def read(self, box: Box, level: int = 0) -> NDArray[np.uint8]:
        """Return the codes of a box in the pixels of ``level``; safe while another thread paints."""
        return self.pyramid.read(box, level)

    def paint(self, stroke: Stroke | AreaStroke) -> Step | None:
        """Do a stroke; None where it changes nothing.

        Raises
        ------
        OutputError
            If the disk does not take it; then nothing has changed, and the stroke can be tried again.
        """
        self._catch_up()
        patches = list(patches_of(stroke, self.pyramid))
        return self._do("paint", patches, {**stroke.about, "level": stroke.level}) if patches else None

    def undo(self) -> Step | None:
        """Take back the last step that stands; None where there is none."""
        self._catch_up()
        record = self._history.to_undo
        if record is None:
            return None
        patches = [patch.reversed for patch in reversed(self._patches(record))]
        return self._do("undo", patches, record.head["about"], of=record.head["step"])

    def redo(self) -> Step | None:
        """Do the last step that was taken back again; None where there is none."""
        self._catch_up()
        record = self._history.to_redo
        if record is None:
            return None
        return self._do("redo", self._patches(record), record.head["about"], of=record.head["step"])

    def close(self) -> None:
        """Finish what is in the journal and let the folder go."""
        try:
            self._catch_up()
            self._note_done(clean=True)
        finally:
            self._close.close()

    def _do(
        self, act: str, patches: Sequence[ChunkPatch], about: Mapping[str, Any], of: int | None = None
    ) -> Step:
        self._last += 1
        head: dict[str, Any] = {"act": act, "step": self._last, "time": now()}
        if of is None:
            table, data = packed_patches(patches)
            head |= {"about": dict(about), "chunks": table}
        else:
            head, data = {**head, "of": of}, b""
        record = self._journal.append(head, data)
        self._history.add(record)
        try:
            self._carry_out(record, patches)
        except OutputError as error:  # it is in the journal, so it counts
            self.notes.append(f"{error}.")
        return Step(act, head["step"], tuple(patch.box for patch in patches), about)

    def _carry_out(self, record: Record, patches: Sequence[ChunkPatch]) -> None:
        """Write what the journal says into the pyramid, log it, note it as done."""
        try:
            self.pyramid.write([(patch.box, patch.after) for patch in patches])
        except OSError as error:
            raise OutputError(
                f"{self.facts.name} cannot be written ({error.strerror or error}): the stroke is safe in "
                "journal.bin and is carried out as soon as there is room on the disk"
            ) from error
        self._tell(record)
        self._done = int(record.head["step"])
        self._note_done()

    def _tell(self, record: Record) -> None:
        head = record.head
        if self._log.last_step(self.facts.name) < head["step"]:
            stroke = self._history.stroke(head)
            about = {} if stroke is None else stroke.head["about"]
            keys = {key: head[key] for key in ("step", "of") if key in head}
            entry = {"time": head["time"], "act": head["act"], "mask": self.facts.name, **keys, **about}
            self._log.append(entry)

    def _note_done(self, *, clean: bool = False) -> None:
        facts = self.facts
        whose = {"slide": facts.slide, "shape": list(facts.shape), "um_per_px": facts.um_per_px}
        state = {"schema": SCHEMA, "done": self._done, "clean": clean, **whose, "sha256": facts.sha256}
        write_json(self.folder / "state.json", state)

    def _catch_up(self) -> None:
        """Carry out what is in the journal only, since the disk was full."""
        for record in self._history.after(self._done):
            self._carry_out(record, self._patches_for(record))

    def _pyramid(self) -> LabelPyramid:
        """Open the pyramid, or make it; one that is damaged is made anew from the journal."""
        path, facts = self.folder / "labels.zarr", self.facts
        if path.is_dir():
            try:
                pyramid = LabelPyramid.open(path)
            except CaseError:
                if not self._history.whole:
                    raise
                self.notes.append(f"{path.name} was damaged and has been made anew from the journal.")
            else:
                self._check(pyramid)
                return pyramid
        elif self._history.done and not self._history.whole:
            raise CaseError(f"{facts.name} has lost labels.zarr and a part of its journal: restore a copy")
        about = {"schema": SCHEMA, "kind": facts.kind.name, "slide": facts.slide, "sha256": facts.sha256}
        return LabelPyramid.create(
            path, facts.shape, um_per_px=facts.um_per_px, labels=facts.kind.codes, attributes=about
        )

    def _check(self, pyramid: LabelPyramid) -> None:
        """See that it is a mask of this slide, and how far it had got."""
        facts = self.facts
        if pyramid.shapes[0] != facts.shape or abs(pyramid.um_per_px / facts.um_per_px - 1) > 1e-3:
            raise self._of_another_slide()
        known = str(pyramid.attributes.get("sha256", ""))
        if known and facts.sha256 and known != facts.sha256:
            raise self._of_another_slide()
        done, clean = self._state()
        # Steps are done again only where all of them are known: else they would paint over what is lost.
        certain = clean or not self._history.whole or done > self._history.done
        self._done = done if certain else max(0, done - REPLAYED)

    def _state(self) -> tuple[int, bool]:
        """Return the number of steps that are done, and whether the mask was closed in order."""
        try:
            state = read_json(self.folder / "state.json")
            return int(state["done"]), bool(state["clean"])
        except (CaseError, KeyError, TypeError, ValueError):
            return 0, False

    def _of_another_slide(self) -> CaseError:
        return CaseError(
            f"{self.folder.name} holds corrections of another slide ({self.facts.slide}): open the slide "
            "they were made on, or keep these in another folder"
        )

    def _recover(self) -> None:
        """Do again what may not have reached the disk; the journal holds what it leads to, not how."""
        if self._journal.damage:
            self.notes.append(self._journal.damage + ".")
        logged = self._log.last_step(self.facts.name)
        self._last = max(self._history.done, self._done, logged)
        self._catch_up()
        if self._last == 0:
            self._note_done()

    def _patches_for(self, record: Record) -> list[ChunkPatch]:
        """Return what a record of any act changes."""
        stroke = self._history.stroke(record.head)
        if stroke is None:  # lost in a gap: what it led to is in the pyramid, if anywhere
            return []
        patches = self._patches(stroke)
        undone = record.head["act"] == "undo"
        return [patch.reversed for patch in reversed(patches)] if undone else patches

    def _patches(self, record: Record) -> list[ChunkPatch]:
        return unpacked_patches(record.head["chunks"], self._journal.data(record))


class SavedMask:
    """What of a mask is saved, for reading only: needs no lock, so that a window may go on painting.

    Parameters
    ----------
    folder : Path
        As of an :class:`EditableMask`.

    Raises
    ------
    CaseError
        If it holds no mask.
    """

    def __init__(self, folder: Path) -> None:
        self.pyramid = LabelPyramid.open(folder / "labels.zarr")

    def read(self, box: Box, level: int = 0) -> NDArray[np.uint8]:
        """Return the codes of a box in the pixels of ``level``."""
        return self.pyramid.read(box, level)


def set_aside(folder: Path) -> None:
    """Move a mask aside, so that the model's labels hold everywhere again; nothing is deleted."""
    stamp = now().replace(":", "").replace("+", "")
    folder.replace(folder.with_name(f"{folder.name}.{stamp}.old"))
