"""The two tables of a case, ``cells.parquet`` and ``patches.parquet``; the order of rows is fixed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.store import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.cells import CellTable

__all__ = ["PatchTable", "read_cells", "read_patches", "write_cells", "write_patches", "write_table"]

NO_PATCH: Final = -1
"""In ``matched_row`` and ``matched_col``: the patch has no partner."""

_DTYPES: Final[dict[str, str]] = {
    "slide": "U3",
    "row": "i4",
    "col": "i4",
    "x": "i8",
    "y": "i8",
    "width": "i4",
    "height": "i4",
    "um_per_px": "f8",
    "tissue_fraction": "f4",
    "tumour_probability": "f4",
    "p0": "f4",
    "p1": "f4",
    "p2": "f4",
    "p3": "f4",
    "score": "U2",
    "matched_row": "i4",
    "matched_col": "i4",
    "residual_um": "f4",
    "excluded": "U16",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchTable:
    """Patches of both slides, one column per field of the contract (section 4).

    ``score`` and ``excluded`` are ``""`` where there is none; ``p0`` to ``p3``, ``tumour_probability``
    and ``residual_um`` are NaN where nothing is known; ``matched_row`` and ``matched_col`` are -1
    without a partner.
    """

    slide: NDArray[np.str_]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    um_per_px: NDArray[np.float64]
    tissue_fraction: NDArray[np.float32]
    tumour_probability: NDArray[np.float32]
    p0: NDArray[np.float32]
    p1: NDArray[np.float32]
    p2: NDArray[np.float32]
    p3: NDArray[np.float32]
    score: NDArray[np.str_]
    matched_row: NDArray[np.int32]
    matched_col: NDArray[np.int32]
    residual_um: NDArray[np.float32]
    excluded: NDArray[np.str_]

    @classmethod
    def of(cls, **columns: ArrayLike) -> PatchTable:
        """From array-likes of any dtype."""
        return cls(**{name: np.asarray(columns[name], dtype) for name, dtype in _DTYPES.items()})

    @classmethod
    def concat(cls, tables: list[PatchTable]) -> PatchTable:
        """Join tables in the order given."""
        return cls.of(**{name: np.concatenate([getattr(t, name) for t in tables]) for name in _DTYPES})

    def __len__(self) -> int:
        return len(self.row)

    def select(self, chosen: NDArray[np.bool_]) -> PatchTable:
        """Rows of a mask."""
        return PatchTable.of(**{name: getattr(self, name)[chosen] for name in _DTYPES})

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """Columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def write_cells(path: Path, cells: CellTable) -> None:
    """Write ``cells.parquet`` at once."""
    _write(path, cells.to_columns())


def read_cells(path: Path) -> CellTable:
    """Read ``cells.parquet``.

    Raises
    ------
    CaseError
        If it is missing or is no such table.
    """
    from napari_her2.cells import CellTable

    columns: dict[str, Any] = dict(_read(path))
    try:
        return CellTable.from_columns(columns)
    except KeyError as error:
        raise CaseError(f"{path.name} lacks the column or word {error}: run the case again") from error


def write_table(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns of equal length as Parquet, at once."""
    _write(path, columns)


def write_patches(path: Path, patches: PatchTable) -> None:
    """Write ``patches.parquet`` at once."""
    _write(path, patches.to_columns())


def read_patches(path: Path) -> PatchTable:
    """Read ``patches.parquet``; see :func:`read_cells`."""
    columns = _read(path)
    try:
        return PatchTable.of(**columns)
    except KeyError as error:
        raise CaseError(f"{path.name} lacks the column {error}: run the case again") from error


def _write(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_arrays([_to_arrow(column) for column in columns.values()], names=list(columns))
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def _to_arrow(column: NDArray[Any]) -> Any:
    """Numpy → arrow by way of buffers: ``pyarrow.array`` would import pandas, which takes a while."""
    import pyarrow as pa

    n = len(column)
    if column.dtype.kind == "U":
        words = [str(word).encode("utf-8") for word in column]
        starts = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int32)
        buffers = [None, pa.py_buffer(starts.tobytes()), pa.py_buffer(b"".join(words))]
        return pa.Array.from_buffers(pa.string(), n, buffers)
    if column.dtype.kind == "b":
        bits = np.packbits(column, bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), n, [None, pa.py_buffer(bits.tobytes())])
    data = pa.py_buffer(np.ascontiguousarray(column).tobytes())
    return pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), n, [None, data])


def _read(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowInvalid) as error:
        raise CaseError(f"{path.name} is missing or no Parquet table: run the case again") from error
    return {name: _to_numpy(table.column(name).combine_chunks()) for name in table.column_names}


def _to_numpy(column: Any) -> NDArray[Any]:
    """Arrow → numpy, without pandas as well."""
    import pyarrow as pa

    if not pa.types.is_floating(column.type) and not pa.types.is_integer(column.type):
        return np.array(column.to_pylist() or np.empty(0, "U1"))
    found = np.frombuffer(column.buffers()[1], column.type.to_pandas_dtype())
    return found[column.offset : column.offset + len(column)]
