"""Cells marked by eye against cells found: matching, rates and their intervals. Nothing here reads a picture.

The rule of the marks is docs/real_marks.md. What is counted: sure marks whose centre lies in a crop and
farther than ``MATCH_UM`` from its edge. Unsure marks and those near the edge may explain a cell that was
found, and are counted neither for nor against.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable

MATCH_UM: Final = 4.0
DRAWS: Final = 1000
UNUSUAL: Final = 4
"""Code of an incomplete moderate or intense membrane."""
COMPLETE_CODES: Final = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A fully marked rectangle, level-0 pixels."""

    file: str
    name: str
    row_px: int
    col_px: int
    height_px: int
    width_px: int

    def holds(self, points_px: NDArray[np.float64], inset_px: float = 0.0) -> NDArray[np.bool_]:
        """Whether points (n, 2) lie in it, at least ``inset_px`` from its edge."""
        low = np.array([self.row_px, self.col_px]) + inset_px
        high = np.array([self.row_px + self.height_px, self.col_px + self.width_px]) - inset_px
        return np.asarray(((points_px >= low) & (points_px < high)).all(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """Marked cells, one entry per cell; ``strength`` is 0 none to 3 intense."""

    crop: NDArray[np.str_]
    points_px: NDArray[np.float64]
    strength: NDArray[np.int64]
    complete: NDArray[np.bool_]
    epithelium: NDArray[np.bool_]
    sure: NDArray[np.bool_]

    def select(self, chosen: NDArray[Any]) -> Marks:
        """Marks of a mask or of indices."""
        return Marks(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Counted marks with what the program made of each, and false cells (``real`` is False).

    Attributes
    ----------
    real : bool
        A mark; False for a cell that was found where none is marked.
    strength, complete, epithelium
        By eye; 0 and False for false cells.
    found : bool
    code : int
        Class of the cell found, as in the cell table; -1 where none was found.
    counts : bool
        Whether the cell enters percentages.
    chance : float
        Of epithelium, by the program; NaN where no cell was found.
    completeness : float
    lattice : bool
        Found as a hole of the lattice of membranes, not by its nucleus.
    """

    crop: NDArray[np.str_]
    real: NDArray[np.bool_]
    strength: NDArray[np.int64]
    complete: NDArray[np.bool_]
    epithelium: NDArray[np.bool_]
    found: NDArray[np.bool_]
    code: NDArray[np.int64]
    counts: NDArray[np.bool_]
    chance: NDArray[np.float64]
    completeness: NDArray[np.float64]
    lattice: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.crop)

    def select(self, chosen: NDArray[Any]) -> Judged:
        """Entries of a mask or of indices."""
        return Judged(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Judged]) -> Judged:
        """Join."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def read_crops(path: Path) -> list[Crop]:
    """Crops of ``cell_crops.csv``."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            Crop(
                file=row["file"],
                name=row["crop"],
                row_px=int(row["y0"]),
                col_px=int(row["x0"]),
                height_px=int(row["height"]),
                width_px=int(row["width"]),
            )
            for row in csv.DictReader(lines)
        ]


def read_marks(path: Path) -> Marks:
    """Marks of ``cell_marks.csv``."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    flags = {
        name: np.array([row[name] == "1" for row in rows]) for name in ("complete", "epithelium", "sure")
    }
    return Marks(
        crop=np.array([row["crop"] for row in rows]),
        points_px=np.array([[float(row["y"]), float(row["x"])] for row in rows]),
        strength=np.array([int(row["class"]) for row in rows]),
        **flags,
    )


def of_file(file: str, crops: Sequence[Crop], marks: Marks) -> tuple[tuple[Crop, ...], Marks]:
    """Crops of one core and the marks in them."""
    own = tuple(crop for crop in crops if crop.file == file)
    return own, marks.select(np.isin(marks.crop, [crop.name for crop in own]))


def pair(
    truth: NDArray[np.float64], found: NDArray[np.float64], within: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair points one to one: as many pairs nearer than ``within`` as there can be, then the nearest.

    Returns
    -------
    tuple of int ndarrays
        Rows of ``truth`` and of ``found``.
    """
    if not len(truth) or not len(found):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    far = np.linalg.norm(truth[:, None] - found[None], axis=2)
    near = far <= within
    # A pair that is too far costs more than all near ones together: their number comes first.
    cost = np.where(near, far, within * (min(far.shape) + 1))
    rows, cols = linear_sum_assignment(cost)
    kept = near[rows, cols]
    return rows[kept].astype(np.int64), cols[kept].astype(np.int64)


def judge(crop: Crop, marks: Marks, cells: CellTable, um_per_px: float) -> Judged:
    """Compare the cells found in a crop with its marks.

    Parameters
    ----------
    crop : Crop
    marks : Marks
        Of that crop.
    cells : CellTable
        Of its whole picture.
    um_per_px : float
    """
    reach = MATCH_UM / um_per_px
    here = cells.select(crop.holds(cells.points_px))
    counted = marks.sure & crop.holds(marks.points_px, reach)
    asked, others = marks.select(counted), marks.select(~counted)
    which, cell = pair(asked.points_px, here.points_px, reach)
    free = np.setdiff1d(np.arange(len(here)), cell)
    _, explained = pair(others.points_px, here.points_px[free], reach)
    unexplained = np.delete(free, explained)
    false = unexplained[crop.holds(here.points_px, reach)[unexplained]]
    of_mark = np.full(len(asked.crop), -1)
    of_mark[which] = cell
    return Judged.concat([_entries(crop, asked, here, of_mark), _entries(crop, None, here, false)])


def _entries(crop: Crop, marks: Marks | None, cells: CellTable, index: NDArray[np.int64]) -> Judged:
    """Marks with the rows of their cells (-1 for none), or false cells where ``marks`` is None."""
    n, found = len(index), index >= 0
    nothing = np.zeros(n, bool)
    return Judged(
        crop=np.full(n, crop.name),
        real=np.full(n, marks is not None),
        strength=marks.strength if marks else np.zeros(n, np.int64),
        complete=marks.complete if marks else nothing,
        epithelium=marks.epithelium if marks else nothing,
        found=found,
        code=_of(cells.class_code, index, -1).astype(np.int64),
        counts=_of(cells.evaluable, index, False).astype(bool),
        chance=_of(cells.epithelial, index, np.nan),
        completeness=_of(cells.completeness, index, np.nan),
        lattice=_of(getattr(cells, "source", np.zeros(len(cells))) == 1, index, False).astype(bool),
    )


def _of(column: NDArray[Any], index: NDArray[np.int64], missing: float) -> NDArray[np.float64]:
    values = np.full(len(index), missing, float)
    values[index >= 0] = column[index[index >= 0]]
    return values


# ------------------------------------------------------------------ rates


def share(chosen: NDArray[np.bool_]) -> float:
    """Share that is true; NaN of nothing."""
    return float(chosen.mean()) if len(chosen) else float("nan")


def f1(hits: int, missed: int, false: int) -> float:
    """Harmonic mean of recall and precision; NaN where nothing is there and nothing was found."""
    every = 2 * hits + missed + false
    return 2 * hits / every if every else float("nan")


def auc(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Chance that one of the class scores higher than one that is not; ties count half, NaN not at all."""
    known = ~np.isnan(score)
    score, truth = score[known], truth[known]
    inside = int(truth.sum())
    outside = len(truth) - inside
    if not inside or not outside:
        return float("nan")
    return float((rankdata(score)[truth].sum() - inside * (inside + 1) / 2) / (inside * outside))


def balanced(called: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Mean of sensitivity and specificity."""
    return (share(called[truth]) + share(~called[~truth])) / 2


def detection_f1(rows: Judged) -> float:
    """Of all cells, counted or not, against all marks."""
    hits = int((rows.real & rows.found).sum())
    return f1(hits, int(rows.real.sum()) - hits, int((~rows.real).sum()))


def counted_f1(rows: Judged) -> float:
    """Of cells that enter percentages, against marks of epithelium."""
    hits = int((rows.epithelium & rows.counts).sum())
    return f1(hits, int(rows.epithelium.sum()) - hits, int((rows.counts & ~rows.epithelium).sum()))


def precision(rows: Judged) -> float:
    return share(rows.real[rows.found])


def recall(strength: int) -> Callable[[Judged], float]:
    """Share of marked epithelium of a class that was found."""
    return lambda rows: share(rows.found[rows.epithelium & (rows.strength == strength)])


def recall_other(rows: Judged) -> float:
    return share(rows.found[rows.real & ~rows.epithelium])


def _met(rows: Judged) -> Judged:
    """Marked epithelium that was found, whether it counts or not."""
    return rows.select(rows.epithelium & rows.found)


def agreement(rows: Judged) -> float:
    """Same class; *unusual* is right for a moderate or intense membrane."""
    met = _met(rows)
    return share((met.code == met.strength) | ((met.code == UNUSUAL) & (met.strength >= 2)))


def complete_stained(rows: Judged) -> float:
    """Balanced accuracy of complete or not where there is stain by eye; complete is called by 2+ and 3+."""
    met = _met(rows)
    met = met.select(met.strength > 0)
    return balanced(np.isin(met.code, COMPLETE_CODES), met.complete)


def complete_all(rows: Judged) -> float:
    """Balanced accuracy of complete or not over all epithelium; without stain is not complete."""
    met = _met(rows)
    return balanced(np.isin(met.code, COMPLETE_CODES), met.complete)


def completeness_auc(rows: Judged) -> float:
    met = _met(rows)
    met = met.select(met.strength > 0)
    return auc(met.completeness, met.complete)


def epithelium_auc(rows: Judged) -> float:
    """Of the program's probability of epithelium, or of its status where it states no other."""
    met = rows.select(rows.real & rows.found)
    return auc(met.chance, met.epithelium)


def dropped(rows: Judged) -> float:
    """Share of found epithelium that enters no percentage."""
    return share(~_met(rows).counts)


def stroma_counted(rows: Judged) -> float:
    """Share of other cells found that enter percentages."""
    return share(rows.counts[rows.real & rows.found & ~rows.epithelium])


def false_stained(rows: Judged) -> float:
    """Share of unstained epithelium found that is called stained, whether it counts or not."""
    met = _met(rows)
    return share(met.code[met.strength == 0] > 0)


FIGURES: Final[dict[str, Callable[[Judged], float]]] = {
    "detection F1, all cells": detection_f1,
    "precision, all cells": precision,
    "F1 of counted cells against epithelium": counted_f1,
    **{
        f"recall, epithelium {word}": recall(k)
        for k, word in enumerate(("unstained", "faint", "moderate", "intense"))
    },
    "recall, other cells": recall_other,
    "class agreement": agreement,
    "complete or not, stained, balanced accuracy": complete_stained,
    "complete or not, all epithelium, balanced accuracy": complete_all,
    "complete or not, stained, AUC of completeness": completeness_auc,
    "epithelium, AUC": epithelium_auc,
    "epithelium found that does not count": dropped,
    "other cells found that count": stroma_counted,
    "unstained epithelium called stained": false_stained,
}


def intervals(rows: Judged, draws: int = DRAWS, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Each figure with its 95 % interval, drawing whole crops."""
    members = [np.flatnonzero(rows.crop == name) for name in np.unique(rows.crop)]
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for _ in range(draws):
        drawn = rows.select(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        for name, figure in FIGURES.items():
            found[name].append(figure(drawn))
    return {name: (figure(rows), *_limits(found[name])) for name, figure in FIGURES.items()}


def _limits(values: list[float]) -> tuple[float, float]:
    known = np.array(values)[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def confusion(rows: Judged) -> Iterator[tuple[int, list[int]]]:
    """Counts of marked epithelium per strength: missed, then called each of the five classes."""
    for strength in range(4):
        codes = rows.code[rows.epithelium & (rows.strength == strength)]
        yield strength, [int((codes == code).sum()) for code in range(-1, 5)]
