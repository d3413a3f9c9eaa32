"""Many cases as a list: what each of them is, how far it is, and what is left to do.

Only small JSON files are read, so that hundreds of cases open at once; slides and tables stay closed.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2.case.bundle import CaseFiles
from napari_her2.case.worklist_notes import DeskNote, read_note
from napari_her2.errors import CaseError
from napari_her2.store import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CaseState", "WorklistCase", "neighbour", "open_worklist", "refreshed"]

CaseState = Literal["to do", "running", "needs you", "done"]

COLUMNS: Final = (
    "case",
    "he",
    "ihc",
    "um_per_px_he",
    "um_per_px_ihc",
    "white_he",
    "white_ihc",
    "rule",
    "ish",
)
SLIDES: Final = (
    ".svs",
    ".ndpi",
    ".mrxs",
    ".scn",
    ".bif",
    ".vms",
    ".svslide",
    ".tif",
    ".tiff",
    ".btf",
    ".dcm",
)
STAIN: Final = re.compile(r"(?i)(?<![a-z0-9])(?:(?P<he>h&e|he|h\.e)|(?P<ihc>ihc|her2|her-2))(?![a-z0-9])")
DEPTH: Final = 2
"""Cases are looked for in folders of folders, as a cohort writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistCase:
    """One line of the list.

    Attributes
    ----------
    name : str
    folder : Path
        Of the case; it need not be there yet.
    he, ihc : Path or None
        Slides, where the list itself names them.
    state : {"to do", "running", "needs you", "done"}
        ``done`` means signed by the reader of the list.
    call : str
        Score of the program, or ``not scorable``; empty before it ran.
    final : str
        Score of the reader who signed.
    reader : str
        Who signed.
    why : str
        What is waited for, in a few words.
    note : DeskNote
        What this reader left on the desk.
    entered : tuple of (name, value)
        Further columns of the manifest.
    """

    name: str
    folder: Path
    he: Path | None = None
    ihc: Path | None = None
    state: CaseState = "to do"
    call: str = ""
    final: str = ""
    reader: str = ""
    why: str = ""
    note: DeskNote = field(default_factory=DeskNote)
    entered: tuple[tuple[str, str], ...] = ()

    @property
    def slides(self) -> tuple[Path, ...]:
        """Slides that the list names, H&E first."""
        return tuple(path for path in (self.he, self.ihc) if path is not None)


def open_worklist(path: Path, *, reader: str = "") -> tuple[WorklistCase, ...]:
    """Open a folder, a manifest or a cohort as a list of cases, in the order of their names.

    Parameters
    ----------
    path : Path
        A manifest (CSV with the columns ``case, he, ihc``), a case, a folder of cases, or a folder of
        slides whose names differ only in the stain (``B12_HE.svs``, ``B12_HER2.svs``).
    reader : str
        Whose comments, views and signatures are shown.

    Raises
    ------
    CaseError
        If there is no case in it, or the manifest lacks a column.
    """
    path = Path(path)
    cases = list(_of_manifest(path)) if path.is_file() else list(_of_folder(path))
    if not cases:
        raise CaseError(
            f"{path.name} holds no case and no pair of slides: choose a folder of cases, or a manifest with "
            "the columns case, he, ihc"
        )
    return tuple(refreshed(case, reader) for case in cases)


def refreshed(case: WorklistCase, reader: str = "") -> WorklistCase:
    """Return the case as its folder says now."""
    note = read_note(case.folder, reader)
    return replace(case, note=note, **_state(CaseFiles(case.folder), note, reader))


def neighbour(cases: Sequence[WorklistCase], name: str | None, step: int) -> WorklistCase | None:
    """Return the case ``step`` lines from the one named, in the order given; None beyond the ends."""
    names = [case.name for case in cases]
    at = names.index(name) + step if name in names else (0 if step > 0 else len(names) - 1)
    return cases[at] if 0 <= at < len(cases) else None


def _of_manifest(path: Path) -> Iterable[WorklistCase]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError(
            f"{path.name} cannot be read as a manifest ({error}): save it as CSV, UTF-8"
        ) from error
    if rows and not {"case", "ihc"} <= set(rows[0]):
        raise CaseError(
            f"{path.name} lacks the columns case and ihc: a manifest has {', '.join(COLUMNS[:3])}"
        )
    for row in rows:
        name = (row["case"] or "").strip()
        if not name:
            continue
        more = tuple((key, row[key]) for key in COLUMNS[3:] if row.get(key))
        yield WorklistCase(
            name=name,
            folder=path.parent / name,
            he=_beside(path, row.get("he")),
            ihc=_beside(path, row["ihc"]),
            entered=more,
        )


def _beside(manifest: Path, name: str | None) -> Path | None:
    """Return a path as the manifest means it: relative to its own folder."""
    return manifest.parent / name.strip() if name and name.strip() else None


def _of_folder(folder: Path) -> Iterable[WorklistCase]:
    if _is_case(folder):
        yield WorklistCase(name=folder.name, folder=folder)
        return
    found = sorted(_cases_below(folder, DEPTH), key=lambda path: path.name.lower())
    yield from (WorklistCase(name=path.name, folder=path) for path in found)
    known = {path.name for path in found}
    yield from (case for case in _pairs(folder) if case.folder.name not in known)


def _is_case(folder: Path) -> bool:
    """Whether a folder is a case, finished or begun."""
    files = CaseFiles(folder)
    return files.manifest.is_file() or (files.stages / "case.json").is_file()


def _cases_below(folder: Path, depth: int) -> Iterable[Path]:
    try:
        inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return
    for path in inside:
        if _is_case(path):
            yield path
        elif depth > 1 and path.suffix != ".zarr":
            yield from _cases_below(path, depth - 1)


def _pairs(folder: Path) -> Iterable[WorklistCase]:
    """Return slides of a folder that belong together by their names."""
    pairs: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        found = STAIN.search(path.name)
        if found is None or path.suffix.lower() not in SLIDES:
            continue
        rest = path.name[: found.start()] + path.name[found.end() :]
        stem = re.sub(r"[\W_]+", "-", rest.split(".", maxsplit=1)[0]).strip("-") or folder.name
        pairs.setdefault(stem, {}).setdefault("he" if found["he"] else "ihc", path)
    for stem, pair in sorted(pairs.items()):
        if "ihc" in pair:
            yield WorklistCase(name=stem, folder=folder / f"{stem}-her2", he=pair.get("he"), ihc=pair["ihc"])


def _state(files: CaseFiles, note: DeskNote, reader: str) -> dict[str, Any]:
    """Return state, call, signature and reason of a case."""
    if not files.report.is_file():
        begun = (files.stages / "case.json").is_file()
        return {"state": "to do", "why": "begun, not finished" if begun else "", "call": ""}
    try:
        report = read_json(files.report)
        call, signed = report["call"], report.get("reader")
        found = {"call": call["score"] or "not scorable", "why": _why(call)}
    except (CaseError, KeyError, TypeError):
        return {"state": "needs you", "why": "its report is damaged: score it again", "call": ""}
    if note.signed:
        return {**found, "state": "done", "final": note.signed, "reader": reader, "why": ""}
    if signed and (not reader or signed["reader"] == reader):
        final = {"final": signed["score"] or "not scorable", "reader": signed["reader"]}
        return {**found, **final, "state": "done", "why": ""}
    return {**found, "state": "needs you", "final": "", "reader": ""}


def _why(call: dict[str, Any]) -> str:
    """Return what a reader has to do, the gravest first."""
    flags = set(call["flags"])
    doubts = (
        (call["score"] is None, "not scorable"),
        ("needs_review" in flags, "check by eye"),
        (call["borderline"], "borderline"),
        ("tumour_unconfirmed" in flags, "confirm the tumour"),
    )
    return next((words for holds, words in doubts if holds), "sign")
