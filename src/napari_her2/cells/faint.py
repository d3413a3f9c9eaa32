"""Whether a cell has any membrane staining at all: the step between 0 and 1+.

No single threshold tells a faint membrane from grain on every slide. Eight measurements of the outline,
in units of what grain can feign on this slide, go into a logistic regression with squares and products;
then neighbours have a say, since HER2 comes in patches. The weights stand in ``faint.json``, fitted on
phantoms by benchmarks/cells_faint.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.tile import Measured

    Floats = NDArray[np.float64]

__all__ = [
    "FEATURES",
    "FaintWeights",
    "faint_features",
    "neighbours_logit",
    "neighbours_mean",
    "shipped_weights",
    "stained_share",
    "terms",
]

FEATURES: Final = ("line", "own", "arc", "neighbours", "level", "null", "bright", "free")

HIGHEST_LEVEL_OD: Final = 0.4
NULL_PERCENTILE: Final = 20
ROUNDS: Final = 3
SHARED: Final = 0.5
"""Share of a neighbour's own line that is taken off a common border."""


@dataclass(frozen=True, slots=True, eq=False)
class FaintWeights:
    """Weights of the two steps.

    Attributes
    ----------
    terms : float64 ndarray of shape (45,)
        Constant, the eight features, then their products (upper triangle, row by row).
    own, near, constant : float
        Weights of a cell's own logit and of its neighbours' mean probability (as a logit).
    """

    terms: Floats
    own: float
    near: float
    constant: float


@cache
def shipped_weights() -> FaintWeights:
    """Read the weights that come with the package."""
    kept = json.loads(files("napari_her2.cells").joinpath("faint.json").read_text(encoding="utf-8"))
    return FaintWeights(np.asarray(kept["terms"], np.float64), kept["own"], kept["near"], kept["constant"])


def stained_share(
    cells: Measured, *, factor: float = 1.0, weights: FaintWeights | None = None
) -> NDArray[np.float32]:
    """Estimate how surely each cell has a stained membrane.

    Parameters
    ----------
    cells : Measured
        Assembled, so that neighbours are rows.
    factor : float
        By which a line must stand out more than usual.
    weights : FaintWeights or None
        The shipped ones where None.

    Returns
    -------
    float32 ndarray of shape (cells,)
        0..1.
    """
    weights = weights or shipped_weights()
    alone = terms(faint_features(cells, factor)) @ weights.terms
    near = neighbours_logit(cells, alone)
    return _probability(weights.own * alone + weights.near * near + weights.constant).astype(np.float32)


def neighbours_logit(cells: Measured, alone: Floats) -> Floats:
    """Log odds of the neighbours' mean probability, from each cell's own logit."""
    return _logit(neighbours_mean(cells, _probability(alone)))


def faint_features(cells: Measured, factor: float = 1.0) -> Floats:
    """Features of each cell, (cells, 8), in the order of :data:`FEATURES`.

    Lines are given as ``log(1 + height / needed)``, where ``needed`` grows with the slide's null (what the
    best bright line reaches in its quietest cells) and with the DAB beside the line.
    """
    null = float(np.percentile(cells.bright_od, NULL_PERCENTILE)) if len(cells) else 0.0
    level = np.clip(cells.level_od, 0.0, HIGHEST_LEVEL_OD).astype(np.float64)
    needed = factor * (0.006 + 0.5 * null + 0.1 * level)

    def relative(height: NDArray[np.floating]) -> Floats:
        return np.asarray(np.log1p(0.999 * np.clip(height, -0.005 * factor, 0.3) / needed))

    columns = (
        relative(cells.line_od),
        relative(_own(cells)),
        relative(cells.arc_od),
        relative(neighbours_mean(cells, cells.line_od)),
        5 * level,
        np.full(len(cells), np.log(max(null, 1e-4))),
        np.log(np.maximum(cells.bright_od, 1e-4)),
        _free(cells),
    )
    return np.stack(columns, axis=1)


def terms(features: Floats) -> Floats:
    """One, the features, and their products, (cells, 45)."""
    rows, cols = np.triu_indices(features.shape[1])
    ones = np.ones((len(features), 1))
    return np.concatenate([ones, features, features[:, rows] * features[:, cols]], axis=1)


def _own(cells: Measured) -> Floats:
    """Return what a cell's borders show beyond what its neighbours explain, weighted by their rays."""
    borders, count = cells.borders, len(cells)
    known = borders.neighbour >= 0
    weight = borders.rays.astype(np.float64)
    total = np.maximum(borders.per_cell(weight, count), 1)
    own = cells.line_od.astype(np.float64)
    for _ in range(ROUNDS):
        left = borders.response_od - SHARED * np.where(known, own[borders.neighbour], 0)
        own = borders.per_cell(weight * left, count) / total
    return own


def neighbours_mean(cells: Measured, values: NDArray[np.floating]) -> Floats:
    """Mean of the neighbours' values, weighted by the shared borders; the cell's own without neighbours."""
    total, rays = cells.borders.of_neighbours(values)
    return np.where(rays > 0, total / np.maximum(rays, 1), values)


def _free(cells: Measured) -> Floats:
    """Share of the outline that faces nobody."""
    borders, count = cells.borders, len(cells)
    alone = np.where(borders.neighbour < 0, borders.rays, 0)
    return borders.per_cell(alone, count) / np.maximum(borders.per_cell(borders.rays, count), 1)


def _probability(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


def _logit(probability: Floats) -> Floats:
    """Log odds, softened so that no neighbourhood is ever certain."""
    return np.asarray(np.log((probability + 0.02) / (1.02 - probability)))
