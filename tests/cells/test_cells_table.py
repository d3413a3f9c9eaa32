from __future__ import annotations

import numpy as np
import pytest

from napari_her2 import cells
from napari_her2.cells import CellTable
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS


def table() -> CellTable:
    return CellTable.of(
        row_px=[30.5, 10.5, 10.5],
        col_px=[5, 9, 2],
        class_code=[3, 0, 4],
        completeness=[1, 0, 0.5],
        intensity_od=[1.1, 0, 0.3],
        membrane_width_um=[2, 0, 1],
        nucleus_area_um2=[60, 50, 40],
        epithelial=[1, 0.9, 0.2],
        in_tumour=[True, True, False],
        excluded=[0, 0, 2],
    )


def test_the_face_is_what_is_exported() -> None:
    assert all(hasattr(cells, name) for name in cells.__all__)
    assert len(set(cells.__all__)) == len(cells.__all__)


def test_rows_are_sorted_by_place() -> None:
    assert table().points_px.tolist() == [[10.5, 2], [10.5, 9], [30.5, 5]]


def test_only_tumour_cells_without_a_reason_count() -> None:
    assert table().counts() == {"0": 1, "1+": 0, "2+": 0, "3+": 1, "unusual": 0}
    assert table().excluded_counts() == {"not_epithelial": 1}


def test_a_reason_that_stands_stays() -> None:
    again = table().exclude(np.ones(3, bool), "artefact")
    assert [EXCLUDED_REASONS[code] for code in again.excluded] == ["not_epithelial", "artefact", "artefact"]


def test_files_hold_x_before_y_and_words_for_codes() -> None:
    columns = table().to_columns()
    assert list(columns)[:3] == ["x", "y", "class"]
    assert columns["x"].tolist() == [2, 9, 5]
    assert columns["class"].tolist() == ["unusual", "0", "3+"]
    assert columns["excluded"].tolist() == ["not_epithelial", "", ""]


def test_columns_come_back() -> None:
    back = CellTable.from_columns(dict(table().to_columns()))
    for name in ("row_px", "col_px", "class_code", "completeness", "in_tumour", "excluded"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table(), name))


def test_joining_keeps_every_row() -> None:
    assert len(CellTable.concat([table(), table()])) == 6
    assert len(CellTable.concat([])) == len(CellTable.empty()) == 0


def test_unequal_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        table().with_(class_code=[1])


def test_codes_are_indices_of_the_shared_words() -> None:
    assert CELL_CLASSES[table().class_code[2]] == "3+"
