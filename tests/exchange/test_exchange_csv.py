"""CSV of points: what is odd is named with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_her2.errors import CaseError
from napari_her2.exchange import read_csv, write_csv

if TYPE_CHECKING:
    from pathlib import Path


def test_points_are_row_col_and_other_columns_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes('\ufeffname,x, y\r\n"a, b",1.5,2\r\n\r\n00,3e2,4\r\n'.encode())
    table = read_csv(path)
    assert table.columns == ("name", "x", "y")
    np.testing.assert_array_equal(table.points(), [[2, 1.5], [4, 300]])
    assert [row[0] for row in table.rows] == ["a, b", "00"]


def test_a_table_without_rows_has_no_points(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("x,y\n")
    assert read_csv(tmp_path / "p.csv").points().shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no column 'x'"),
        ("x,y\n1\n", "line 2: 1 values for 2 columns"),
        ("x,y\n1,2\nthree,4\n", "line 3: x is 'three'"),
        ("x,y\n1,nan\n", "line 2: y is 'nan'"),
        ("x,y\n1,inf\n", "not a finite number"),
        ("x,x\n1,2\n", "twice"),
        ('x,y\n"1,2\n', "not a CSV"),
        ("x,y\n1,\u00e9\n".encode("latin-1"), "UTF-8"),
        (b"\x00\xff\xfe", "UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path: Path, text: str | bytes | None, says: str) -> None:
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CaseError, match=says) as caught:
        read_csv(path).points()
    assert "bad.csv" in str(caught.value)


def test_columns_are_written_as_they_can_be_read(tmp_path: Path) -> None:
    columns = {
        "x": np.array([1.23456, 2.0]),
        "k": np.array([0.5, 1], np.float32),
        "in_tumour": np.array([True, False]),
        "class": np.array(["3+", 'odd "name", with comma']),
        "n": [1, 2],
    }
    write_csv(tmp_path / "o.csv", columns)
    table = read_csv(tmp_path / "o.csv")
    assert table.columns == tuple(columns)
    assert table.rows[0] == ("1.235", "0.5000", "true", "3+", "1")
    assert table.rows[1][3] == 'odd "name", with comma'
