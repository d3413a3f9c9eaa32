"""From borders to membranes of single cells, and from membranes to classes.

A border between two cells carries the membranes of both, and light microscopy sees one line. What a
cell itself contributes is found from all its borders together: the mass of a border is the sum of
the two cells' own masses, so a cell's own is the median over its borders of what the neighbours
leave over. An unstained cell beside a strongly stained one is then not taken for a stained one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.membrane import Borders
    from napari_her2.cells.settings import CellSettings

__all__ = ["Membranes", "class_codes", "own_membranes"]

ROUNDS: Final = 4
NOISE_MASS: Final = 0.05
TRACE_MASS: Final = 0.01
SHARE: Final = (0.1, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membranes:
    """The membrane of each cell, one entry per cell.

    Attributes
    ----------
    stained : bool
        Whether there is a membrane at all.
    completeness : float32
        Share of the outline whose line is the cell's own and at least as high as a weak membrane's, 0..1.
    intensity_od : float32
        Upper quartile of the line's height over the outline, as far as it is the cell's own, on the scale
        of a slide whose DAB-free nuclei have :data:`~napari_her2.cells.planes.USUAL_NUCLEUS_OD`; 0
        without stain.
    width_um : float32
        Of the stained outline; 0 without stain.
    own_mass : float32
        The cell's own part of the mass of its borders, log10 OD x um.
    """

    stained: NDArray[np.bool_]
    completeness: NDArray[np.float32]
    intensity_od: NDArray[np.float32]
    width_um: NDArray[np.float32]
    own_mass: NDArray[np.float32]


def own_membranes(
    borders: Borders, height_od: NDArray[np.floating], stained: NDArray[np.bool_], scale: float = 1.0
) -> Membranes:
    """Attribute each border to its two cells.

    Parameters
    ----------
    borders : Borders
        Sorted by cell; ``neighbour`` is a row, -1 for nobody.
    height_od : ndarray of shape (cells,)
        Upper quartile of the line's height along each outline, log10 OD.
    stained : bool ndarray of shape (cells,)
        Whether a cell has a membrane at all, see :mod:`napari_her2.cells.faint`.
    scale : float
        By which heights on this slide are multiplied to be comparable with other slides.
    """
    count = len(stained)
    own = _own_mass(borders, count)
    mine = _share(own, borders)
    rays = np.maximum(borders.per_cell(borders.rays, count), 1)
    share = borders.per_cell(mine * borders.rays, count) / rays
    traced = mine * borders.traced
    some = np.maximum(borders.per_cell(traced, count), 1e-6)
    return Membranes(
        stained=stained,
        completeness=(borders.per_cell(mine * borders.lined, count) / rays).astype(np.float32),
        intensity_od=np.where(stained, np.maximum(scale * share * height_od, 0), 0).astype(np.float32),
        width_um=np.where(stained, borders.per_cell(traced * borders.width_um, count) / some, 0).astype(
            np.float32
        ),
        own_mass=own.astype(np.float32),
    )


def _own_mass(borders: Borders, count: int) -> NDArray[np.float64]:
    shared = borders.neighbour >= 0
    own = _median(borders, np.where(shared, 0.5, 1.0) * borders.mass, count)
    for _ in range(ROUNDS):
        left = borders.mass - np.where(shared, own[borders.neighbour], 0.0)
        own = 0.5 * own + 0.5 * np.maximum(_median(borders, left, count), 0.0)
    return own


def _median(borders: Borders, values: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Median per cell over its borders, weighted by their rays."""
    order = np.lexsort((values, borders.cell))
    of, weight = borders.cell[order], borders.rays[order].astype(np.float64)
    upto = np.cumsum(weight)
    before = np.concatenate([[0.0], np.cumsum(np.bincount(of, weight, minlength=count))])
    half = 0.5 * (before[of] + before[of + 1])
    is_middle = (upto >= half) & (upto - weight < half)
    middle = np.zeros(count)
    middle[of[is_middle]] = values[order][is_middle]
    return middle


def _share(own: NDArray[np.float64], borders: Borders) -> NDArray[np.float64]:
    """How far the stain of a border is the cell's own, 0..1: not when the neighbour explains it alone.

    Small masses are mostly noise and weigh less than in proportion.
    """
    sure = own * own / (own + NOISE_MASS) + TRACE_MASS
    me = sure[borders.cell]
    other = np.where(borders.neighbour >= 0, sure[borders.neighbour], 0.0) if len(own) else me
    return np.clip((me / (me + other) - SHARE[0]) / (SHARE[1] - SHARE[0]), 0.0, 1.0)


def class_codes(membranes: Membranes, settings: CellSettings) -> NDArray[np.uint8]:
    """Class of each cell, as an index in ``vocabulary.CELL_CLASSES`` (ASCO/CAP 2018/2023, cell by cell).

    Complete and intense: 3+; complete and weak to moderate: 2+; incomplete and moderate to intense:
    unusual; else faint: 1+; without stain: 0.
    """
    code = {name: i for i, name in enumerate(CELL_CLASSES)}
    moderate, intense = (membranes.intensity_od >= at for at in (settings.moderate_od, settings.intense_od))
    complete = membranes.stained & (membranes.completeness >= settings.complete_from)
    choices = [complete & intense, complete, membranes.stained & moderate, membranes.stained]
    codes = [code["3+"], code["2+"], code["unusual"], code["1+"]]
    return np.select(choices, codes, code["0"]).astype(np.uint8)
