"""Cells that touch: connected clusters of a graph whose edges are short distances."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.scoring.counts import COLUMNS, CellCounts
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["RADIUS_UM", "columns_of", "connected", "largest_clusters", "squares"]

RADIUS_UM: Final = 25.0
"""Centroids at most so far apart belong to one cluster; a choice, about two tumour cells."""

_PAIRS: Final = 2_000_000
_OFFSETS: Final = tuple((r, c) for r in (0, 1, 2) for c in (-2, -1, 0, 1, 2) if r or c > 0)
_BY_CLASS: Final = {
    "0": "none",
    "1+": "incomplete_faint",
    "2+": "complete_weak_moderate",
    "3+": "complete_intense",
    "unusual": "incomplete_moderate",
}
_COLUMN_OF_CODE: Final = np.array([COLUMNS.index(_BY_CLASS[name]) for name in CELL_CLASSES])
_STRONG: Final = (COLUMNS.index("complete_intense"), COLUMNS.index("incomplete_intense"))
_MIDDLE: Final = (COLUMNS.index("complete_weak_moderate"), COLUMNS.index("incomplete_moderate"))
_FAINT: Final = (COLUMNS.index("incomplete_faint"),)


def columns_of(codes: ArrayLike, intense: ArrayLike | None = None) -> NDArray[np.intp]:
    """Column of ``COLUMNS`` for each cell; unusual cells are moderate unless ``intense`` says otherwise."""
    classes = np.asarray(codes, np.intp)
    columns = _COLUMN_OF_CODE[classes]
    if intense is not None:
        strong = (classes == CELL_CLASSES.index("unusual")) & np.asarray(intense, bool)
        columns = np.where(strong, COLUMNS.index("incomplete_intense"), columns)
    return columns


def largest_clusters(
    row_um: ArrayLike,
    col_um: ArrayLike,
    codes: ArrayLike,
    intense: ArrayLike | None = None,
    *,
    radius_um: float = RADIUS_UM,
) -> CellCounts:
    """Cells in the largest connected cluster, for the rules of biopsies.

    For strong staining, for at least moderate and for any staining the largest cluster of such cells is
    found on its own. The result is cumulative: a kind's number is what its cluster has more than the
    clusters of stronger kinds, so that sums from the strongest down are sizes of real clusters.

    Parameters
    ----------
    row_um, col_um : array-like of shape (n,)
        Centroids in micrometres.
    codes : array-like of shape (n,)
        Class codes (index in ``CELL_CLASSES``).
    intense : array-like of shape (n,), optional
        Whether an unusual cell stains intensely; without it the split stays unknown.
    radius_um : float
        Largest distance of two centroids of one cluster.
    """
    points = np.column_stack([np.asarray(row_um, np.float64), np.asarray(col_um, np.float64)])
    columns = columns_of(codes, intense)
    found = np.zeros(len(COLUMNS), np.int64)
    level: tuple[int, ...] = ()
    for own in (_STRONG, _MIDDLE, _FAINT):
        level += own
        kinds = _largest(points, columns, level, radius_um)
        extra = int(kinds.sum() - found.sum())
        for column in own:
            taken = min(extra, int(kinds[column]))
            found[column] += taken
            extra -= taken
    return _as_counts(found, split=intense is not None)


def connected(points_um: NDArray[np.float64], radius_um: float) -> NDArray[np.intp]:
    """Label points by the component of the graph that joins all pairs within ``radius_um``.

    Points fall into squares whose diagonal is the radius, so each square is connected in itself; only
    pairs of near squares are looked at. Linear in the number of points at the densities of tissue.

    Parameters
    ----------
    points_um : ndarray of shape (n, 2)

    Returns
    -------
    ndarray of shape (n,)
        Labels from 0, in no particular order.
    """
    if not len(points_um):
        return np.zeros(0, np.intp)
    square = np.floor((points_um - points_um.min(axis=0)) / (radius_um / 2**0.5)).astype(np.int64) + 2
    stride = int(square[:, 1].max()) + 3
    keys, inverse, sizes = np.unique(
        square[:, 0] * stride + square[:, 1], return_inverse=True, return_counts=True
    )
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    sorted_points = points_um[order]
    first, second = [], []
    for shift in (rows * stride + cols for rows, cols in _OFFSETS):
        near = np.searchsorted(keys, keys + shift)
        pair = np.flatnonzero((near < len(keys)) & (keys[np.minimum(near, len(keys) - 1)] == keys + shift))
        touching = _touching(sorted_points, starts, np.column_stack([pair, near[pair]]), radius_um)
        first.append(pair[touching])
        second.append(near[pair][touching])
    labels = _components(len(keys), np.concatenate(first), np.concatenate(second))
    return np.unique(labels, return_inverse=True)[1][inverse].reshape(-1)


def squares(points_um: NDArray[np.float64], side_um: float) -> NDArray[np.intp]:
    """Give each point (n, 2) the number of its square of a grid; occupied squares count from 0."""
    place = np.floor(points_um / side_um).astype(np.int64)
    if not len(place):
        return np.zeros(0, np.intp)
    place -= place.min(axis=0)
    return np.unique(place[:, 0] * (place[:, 1].max() + 1) + place[:, 1], return_inverse=True)[1].reshape(-1)


def _touching(
    points: NDArray[np.float64], starts: NDArray[np.int64], pairs: NDArray[np.int64], radius: float
) -> NDArray[np.bool_]:
    """Whether some point of the one square lies within the radius of some point of the other."""
    touching = np.zeros(len(pairs), bool)
    for rows in _chunks((starts[pairs + 1] - starts[pairs]).prod(axis=1)):
        sizes = starts[pairs[rows] + 1] - starts[pairs[rows]]
        number = sizes.prod(axis=1)
        owner = np.repeat(np.arange(len(number)), number)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
        one = starts[pairs[rows][owner, 0]] + step // sizes[owner, 1]
        other = starts[pairs[rows][owner, 1]] + step % sizes[owner, 1]
        near = ((points[one] - points[other]) ** 2).sum(axis=1) <= radius**2
        touching[rows] = np.bincount(owner[near], minlength=len(number)) > 0
    return touching


def _chunks(sizes: NDArray[np.int64]) -> Iterator[slice]:
    """Cut rows into runs that hold about ``_PAIRS`` pairs each."""
    if len(sizes):
        group = np.cumsum(sizes) // _PAIRS
        edges = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(sizes)]
        yield from (slice(a, b) for a, b in pairwise(edges))


def _components(number: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Smallest index of each vertex's component: hook roots onto smaller neighbours, then flatten."""
    labels = np.arange(number)
    while True:
        one, other = labels[first], labels[second]
        if np.array_equal(one, other):
            return labels
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(labels, labels[labels]):
            labels = labels[labels]


def _largest(
    points: NDArray[np.float64], columns: NDArray[np.intp], level: tuple[int, ...], radius_um: float
) -> NDArray[np.int64]:
    """Cells by column in the largest cluster of cells of these columns."""
    member = np.isin(columns, level)
    if not member.any():
        return np.zeros(len(COLUMNS), np.int64)
    labels = connected(points[member], radius_um)
    best = labels == np.argmax(np.bincount(labels))
    return np.bincount(columns[member][best], minlength=len(COLUMNS))


def _as_counts(found: NDArray[np.int64], *, split: bool) -> CellCounts:
    number = {name: int(found[column]) for column, name in enumerate(COLUMNS)}
    parts = {key: number.pop(key) for key in ("incomplete_moderate", "incomplete_intense")}
    return CellCounts(**number, incomplete_moderate_intense=sum(parts.values()), **(parts if split else {}))
