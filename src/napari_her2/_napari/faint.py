"""The faintest stained cells of a case, to be judged one by one where null or ultralow is open. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.events import Steps

__all__ = ["MOST", "PICTURE_UM", "UNRESOLVED", "FaintCell", "FaintPicture", "faintest", "judge_faint"]

UNRESOLVED: Final = "null_ultralow_unresolved"
"""Flag of a case whose few faintly stained cells lie within the engine's own error."""
MOST: Final = 24
APART_UM: Final = 15.0
"""Two pictures of the same place tell no more than one."""
PICTURE_UM: Final = 40.0
FAINT: Final = CELL_CLASSES.index("1+")


@dataclass(frozen=True, slots=True)
class FaintCell:
    """One cell.

    Attributes
    ----------
    number : int
        1 is the faintest.
    row_px, col_px : float
        Level-0 pixels of the IHC.
    intensity_od : float
        Of its membrane, log10 OD.
    completeness : float
        Stained share of its outline, 0 to 1.
    said : str
        The class that a person gave it, ``out`` where left out; empty where nobody has said anything.
    """

    number: int
    row_px: float
    col_px: float
    intensity_od: float
    completeness: float
    said: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FaintPicture:
    """A cell at 40x, (rows, cols, 3) uint8."""

    number: int
    rgb: NDArray[np.uint8]


def faintest(
    cells: CellTable, said: Mapping[int, str], um_per_px: float, most: int = MOST
) -> tuple[FaintCell, ...]:
    """Return the evaluable cells that the program calls 1+, the faintest membrane first.

    Parameters
    ----------
    cells : CellTable
        Without verdicts on single cells: the list stays while a person judges.
    said : mapping of row to class
        What people said of cells; ``out`` where they left one out.
    um_per_px : float
        Of the IHC.
    most : int
        How many at most, none within 15 µm of another.
    """
    chosen = np.flatnonzero(cells.evaluable & (cells.class_code == FAINT))
    chosen = chosen[np.argsort(cells.intensity_od[chosen], kind="stable")]
    kept: list[int] = []
    points = cells.points_px
    for index in chosen:
        far = APART_UM / um_per_px
        if all(np.hypot(*(points[index] - points[other])) >= far for other in kept):
            kept.append(int(index))
        if len(kept) == most:
            break
    return tuple(
        FaintCell(
            number=number,
            row_px=float(cells.row_px[index]),
            col_px=float(cells.col_px[index]),
            intensity_od=float(cells.intensity_od[index]),
            completeness=float(cells.completeness[index]),
            said=said.get(index, ""),
        )
        for number, index in enumerate(kept, start=1)
    )


def judge_faint(folder: Path, cell: FaintCell, stained: bool, reader: str) -> Steps[None]:
    """Log a person's word on one faint cell; for a background thread.

    Parameters
    ----------
    folder : Path
        Of the case.
    cell : FaintCell
    stained : bool
        Whether its membrane is stained at all: it stays 1+, or becomes 0.
    reader : str
    """
    from napari_her2.case import read_case
    from napari_her2.review import ReviewLog, cell_entry

    yield from ()
    log = ReviewLog(read_case(folder).files.review, reader)
    verdict: Any = "1+" if stained else "0"
    place = [(cell.row_px, cell.col_px)]
    log.append(cell_entry(place, verdict, [cell.said or "1+"], tool="gallery"))
