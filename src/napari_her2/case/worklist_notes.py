"""What a reader leaves on the desk: a comment, the last view, the signature; one file for each reader.

Two readers of one case never write the same file, so that neither sees nor spoils the other's.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError
from napari_her2.store import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DeskNote", "read_note", "seen_path", "write_note"]

DESK: Final = ".desk"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskNote:
    """What one reader left of one case.

    Attributes
    ----------
    comment : str
    centre_um : (row, col) or None
        Middle of the last view, µm of the IHC.
    zoom : float or None
        Screen pixels per µm.
    field : int or None
        Number of the field of the review queue that was shown last.
    signed : str
        The score that the reader signed; empty while unsigned.
    """

    comment: str = ""
    centre_um: tuple[float, float] | None = None
    zoom: float | None = None
    field: int | None = None
    signed: str = ""


def read_note(case: Path, reader: str) -> DeskNote:
    """Return what the reader left; an empty note where there is none or it is damaged."""
    path = _path(case, reader)
    with suppress(CaseError, KeyError, TypeError, ValueError):
        if path.is_file():
            return _checked(read_json(path))
    return DeskNote()


def write_note(case: Path, reader: str, note: DeskNote) -> None:
    """Keep a note, at once and whole.

    Raises
    ------
    OutputError
        If the case's folder cannot be written.
    """
    write_json(_path(case, reader), {"reader": reader, **asdict(note)})


def _path(case: Path, reader: str) -> Path:
    """Return a reader's file; names that look alike as file names stay apart by a hash."""
    tag = hashlib.sha256(reader.encode("utf-8")).hexdigest()[:8]
    letters = re.sub(r"[^a-z0-9]+", "-", reader.lower()).strip("-")[:24]
    return case / DESK / f"{letters or 'reader'}-{tag}.json"


def _checked(values: dict[str, Any]) -> DeskNote:
    centre = values["centre_um"]
    note = DeskNote(comment=str(values["comment"]), signed=str(values["signed"]))
    return replace(
        note,
        centre_um=None if centre is None else (float(centre[0]), float(centre[1])),
        zoom=None if values["zoom"] is None else float(values["zoom"]),
        field=None if values["field"] is None else int(values["field"]),
    )


def seen_path(case: Path, reader: str) -> Path:
    """Return where it is kept what a reader looked at, where they asked for that."""
    note = _path(case, reader)
    return note.with_name(f"{note.stem}.seen.json")
