"""Tables of a case come back as they were, and cost no import of pandas."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.case import PatchTable, read_cells, read_patches, write_cells, write_patches
from napari_her2.case.tables import _DTYPES
from napari_her2.cells import CellTable
from napari_her2.errors import CaseError

if TYPE_CHECKING:
    from pathlib import Path


def some_cells(n: int) -> CellTable:
    rng = np.random.default_rng(n)
    return CellTable.of(
        row_px=rng.uniform(0, 999, n), col_px=rng.uniform(0, 999, n), class_code=rng.integers(0, 5, n),
        completeness=rng.uniform(0, 1, n), intensity_od=rng.uniform(0, 2, n),
        membrane_width_um=rng.uniform(0, 3, n),
        nucleus_area_um2=rng.uniform(9, 99, n), epithelial=np.ones(n), in_tumour=np.ones(n),
        excluded=rng.integers(0, 9, n),
    )  # fmt: skip


@pytest.mark.parametrize("n", [0, 1, 9, 1000])
def test_cells_come_back(n: int, tmp_path: Path) -> None:
    cells = some_cells(n)
    write_cells(tmp_path / "cells.parquet", cells)
    found = read_cells(tmp_path / "cells.parquet")
    for name in ("row_px", "col_px", "class_code", "completeness", "intensity_od", "in_tumour", "excluded"):
        np.testing.assert_array_equal(getattr(found, name), getattr(cells, name))


def test_other_programs_read_the_tables(tmp_path: Path) -> None:
    from pyarrow import parquet

    cells = some_cells(7)
    write_cells(tmp_path / "cells.parquet", cells)
    rows = parquet.read_table(tmp_path / "cells.parquet").to_pylist()
    assert rows[0]["x"] == cells.col_px[0]
    assert isinstance(rows[0]["in_tumour"], bool)
    assert {row["class"] for row in rows} <= {"0", "1+", "2+", "3+", "unusual"}


@pytest.mark.parametrize("n", [0, 5])
def test_patches_come_back(n: int, tmp_path: Path) -> None:
    columns = {name: np.full(n, "he" if "U" in kind else 3) for name, kind in _DTYPES.items()}
    table = PatchTable.of(**columns)
    write_patches(tmp_path / "p.parquet", table)
    found = read_patches(tmp_path / "p.parquet")
    assert len(found) == n
    for name, column in table.to_columns().items():
        np.testing.assert_array_equal(getattr(found, name), column)
        assert getattr(found, name).dtype == column.dtype


def test_what_is_no_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"none\.parquet"):
        read_cells(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CaseError, match=r"bad\.parquet"):
        read_cells(tmp_path / "bad.parquet")
    write_cells(tmp_path / "cells.parquet", some_cells(3))
    with pytest.raises(CaseError, match="lacks the column"):
        read_patches(tmp_path / "cells.parquet")


def test_no_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from napari_her2.case import read_cells, write_cells\n"
        "from napari_her2.cells import CellTable; path = Path(sys.argv[1])\n"
        "write_cells(path, CellTable.empty()); read_cells(path); print('pandas' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "c.parquet")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "False\n"
