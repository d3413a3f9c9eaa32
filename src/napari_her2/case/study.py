"""A study that says how its cases are read: a small file beside them that no preference overrides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError
from napari_her2.store import read_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STUDY_FILE", "STUDY_SCHEMA", "Study", "find_study"]

STUDY_FILE: Final = "her2-study.json"
STUDY_SCHEMA: Final = "napari-her2/study/1"
LEVELS_UP: Final = 3
"""The file is looked for in the case's folder and so many folders above it."""


@dataclass(frozen=True, slots=True)
class Study:
    """How cases are read.

    Attributes
    ----------
    name : str
    blind_first : bool
        Whether the program's result is hidden from each reader until they have signed their own.
    """

    name: str = ""
    blind_first: bool = False


def find_study(case: Path) -> Study | None:
    """Return the study that a case belongs to; None where there is none.

    A file that cannot be read, or says something else, counts as one that locks: what should stay hidden
    must not be shown by a slip of the pen.

    Parameters
    ----------
    case : Path
        Its folder, which need not exist yet.
    """
    for folder in (case, *case.parents[:LEVELS_UP]):
        path = folder / STUDY_FILE
        if path.is_file():
            return _study(path)
    return None


def _study(path: Path) -> Study:
    try:
        values: Any = read_json(path)
    except CaseError:
        values = None
    if not isinstance(values, dict) or values.get("schema") != STUDY_SCHEMA:
        return Study(name=path.parent.name, blind_first=True)
    return Study(name=str(values.get("name", "")), blind_first=values.get("blind_first") is not False)
