"""Cells in doubt and an intensity that nothing calibrates widen the intervals and change no count."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells import CellSettings, CellTable
from napari_her2.pipeline.counting import count_cells, in_doubt
from napari_her2.vocabulary import CELL_CLASSES

SETTINGS = CellSettings()
SIDE = 40


def cells(codes: np.ndarray, epithelial: np.ndarray | float = 1.0, level_od: float = 2.0) -> CellTable:
    """Cells 10 px apart, row by row, with these classes; stained ones at one intensity."""
    n = len(codes)
    stained = codes > 0
    return CellTable.of(
        row_px=np.arange(n) // SIDE * 10.0, col_px=np.arange(n) % SIDE * 10.0, class_code=codes,
        completeness=np.isin(codes, (2, 3)), intensity_od=np.where(stained, level_od, 0),
        membrane_width_um=np.ones(n), nucleus_area_um2=np.full(n, 40), epithelial=np.full(n, epithelial),
        in_tumour=np.ones(n, bool), excluded=np.zeros(n),
    )  # fmt: skip


def codes(share: float, name: str) -> np.ndarray:
    n = SIDE * SIDE
    found = np.zeros(n, np.uint8)
    found[np.random.default_rng(7).permutation(n)[: round(share * n)]] = CELL_CLASSES.index(name)
    return found


def interval(table: CellTable, name: str = "3+", **options: object) -> tuple[float, float]:
    options.setdefault("intensity_open", False)
    summary = count_cells(table, 1.0, SETTINGS, **options)  # type: ignore[arg-type]
    return summary.percent_ci95[name]  # type: ignore[index]


def test_unstained_cells_in_doubt_raise_the_upper_end_only() -> None:
    strong = codes(0.2, "3+")
    doubt = np.where(strong == 0, 0.5, 0.9)
    low, high = interval(cells(strong))
    doubtful_low, doubtful_high = interval(cells(strong, doubt))
    assert doubtful_high > 95
    assert high < 30
    assert doubtful_low == pytest.approx(low, abs=1)
    assert count_cells(cells(strong, doubt), 1.0, SETTINGS, intensity_open=False).percent["3+"] == 20


def test_what_a_person_judged_is_not_in_doubt() -> None:
    strong = codes(0.2, "3+")
    table = cells(strong, np.where(strong == 0, 0.5, 0.9))
    assert interval(table, judged=np.ones(len(table), bool)) == interval(cells(strong))


def test_sure_cells_are_not_in_doubt_and_neither_are_those_left_out() -> None:
    table = cells(np.zeros(4, np.uint8), np.array([0.1, 0.45, 0.71, 0.5]))
    table = CellTable.of(
        **{name: getattr(table, name) for name in table.__slots__ if name != "excluded"},
        excluded=np.array([1, 0, 0, 2]),
    )
    assert in_doubt(table, SETTINGS).tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("name", "level_od", "wider"),
    [("2+", 0.75, (False, True)), ("2+", 0.5, (False, False)), ("3+", 0.85, (True, False)),
     ("3+", 1.5, (False, False))],
)  # fmt: skip
def test_an_open_intensity_lets_cells_near_the_limit_be_either(
    name: str, level_od: float, wider: tuple[bool, bool]
) -> None:
    table = cells(codes(0.3, name), level_od=level_od)
    usual = interval(table)
    low, high = interval(table, intensity_open=True)
    assert (low < usual[0] - 10, high > usual[1] + 10) == wider
    judged = interval(table, intensity_open=True, judged=np.ones(len(table), bool))
    assert judged == pytest.approx(usual, abs=1.5)
