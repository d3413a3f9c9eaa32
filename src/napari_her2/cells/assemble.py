"""Tiles put together: one list of cells in a fixed order, whose borders name each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_her2.cells.membrane import Borders
from napari_her2.cells.tile import NUCLEUS_COLUMNS, OUTLINE_COLUMNS, Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["assemble"]

T = TypeVar("T", bound=np.generic)


def assemble(tiles: Sequence[Measured]) -> Measured:
    """Join tiles; rows are sorted by place and ``borders.neighbour`` becomes a row, or -1 for nobody.

    A border whose neighbour no tile has measured (beyond the region, or on glass) counts as free.
    """
    place = np.concatenate([t.row + 1j * t.col for t in tiles] or [np.empty(0, complex)])
    order = np.argsort(place, kind="stable")
    new_row = np.empty(len(place), np.int64)
    new_row[order] = np.arange(len(place))
    starts = np.cumsum([0, *(len(t) for t in tiles)])[:-1]
    cell = _column(
        [new_row[t.borders.cell + start] for t, start in zip(tiles, starts, strict=True)], np.int64
    )
    far = _column([t.far for t in tiles], np.complex128)
    single = (*NUCLEUS_COLUMNS, *OUTLINE_COLUMNS)
    return Measured(
        row=place.real[order],
        col=place.imag[order],
        **{name: _column([getattr(t, name) for t in tiles], np.float32)[order] for name in single},
        borders=_sorted(_borders(tiles, cell, _rows_of(far, place[order]))),
        far=far,
    )


def _column(parts: Sequence[NDArray[T]], dtype: type[T]) -> NDArray[T]:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _rows_of(far: NDArray[np.complex128], place: NDArray[np.complex128]) -> NDArray[np.int64]:
    """Row at which a place stands in the sorted list; -1 where it does not."""
    if not len(place):
        return np.full(len(far), -1, np.int64)
    at = np.minimum(np.searchsorted(place, far), len(place) - 1)
    return np.where(place[at] == far, at, -1)


def _borders(tiles: Sequence[Measured], cell: NDArray[np.int64], neighbour: NDArray[np.int64]) -> Borders:
    names = ("rays", "lined", "traced", "mass", "response_od", "width_um")
    columns = {name: _column([getattr(t.borders, name) for t in tiles], np.float32) for name in names}
    return Borders(cell=cell, neighbour=neighbour, **columns)


def _sorted(borders: Borders) -> Borders:
    order = np.lexsort((borders.neighbour, borders.cell))
    return replace(borders, **{name: getattr(borders, name)[order] for name in Borders.__slots__})
