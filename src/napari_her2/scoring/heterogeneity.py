"""Whether 3+ cells stand together, apart or mixed in, and where a small 3+ clone lies.

The three kinds are those of the CAP and ASCO/CAP statements on HER2 heterogeneity: *clustered* (two
topologically distinct populations), *mosaic* (intermingled) and *scattered* (isolated cells). Their wording
gives no formula; the one here is a choice. With tiles t of n_t cells and a share p_t of 3+, and p
overall, clustering is the intra-class correlation of Fleiss and Cuzick (1979)::

    rho = 1 - sum n_t p_t (1 - p_t) / ((N - T) p (1 - p))

0 where tiles differ no more than chance makes them, 1 where each tile is all 3+ or free of it. It does not
depend on the number of cells, which a plain variance ratio does. From 0.3 on the kind is clustered;
below, 3+ cells between 5 and 50 % (the bounds of CAP 2009) are a mosaic above 10 % and scattered else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.scoring.clusters import connected, squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clone", "Heterogeneity", "clustering", "find_clones", "heterogeneity"]

Kind = Literal["none", "clustered", "mosaic", "scattered", "not_assessable"]

CLUSTERED: Final = 0.3
MIXED_PERCENT: Final = (5.0, 50.0)
LEAST_REST_PERCENT: Final = 10.0
_FLOOR_PERCENT: Final = 1.0
_FLOOR_CELLS: Final = 10
_TILE_CELLS: Final = 20
_TILES: Final = 4
_SMALL_PERCENT: Final = 10.0
_CLONE_TILE_UM: Final = 50.0
_CLONE_TILE_CELLS: Final = 3
_CLONE_CELLS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A connected 3+ population.

    Attributes
    ----------
    outline_um : tuple of (row, col)
        Convex outline in micrometres, open.
    cells, strong_cells : int
        Evaluable and 3+ cells of its tiles.
    percent_of_all : float
        Its 3+ cells in percent of all evaluable cells.
    """

    outline_um: tuple[tuple[float, float], ...]
    cells: int
    strong_cells: int
    percent_of_all: float

    def to_json(self) -> dict[str, Any]:
        """Return the object of a report."""
        return {
            "outline_um": [list(point) for point in self.outline_um],
            "cells": self.cells,
            "strong_cells": self.strong_cells,
            "percent_of_all": self.percent_of_all,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """How 3+ cells lie among the others.

    Attributes
    ----------
    kind : {"none", "clustered", "mosaic", "scattered", "not_assessable"}
    clustering : float or None
        Intra-class correlation of 3+ over tiles; None where too few tiles hold enough cells.
    tiles : int
        Tiles it was taken from.
    percent_strong : float
        3+ cells in percent.
    clones : tuple of Clone
        3+ clones where 3+ cells are at most 10 %, the largest first.
    """

    kind: Kind
    clustering: float | None
    tiles: int
    percent_strong: float
    clones: tuple[Clone, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the flag ``heterogeneous`` is due."""
        return self.kind in ("clustered", "mosaic", "scattered") or bool(self.clones)

    def to_json(self) -> dict[str, Any]:
        """Return the object of a report."""
        return {
            "kind": self.kind,
            "clustering": self.clustering,
            "tiles": self.tiles,
            "percent_strong": self.percent_strong,
            "clones": [clone.to_json() for clone in self.clones],
        }


def heterogeneity(
    points_um: NDArray[np.float64], strong: NDArray[np.bool_], tile: NDArray[np.intp]
) -> Heterogeneity:
    """Judge how 3+ cells lie.

    Parameters
    ----------
    points_um : ndarray of shape (n, 2)
        Centroids (row, col).
    strong : ndarray of shape (n,)
        Whether a cell is 3+.
    tile : ndarray of shape (n,)
        Number of the tile it lies in.
    """
    percent = 100 * float(strong.mean()) if len(strong) else 0.0
    rho, tiles = clustering(strong, tile)
    small = 0 < percent <= _SMALL_PERCENT
    return Heterogeneity(
        kind=_kind(percent, int(strong.sum()), rho),
        clustering=rho,
        tiles=tiles,
        percent_strong=percent,
        clones=find_clones(points_um, strong) if small else (),
    )


def clustering(strong: NDArray[np.bool_], tile: NDArray[np.intp]) -> tuple[float | None, int]:
    """Intra-class correlation of 3+ over tiles of at least 20 cells, and how many those are."""
    cells = np.bincount(tile) if len(tile) else np.zeros(0, np.int64)
    positive = np.bincount(tile, weights=strong) if len(tile) else np.zeros(0)
    used = cells >= _TILE_CELLS
    number, cells, positive = int(used.sum()), cells[used], positive[used]
    total = int(cells.sum())
    share = float(positive.sum()) / total if total else 0.0
    if number < _TILES or not 0 < share < 1:
        return None, number
    within = float((positive * (1 - positive / cells)).sum())
    return 1 - within / ((total - number) * share * (1 - share)), number


def find_clones(points_um: NDArray[np.float64], strong: NDArray[np.bool_]) -> tuple[Clone, ...]:
    """Find connected 3+ populations: touching 50 um tiles in which at least half of the cells are 3+."""
    if not strong.any():
        return ()
    tile = squares(points_um, _CLONE_TILE_UM)
    cells = np.bincount(tile)
    positive = np.bincount(tile, weights=strong)
    place = np.zeros((len(cells), 2))
    place[tile] = np.floor(points_um / _CLONE_TILE_UM)
    rich = np.flatnonzero((positive >= _CLONE_TILE_CELLS) & (2 * positive >= cells))
    label = np.full(len(cells), -1)
    label[rich] = connected(place[rich], 1.5)  # the eight neighbours
    owner = label[tile]
    clones = (_clone(points_um, strong, owner == number) for number in range(label.max() + 1))
    return tuple(sorted((c for c in clones if c.strong_cells >= _CLONE_CELLS), key=lambda c: -c.strong_cells))


def _clone(points_um: NDArray[np.float64], strong: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Clone:
    members = int((inside & strong).sum())
    return Clone(
        outline_um=convex_outline(points_um[inside & strong]),
        cells=int(inside.sum()),
        strong_cells=members,
        percent_of_all=100 * members / len(strong),
    )


def _kind(percent: float, cells: int, rho: float | None) -> Kind:
    if percent < _FLOOR_PERCENT or cells < _FLOOR_CELLS or 100 - percent < LEAST_REST_PERCENT:
        return "none"
    if rho is None:
        return "not_assessable"
    if rho >= CLUSTERED:
        return "clustered"
    if not MIXED_PERCENT[0] <= percent <= MIXED_PERCENT[1]:
        return "none"
    return "mosaic" if percent > _SMALL_PERCENT else "scattered"


def convex_outline(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Corners of the convex hull (monotone chain), in order, each once."""
    ordered = [tuple(point) for point in np.unique(points, axis=0).tolist()]
    if len(ordered) < 3:
        return tuple((float(r), float(c)) for r, c in ordered)
    half = [_chain(ordered), _chain(ordered[::-1])]
    return tuple((float(r), float(c)) for r, c in (*half[0][:-1], *half[1][:-1]))


def _chain(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    hull: list[tuple[float, ...]] = []
    for point in points:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    return hull


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
