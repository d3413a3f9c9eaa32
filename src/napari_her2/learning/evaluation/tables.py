"""Predictions as CSV: read, checked row by row, and written."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.learning.evaluation.predictions import Predictions
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.learning.evaluation.measure import Evaluation

__all__ = ["read_predictions", "write_estimates", "write_predictions"]

Row = dict[str, str]
PREFIX: Final = "p_"
OF_SCORES: Final = ("p0", "p1", "p2", "p3")
"""Columns of the table of patches (contracts, section 4)."""


def read_predictions(path: Path, event: tuple[str, ...] | None = None) -> Predictions:
    """Read a CSV with ``case``, ``truth`` and ``prediction`` or probabilities.

    Probabilities are columns ``p_CLASS``, or ``p0`` to ``p3`` for the four scores, or one column
    ``probability`` of the second of two classes. A column ``group`` names kinds of samples that are looked
    at apart. Classes stand in the order of their columns; scores always from 0 to 3+.

    Parameters
    ----------
    path : Path
    event : tuple of str, optional
        Classes that a decision would follow; by default 2+ and 3+, or the last class.

    Raises
    ------
    UsageError
        If a column is missing or a row does not make sense; the message names the line.
    """
    columns, rows = _rows(path)
    for name in ("case", "truth"):
        if name not in columns:
            raise UsageError(f"{path.name} has no column {name!r}: every row needs its case and its truth")
    names = _probability_columns(columns)
    classes = _classes(rows, names, path)
    codes = {name: k for k, name in enumerate(classes)}
    predicted = None
    if "prediction" in columns:
        predicted = [_code(row, "prediction", codes, k, path) for k, row in enumerate(rows, 2)]
    found = Predictions.of(
        classes,
        [_filled(row, "case", k, path) for k, row in enumerate(rows, 2)],
        [_code(row, "truth", codes, k, path) for k, row in enumerate(rows, 2)],
        probabilities=_probabilities(rows, names, classes, path),
        predicted=predicted,
        event=event,
    )
    return found.grouped([row["group"] for row in rows]) if "group" in columns else found


def _rows(path: Path) -> tuple[list[str], list[Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
            columns = [name.strip() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or str(error)[:120]
        raise UsageError(f"{path.name} cannot be read as CSV ({why}): check the file") from error
    if not rows:
        raise UsageError(f"{path.name} holds no row: give one row per sample, under a line of column names")
    return columns, rows


def _probability_columns(columns: Sequence[str]) -> dict[str, str]:
    """Column by class; a lone ``probability`` has no class yet."""
    if set(OF_SCORES) <= set(columns):
        return dict(zip(SCORES, OF_SCORES, strict=True))
    found = {name.removeprefix(PREFIX): name for name in columns if name.startswith(PREFIX)}
    return found or ({"": "probability"} if "probability" in columns else {})


def _classes(rows: Sequence[Row], names: Mapping[str, str], path: Path) -> tuple[str, ...]:
    if names and "" not in names:
        return SCORES if set(names) == set(SCORES) else tuple(names)
    seen = {row[name] for row in rows for name in ("truth", "prediction") if row.get(name)}
    if not names and seen <= set(SCORES):
        return SCORES
    if names and len(seen) != 2:
        raise UsageError(
            f"{path.name} has one column of probabilities and {len(seen)} classes: give p_CLASS columns"
        )
    return tuple(sorted(seen))


def _filled(row: Row, name: str, line: int, path: Path) -> str:
    if not row.get(name):
        raise UsageError(f"{path.name}, line {line}: {name} is empty, fill it in or leave the row out")
    return row[name]


def _code(row: Row, name: str, codes: Mapping[str, int], line: int, path: Path) -> int:
    word = _filled(row, name, line, path)
    if word not in codes:
        raise UsageError(f"{path.name}, line {line}: {name} {word[:40]!r} is none of {', '.join(codes)}")
    return codes[word]


def _probabilities(
    rows: Sequence[Row], names: Mapping[str, str], classes: Sequence[str], path: Path
) -> NDArray[np.float64] | None:
    if not names:
        return None
    columns = [names[name] for name in classes] if "" not in names else [names[""]]
    found = np.array([[_number(row, column, k, path) for column in columns] for k, row in enumerate(rows, 2)])
    return np.hstack([1 - found, found]) if "" in names else found


def _number(row: Row, name: str, line: int, path: Path) -> float:
    try:
        return float(row.get(name, ""))
    except ValueError as error:
        raise UsageError(f"{path.name}, line {line}: {name} is no number") from error


def write_predictions(found: Predictions, path: Path) -> None:
    """Write predictions so that :func:`read_predictions` reads them."""
    from napari_her2.store import replacing

    p, group = found.probabilities, found.group
    names = [] if p is None else [PREFIX + name for name in found.classes]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "truth", "prediction", *names, *([] if group is None else ["group"])])
        for k, case in enumerate(found.case):
            words = [str(case), found.classes[found.truth[k]], found.classes[found.predicted[k]]]
            words += [] if p is None else [f"{value:.6f}" for value in p[k]]
            table.writerow(words if group is None else [*words, str(group[k])])


def write_estimates(parts: Sequence[Evaluation], path: Path) -> None:
    """Write every figure of every part as a row."""
    from napari_her2.store import replacing

    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["part", "kind", "measure", "of", "value", "low", "high", "cases", "note"])
        for part in parts:
            for e in part.estimates:
                numbers = ["" if v is None else f"{v:.6g}" for v in (e.value, e.low, e.high)]
                table.writerow([part.title, part.kind, e.name, e.of, *numbers, e.cases, e.note])
