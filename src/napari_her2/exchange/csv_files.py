"""Tables of points and cells as CSV: commas, a header line, UTF-8."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.opening import reading, writing
from napari_her2.geometry import from_xy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.cells import CellTable

__all__ = ["CsvTable", "read_csv", "write_cells_csv", "write_csv"]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table as text, as it stands in the file.

    Attributes
    ----------
    name : str
        Of the file, for errors.
    columns : tuple of str
    rows : tuple of tuples of str
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def points(self, x: str = "x", y: str = "y") -> NDArray[np.float64]:
        """Two columns as (row, col) points (n, 2).

        Raises
        ------
        CaseError
            If a column is missing or a value is no finite number.
        """
        return from_xy(np.column_stack([self._numbers(x), self._numbers(y)]).reshape(-1, 2))

    def _numbers(self, column: str) -> list[float]:
        if column not in self.columns:
            has = ", ".join(self.columns[:8])
            raise CaseError(f"{self.name} has no column {column!r} (it has {has}): add a header line with it")
        at = self.columns.index(column)
        return [self._number(row[at], column, line) for line, row in enumerate(self.rows, 2)]

    def _number(self, text: str, column: str, line: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CaseError(
                f"{self.name}, line {line}: {column} is {text[:40]!r}, not a finite number: correct it"
            )
        return value


def read_csv(path: Path) -> CsvTable:
    """Read a CSV file with a header line; blank lines are passed over.

    Raises
    ------
    CaseError
        If it cannot be read, has no header, or a line has another number of values.
    """
    try:
        with reading(path) as file:
            text = file.read()
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except OSError as error:
        raise CaseError(f"{path.name} cannot be read ({error.strerror or error}): check its name") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CaseError(f"{path.name} is not a CSV file in UTF-8: save it as one") from error
    if not lines:
        raise CaseError(f"{path.name} is empty: it needs a header line and one line a point")
    columns = tuple(name.strip() for name in lines[0])
    if len(set(columns)) != len(columns):
        raise CaseError(f"{path.name} names a column twice: give each its own name")
    for number, row in enumerate(lines[1:], 2):
        if len(row) != len(columns):
            raise CaseError(
                f"{path.name}, line {number}: {len(row)} values for {len(columns)} columns: correct it"
            )
    return CsvTable(path.name, columns, tuple(map(tuple, lines[1:])))


def write_csv(path: Path, columns: Mapping[str, ArrayLike]) -> None:
    """Write columns of equal length at once; numbers with as many digits as they need; ``.gz`` is honoured.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with writing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(_words(column) for column in columns.values()), strict=True))


def write_cells_csv(path: Path, cells: CellTable) -> None:
    """Write the cells' table (contracts, section 4)."""
    write_csv(path, cells.to_columns())


def _words(column: ArrayLike) -> list[str]:
    """Return the column as text; floats keep their own precision, four digits are enough for float32."""
    values = np.asarray(column)
    if values.dtype.kind == "f":
        digits = 4 if values.dtype.itemsize == 4 else 3
        return [f"{value:.{digits}f}" for value in values]
    if values.dtype.kind == "b":
        return ["true" if value else "false" for value in values]
    return [str(value) for value in values]
