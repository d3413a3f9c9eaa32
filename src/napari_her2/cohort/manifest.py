"""The list of a cohort's cases: a CSV, one line a case, as docs/contracts.md promises it.

What is wrong with the list itself is told at once, with its line: nobody wants to learn of a typing
error after a night. What is wrong with a slide is found when its turn comes, and becomes a row.
"""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError, UsageError
from napari_her2.pipeline import Wishes
from napari_her2.slides import given_white
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["CohortCase", "read_manifest"]

NEEDED: Final = ("case", "he", "ihc")
UM_PER_PX_RANGE: Final = (0.02, 100.0)
STRANGE: Final = frozenset('/\\:*?"<>|')
"""What a folder's name may not hold on one system or another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortCase:
    """One line of a manifest.

    Attributes
    ----------
    name : str
        Of the case, and of its folder.
    ihc : Path
    he : Path or None
    wishes : Wishes
        Settings of the line.
    reference_score : str
        What a reader or a laboratory found, ``""`` where nothing is known; it is compared, never used.
    site, scanner : str
    """

    name: str
    ihc: Path
    he: Path | None = None
    wishes: Wishes = field(default_factory=Wishes)
    reference_score: str = ""
    site: str = ""
    scanner: str = ""


def read_manifest(path: Path) -> tuple[CohortCase, ...]:
    """Read a manifest; its paths are relative to its own folder, and further columns are ignored.

    Raises
    ------
    CaseError
        If the file, a column or a value cannot be used; the message names the line.
    """
    cases = tuple(_case(path, line, row) for line, row in _rows(path))
    if not cases:
        raise CaseError(f"{path.name} holds no case: give one line per case under {','.join(NEEDED)}")
    seen: set[str] = set()
    for case in cases:
        if case.name.casefold() in seen:
            raise CaseError(f"{path.name} names the case {case.name} twice: each case needs its own name")
        seen.add(case.name.casefold())
    return cases


def _rows(path: Path) -> Sequence[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, _stripped(row)) for row in reader]
    except OSError as error:
        raise CaseError(f"{path.name} cannot be read ({error.strerror}): give the manifest's CSV") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CaseError(f"{path.name} is no CSV text: save it as CSV, UTF-8") from error
    if missing:
        raise CaseError(f"{path.name} lacks the column {missing[0]}: a manifest has {', '.join(NEEDED)}")
    return [(line, row) for line, row in rows if any(row.values())]


def _stripped(row: Mapping[str | None, Any]) -> dict[str, str]:
    return {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}


def _case(path: Path, line: int, row: Mapping[str, str]) -> CohortCase:
    where = f"{path.name}, line {line}"
    if not row["ihc"]:
        raise CaseError(f"{where} names no IHC slide: fill the column ihc or remove the line")
    return CohortCase(
        name=_name(where, row["case"]),
        ihc=_beside(path, row["ihc"]),
        he=_beside(path, row["he"]) if row["he"] else None,
        wishes=_wishes(where, row),
        reference_score=_score(where, row.get("reference_score", "")),
        site=row.get("site", ""),
        scanner=row.get("scanner", ""),
    )


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).absolute()


def _name(where: str, name: str) -> str:
    if not name or name[0] in ". " or name[-1] in ". " or STRANGE & set(name) or not name.isprintable():
        raise CaseError(
            f"{where}: {name!r} cannot be a folder's name: use letters, digits, dashes for the case"
        )
    return name


def _wishes(where: str, row: Mapping[str, str]) -> Wishes:
    return Wishes(
        um_per_px_he=_um_per_px(where, row.get("um_per_px_he", "")),
        um_per_px_ihc=_um_per_px(where, row.get("um_per_px_ihc", "")),
        white_he=_white(where, row.get("white_he", "")),
        white_ihc=_white(where, row.get("white_ihc", "")),
        rule=row.get("rule") or None,
        ish=_ish(where, row.get("ish", "")),
    )


def _um_per_px(where: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = UM_PER_PX_RANGE
    if not low <= value <= high:
        raise CaseError(f"{where}: {text!r} is no µm/px from {low:g} to {high:g}: 0.25 is a 40x scan")
    return value


def _white(where: str, text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        values = [float(part) for part in re.split(r"[,;\s]+", text)]
        found = given_white(values)
    except (ValueError, UsageError):
        found = None
    if found is None:
        raise CaseError(f"{where}: {text!r} is no white: give red, green and blue of bare glass, 100 to 255")
    return found.rgb


def _ish(where: str, text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CaseError(f"{where}: the column ish holds no JSON object, give it as for `score --ish`")
    return value


def _score(where: str, text: str) -> str:
    if text and text not in SCORES:
        raise CaseError(f"{where}: the reference score {text!r} is none of {', '.join(SCORES)}: correct it")
    return text
