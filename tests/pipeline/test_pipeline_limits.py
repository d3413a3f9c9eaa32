from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells import CellSettings, CellTable, Unread
from napari_her2.pipeline.limits import much_unread, near_intense, resolved, unread_qc
from napari_her2.scoring import CellCounts, apply_rule, control_call
from napari_her2.vocabulary import CELL_CLASSES

MUCH = Unread(share=0.8, area_um2=9000.0, per_mm2=20000.0)
LITTLE = Unread(share=0.8, area_um2=90.0, per_mm2=600.0)
READ = Unread(share=0.2, area_um2=9000.0, per_mm2=20000.0)


def counts(**percent: int) -> CellCounts:
    names = {"three": "3+", "two": "2+", "one": "1+", "none": "0"}
    return CellCounts.from_codes(
        np.repeat([CELL_CLASSES.index(names[key]) for key in percent], [5 * n for n in percent.values()])
    )


@pytest.mark.parametrize(("unread", "much"), [(None, False), (MUCH, True), (LITTLE, False), (READ, False)])
def test_only_much_unread_stain_matters(unread: Unread | None, much: bool) -> None:
    assert much_unread(unread) is much


@pytest.mark.parametrize(
    ("cells", "unread", "score", "flagged"),
    [
        (counts(one=50, none=50), MUCH, None, True),
        (counts(two=50, none=50), MUCH, None, True),
        (counts(three=50, none=50), MUCH, "3+", True),
        (counts(one=50, none=50), LITTLE, "1+", False),
        (counts(one=50, none=50), READ, "1+", False),
    ],
)
def test_unread_stain_withholds_what_it_could_change(
    cells: CellCounts, unread: Unread, score: str | None, flagged: bool
) -> None:
    call = resolved(apply_rule(cells, "asco-cap-breast-2023"), unread, ())
    assert call.score == score
    assert ("unread_stain" in call.flags) is flagged
    assert ("80 % of the membrane-like staining" in call.reason) is flagged


@pytest.mark.parametrize(
    ("expected", "found", "open_"), [("0", "none", False), ("3+", "three", True), ("0", "three", True)]
)
def test_null_or_ultralow_needs_a_control_without_stain(expected: str, found: str, open_: bool) -> None:
    control = control_call(counts(**{found: 100}), expected)  # type: ignore[arg-type]
    call = resolved(apply_rule(counts(one=5, none=95), "asco-cap-breast-2023"), None, (control,))
    assert call.score == "0"
    assert ("null_ultralow_unresolved" in call.flags) is open_
    assert (call.category == "negative") is open_


@pytest.mark.parametrize(
    ("strong", "level", "near"), [(0.2, 0.8, True), (0.2, 0.5, False), (0.2, 1.6, False), (0.05, 0.8, False)]
)
def test_intensity_is_uncalibrated_where_a_tenth_of_the_cells_lies_near_the_limit(
    strong: float, level: float, near: bool
) -> None:
    n = 200
    is_strong = np.arange(n) < strong * n
    table = CellTable.of(
        row_px=np.arange(n), col_px=np.zeros(n), class_code=np.where(is_strong, 2, 0),
        completeness=is_strong, intensity_od=np.where(is_strong, level, 0), membrane_width_um=np.ones(n),
        nucleus_area_um2=np.full(n, 40), epithelial=np.ones(n), in_tumour=np.ones(n, bool),
        excluded=np.zeros(n),
    )  # fmt: skip
    assert near_intense(table, CellSettings()) is near


def test_the_report_has_the_share_and_the_area() -> None:
    assert unread_qc(MUCH) == {"share": 0.8, "area_um2": 9000.0}
    assert unread_qc(None) is None
