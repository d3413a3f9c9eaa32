"""Readers' scores of cases as CSV, and as entries of a case's log."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError
from napari_her2.exchange.csv_files import read_csv
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["PERCENTS", "READING", "Reading", "read_readings", "readings_of_log"]

READING: Final = "reading"
"""The act of a log's entry that holds a reader's score."""

PERCENTS: Final = ("3+", "2+", "1+", "0")
STATES: Final = ("negative", "equivocal", "positive", "discordant", "indeterminate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reader's word on one case.

    Attributes
    ----------
    case, reader : str
        Empty where the file does not say.
    score : str or None
        None: not scorable, says the reader.
    her2_status : str or None
    percent : mapping of class to 0..100
        What the reader estimated; classes without an estimate are absent.
    blind : bool
        Whether the reader had not seen the program's result.
    """

    case: str
    reader: str
    score: str | None
    her2_status: str | None = None
    percent: Mapping[str, float]
    blind: bool = True

    def to_json(self) -> str:
        """Return what a log's entry holds besides time, name and act."""
        after = {"score": self.score, "her2_status": self.her2_status, "percent": dict(self.percent)}
        return json.dumps({"case": self.case, "blind": self.blind, "before": None, "after": after})


def read_readings(path: Path) -> tuple[Reading, ...]:
    """Read a CSV with ``score`` and, as far as known, ``case, reader, her2_status, blind, percent_3+``….

    Raises
    ------
    CaseError
        If a column is missing or a value is impossible.
    """
    table = read_csv(path)
    if "score" not in table.columns:
        raise CaseError(
            f"{path.name} has neither cells (x,y,class) nor readings (case,reader,score): add the columns"
        )
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    return tuple(_reading(row, path, line) for line, row in enumerate(rows, 2))


def _reading(row: Mapping[str, str], path: Path, line: int) -> Reading:
    score = row["score"].strip()
    if score not in (*SCORES, "", "not scorable"):
        raise CaseError(f"{path.name}, line {line}: the score {score[:20]!r} is none of {', '.join(SCORES)}")
    status = row.get("her2_status", "").strip().lower()
    if status and status not in STATES:
        raise CaseError(
            f"{path.name}, line {line}: her2_status {status[:20]!r} is none of {', '.join(STATES)}"
        )
    percent = {
        name: _percent(row[f"percent_{name}"], path, line)
        for name in PERCENTS
        if row.get(f"percent_{name}", "").strip()
    }
    return Reading(
        case=row.get("case", "").strip(),
        reader=row.get("reader", "").strip(),
        score=score if score in SCORES else None,
        her2_status=status or None,
        percent=percent,
        blind=row.get("blind", "true").strip().lower() in ("", "true", "yes", "1"),
    )


def _percent(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise CaseError(f"{path.name}, line {line}: {text[:20]!r} is no percentage from 0 to 100")
    return value


def readings_of_log(entries: Iterable[Mapping[str, Any]], case: str) -> tuple[Reading, ...]:
    """Return each reader's last reading in a case's log."""
    last: dict[str, Reading] = {}
    for entry in entries:
        after = entry.get("after")
        if entry.get("act") == READING and isinstance(after, dict):
            reader = str(entry.get("who", ""))
            last[reader] = Reading(
                case=case,
                reader=reader,
                score=after.get("score") if after.get("score") in SCORES else None,
                her2_status=after.get("her2_status"),
                percent={k: float(v) for k, v in (after.get("percent") or {}).items() if k in PERCENTS},
                blind=bool(entry.get("blind", True)),
            )
    return tuple(last.values())
