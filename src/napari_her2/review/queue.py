"""Fields in the order in which a reader should look: those that could change the call come first.

A field is a square of the IHC. Its weight is how many of its cells are of the kinds whose re-classing leads
to another score soonest, over how many that takes, raised where there is reason to doubt what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.scoring import CellCounts, what_would_flip
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable

__all__ = ["Doubts", "Field", "FieldVerdicts", "field_entry", "read_field_verdicts", "review_queue"]

FIELD_UM: Final = 250.0
"""Side of a field: about what a 40x objective shows."""
FAR_ERROR_UM: Final = 40.0
"""Alignment worse than this is told; it doubles the weight."""
MUCH: Final = 0.25
"""Disagreement of more than this share of a field is told."""
FIRST: Final = 10.0
"""Weight of each place where a scorer contradicts the cells: more than cells alone ever give."""
LIKELY: Final = 5
"""Fewer cells than this are no field of their own."""
ACT: Final = "field"
VERDICTS: Final = ("accepted", "excluded", "changed", "comment")

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "complete_intense": ("3+",),
    "complete_weak_moderate": ("2+",),
    "incomplete_moderate_intense": ("unusual",),
    "incomplete_moderate": ("unusual",),
    "incomplete_intense": ("unusual",),
    "incomplete_faint": ("1+",),
    "none": ("0",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """What else is known of places; both take points (n, 2) in level-0 pixels of the IHC, give (n,).

    Attributes
    ----------
    error_um : callable or None
        Local error of the alignment, µm.
    apart : callable or None
        How many classes the scorers are apart.
    places : mapping of str to sequence of (x, y)
        Where a scorer contradicts the cells, in level-0 pixels, by the words for it: these fields come
        first.
    """

    error_um: Any = None
    apart: Any = None
    places: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the queue.

    Attributes
    ----------
    number : int
        1 is the first to look at.
    row_px, col_px, side_px : float
        Its corner and side in level-0 pixels of the IHC.
    cells : int
        Evaluable ones.
    by_class : tuple of (class, n)
        The strongest first.
    weight : float
        How much it could change the call.
    reasons : tuple of str
        In words.
    """

    number: int
    row_px: float
    col_px: float
    side_px: float
    cells: int
    by_class: tuple[tuple[str, int], ...]
    weight: float
    reasons: tuple[str, ...]

    @property
    def centre_px(self) -> tuple[float, float]:
        """(row, col) of its middle."""
        return self.row_px + self.side_px / 2, self.col_px + self.side_px / 2

    def holds(self, points_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 2) lie in it."""
        low = np.array([self.row_px, self.col_px])
        return np.asarray(((points_px >= low) & (points_px < low + self.side_px)).all(axis=1))


def review_queue(
    cells: CellTable,
    um_per_px: float,
    rule: str,
    *,
    doubts: Doubts | None = None,
    most: int = 30,
) -> tuple[Field, ...]:
    """Return the fields of a case, the weightiest first.

    Parameters
    ----------
    cells : CellTable
        With the gate and earlier verdicts applied.
    um_per_px : float
        Of the IHC.
    rule : str
        Name of the guideline.
    doubts : Doubts, optional
    most : int
        How many fields at most.
    """
    counted = cells.select(cells.evaluable)
    if not len(counted):
        return ()
    side = FIELD_UM / um_per_px
    tile = np.floor(counted.points_px / side).astype(np.int64)
    places, index = np.unique(tile, axis=0, return_inverse=True)
    table = np.zeros((len(places), len(CELL_CLASSES)), np.int64)
    np.add.at(table, (index.ravel(), counted.class_code), 1)
    weight, reasons = _weighed(table, rule)
    unsure = _unsure(cells, places, side)
    _add_doubts((weight, reasons), (places, side), doubts or Doubts(), unsure)
    order = [k for k in np.argsort(-weight, kind="stable") if table[k].sum() >= LIKELY][:most]
    return tuple(
        Field(
            number=number,
            row_px=float(places[k, 0] * side),
            col_px=float(places[k, 1] * side),
            side_px=side,
            cells=int(table[k].sum()),
            by_class=tuple((CELL_CLASSES[c], int(table[k, c])) for c in (3, 2, 4, 1, 0) if table[k, c]),
            weight=round(float(weight[k]), 4),
            reasons=tuple(reasons[k]),
        )
        for number, k in enumerate(order, start=1)
    )


def _weighed(table: NDArray[np.int64], rule: str) -> tuple[NDArray[np.float64], list[list[str]]]:
    """Weigh fields by the cells that could flip the call, and say so."""
    total = table.sum(axis=0)
    counts = CellCounts.from_codes(np.repeat(np.arange(len(CELL_CLASSES)), total))
    reasons: list[list[str]] = [[] for _ in table]
    best, number = np.zeros(len(table)), np.zeros(len(table))
    for flip in what_would_flip(counts, rule):
        names = {name for kind in flip.taken_from for name in KINDS.get(kind, ())}
        able = table[:, [CELL_CLASSES.index(name) for name in sorted(names)]].sum(axis=1)
        share = able / max(flip.cells, 1)
        better = share > best
        for k in np.flatnonzero(better):
            reasons[k] = [f"{able[k]} cells could lead to {flip.score} ({flip.cells} needed)"]
        best, number = np.where(better, share, best), np.where(better, able, number)
    # Fields that could flip the call alone are told apart by their cells.
    return np.minimum(best, 1.0) + 1e-3 * number, reasons


def _unsure(cells: CellTable, places: NDArray[np.int64], side: float) -> NDArray[np.int64]:
    """Count the cells of each field that are left out because the tumour's edge is unsure there."""
    edge = cells.select(cells.excluded == EXCLUDED_REASONS.index("unsure_gate"))
    found = {tuple(place): k for k, place in enumerate(places)}
    number = np.zeros(len(places), np.int64)
    for row, col in np.floor(edge.points_px / side).astype(np.int64):
        if (row, col) in found:
            number[found[row, col]] += 1
    return number


def _add_doubts(
    weighed: tuple[NDArray[np.float64], list[list[str]]],
    where: tuple[NDArray[np.int64], float],
    doubts: Doubts,
    unsure: NDArray[np.int64],
) -> None:
    (weight, reasons), (places, side) = weighed, where
    grid = (np.stack(np.meshgrid(*[np.arange(5) / 5 + 0.1] * 2, indexing="ij"), axis=-1)).reshape(-1, 2)
    for k, place in enumerate(places):
        points = (place + grid) * side
        if doubts.error_um is not None:
            error = float(np.median(doubts.error_um(points)))
            if error > FAR_ERROR_UM:
                weight[k] *= 2
                reasons[k].append(f"aligned to ± {min(error, 999):.0f} µm only")
        if doubts.apart is not None:
            share = float((doubts.apart(points) > 0).mean())
            weight[k] *= 1 + share
            if share > MUCH:
                reasons[k].append(f"scorers differ on {100 * share:.0f} % of it")
        for words, points in doubts.places.items():
            here = sum(tuple(np.floor(np.array((y, x)) / side)) == tuple(place) for x, y in points)
            weight[k] += FIRST * here
            reasons[k] += [words] * bool(here)
        if unsure[k]:
            reasons[k].append(f"{unsure[k]} cells at the unsure edge")


def field_entry(field: Field, verdict: str, um_per_px: float, comment: str = "") -> dict[str, Any]:
    """Return the log's entry of a verdict on a field; what it did to cells is an entry of its own."""
    x, y, side = (round(value, 1) for value in (field.col_px, field.row_px, field.side_px))
    entry: dict[str, Any] = {
        "act": ACT,
        "field": [x, y, side, side],
        "um_per_px": um_per_px,
        "after": verdict if verdict in VERDICTS else "comment",
    }
    return {**entry, "comment": comment} if comment else entry


@dataclass(frozen=True, slots=True)
class FieldVerdicts:
    """What was said of fields, by the corner (x, y) of each: the last verdict, and all comments."""

    verdicts: dict[tuple[float, float], str]
    comments: dict[tuple[float, float], tuple[str, ...]]

    def of(self, field: Field) -> str:
        """Return the verdict on a field; empty while there is none."""
        return self.verdicts.get(_corner(field), "")

    def comments_on(self, field: Field) -> tuple[str, ...]:
        """Return the comments on a field, the oldest first."""
        return self.comments.get(_corner(field), ())

    def seen(self, fields: Sequence[Field]) -> int:
        """Return on how many of the fields there is a verdict."""
        return sum(bool(self.of(field)) for field in fields)


def _corner(field: Field) -> tuple[float, float]:
    return round(field.col_px, 1), round(field.row_px, 1)


def read_field_verdicts(entries: Iterable[Mapping[str, Any]], who: str | None = None) -> FieldVerdicts:
    """Return what holds after all entries of the log; with ``who``, only what that reader said."""
    verdicts: dict[tuple[float, float], str] = {}
    comments: dict[tuple[float, float], tuple[str, ...]] = {}
    for entry in entries:
        if entry.get("act") != ACT or (who is not None and entry.get("who") != who):
            continue
        x, y = entry["field"][:2]
        if entry["after"] != "comment":
            verdicts[x, y] = str(entry["after"])
        if entry.get("comment"):
            comments[x, y] = (*comments.get((x, y), ()), str(entry["comment"]))
    return FieldVerdicts(verdicts, comments)
