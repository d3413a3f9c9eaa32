"""A person's verdicts on single cells: excluded, included again, another class.

They are kept in ``review.jsonl`` by the place of the cell, not in the table of a run: a new run finds its
cells anew, and each verdict is given to the cell that lies where the old one lay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CellVerdicts", "cell_entry", "read_cell_verdicts"]

ACT: Final = "cells"
EXCLUDE, INCLUDE, MODEL = "exclude", "include", "model"
READER_CODE: Final = EXCLUDED_REASONS.index("reader")
WORDS: Final = (EXCLUDE, INCLUDE, MODEL, *CELL_CLASSES)
"""Verdicts; ``model`` takes back what a person said."""


@dataclass(frozen=True, slots=True, eq=False)
class CellVerdicts:
    """What a person said about cells, one row per place.

    Attributes
    ----------
    points_px : float64 ndarray of shape (n, 2)
        (row, col) of the cells, level-0 pixels of the IHC.
    class_code : int16 ndarray of shape (n,)
        Class by a person, -1 where the model's holds.
    counts : int8 ndarray of shape (n,)
        1 included by a person, 0 excluded by a person, -1 where the model's word holds.
    """

    points_px: NDArray[np.float64]
    class_code: NDArray[np.int16]
    counts: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.points_px)

    def matched(self, points_px: NDArray[np.float64], reach_px: float) -> NDArray[np.intp]:
        """Return for each verdict the index of the nearest cell within ``reach_px``, -1 where none is."""
        from scipy.spatial import cKDTree

        if not len(points_px) or not len(self):
            return np.full(len(self), -1, np.intp)
        distance, index = cKDTree(points_px).query(self.points_px, distance_upper_bound=reach_px)
        return np.where(np.isfinite(distance), index, -1).astype(np.intp)

    def applied(
        self,
        class_code: NDArray[np.uint8],
        in_tumour: NDArray[np.bool_],
        excluded: NDArray[np.uint8],
        index: NDArray[np.intp],
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8]]:
        """Return the three columns of a cell table with the verdicts on them.

        Parameters
        ----------
        class_code, in_tumour, excluded : ndarrays of shape (n_cells,)
            Columns of a cell table.
        index : ndarray of shape (n_verdicts,)
            From :meth:`matched`.
        """
        codes, tumour, reasons = class_code.copy(), in_tumour.copy(), excluded.copy()
        there = index >= 0
        classed = there & (self.class_code >= 0)
        codes[index[classed]] = self.class_code[classed]
        out, back = there & (self.counts == 0), there & (self.counts == 1)
        # A cell that never counted keeps its reason; one that a reader takes in counts as tumour.
        rows = index[out]
        reasons[rows] = np.where(reasons[rows] == 0, READER_CODE, reasons[rows])
        reasons[index[back]] = 0
        tumour[index[back]] = True
        return codes, tumour, reasons


def cell_entry(
    points_px: ArrayLike, verdict: str, before: Sequence[str], tool: str = "click"
) -> dict[str, Any]:
    """Return the log's entry of one verdict on some cells.

    Parameters
    ----------
    points_px : array-like of shape (n, 2)
        (row, col).
    verdict : str
        ``exclude``, ``include``, ``model`` or the name of a class.
    before : sequence of str
        What held of each cell, in words, e.g. ``"2+"`` or ``"2+ (artefact)"``.
    tool : str
        How they were chosen.
    """
    if verdict not in WORDS:
        raise CaseError(f"{verdict!r} is no verdict on a cell: take one of {', '.join(WORDS)}")
    points = np.round(np.asarray(points_px, np.float64).reshape(-1, 2), 2)
    words = list(dict.fromkeys(before))
    return {
        "act": ACT,
        "tool": tool,
        "cells": len(points),
        "xy": points[:, ::-1].tolist(),
        "before": {word: sum(one == word for one in before) for word in words},
        "after": verdict,
    }


def read_cell_verdicts(entries: Iterable[Mapping[str, Any]]) -> CellVerdicts:
    """Return what holds after all entries of the log; later words replace earlier ones.

    Parameters
    ----------
    entries : iterable of mapping
        Of ``review.jsonl``, the oldest first; an entry ``undo-cells`` takes back the last ``cells``.
    """
    held: list[Mapping[str, Any]] = []
    for entry in entries:
        if entry.get("act") == ACT:
            held.append(entry)
        elif entry.get("act") == "undo-cells" and held:
            held.pop()
    said: dict[tuple[float, float], list[int]] = {}
    for entry in held:
        for x, y in entry["xy"]:
            _say(said, (y, x), str(entry["after"]))
    rows = {point: word for point, word in said.items() if word != [-1, -1]}
    words = np.array(list(rows.values()), np.int16).reshape(-1, 2)
    points = np.array(list(rows), np.float64).reshape(-1, 2)
    return CellVerdicts(points, words[:, 0], words[:, 1].astype(np.int8))


def _say(said: dict[tuple[float, float], list[int]], point: tuple[float, float], verdict: str) -> None:
    word = said.setdefault(point, [-1, -1])
    if verdict in CELL_CLASSES:
        word[0] = CELL_CLASSES.index(verdict)
    elif verdict == MODEL:
        word[:] = [-1, -1]
    else:
        word[1] = int(verdict == INCLUDE)
