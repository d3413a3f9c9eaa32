"""A matching of patches as a table: which patch of the H&E goes with which of the IHC, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from napari_her2.mapping.matching import match_patches, overlap_weights, paper_matching, soft_matching

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.chosen import ChosenPatches
    from napari_her2.mapping.matching import PatchMatching
    from napari_her2.mapping.slide_mapping import SlideMapping

__all__ = ["MATCHINGS", "MatchingName", "pair_table"]

MatchingName = Literal["one-to-one", "area", "soft", "paper"]
MATCHINGS: Final[tuple[MatchingName, ...]] = get_args(MatchingName)
"""Injective; by shares of area; by optimal transport; the paper's map of the normalised grid."""
_LEAST_MASS: Final = 1e-3


def pair_table(
    mapping: SlideMapping, he: ChosenPatches, ihc: ChosenPatches, how: MatchingName = "one-to-one"
) -> dict[str, NDArray[np.float64 | np.int64]]:
    """Return pairs of patches as columns of equal length, those without a partner last.

    Parameters
    ----------
    mapping : SlideMapping
    he, ihc : ChosenPatches
    how : {"one-to-one", "area", "soft", "paper"}
        :func:`match_patches`, :func:`overlap_weights`, :func:`soft_matching` (masses below 0.001 are
        left out) or :func:`paper_matching`.

    Returns
    -------
    dict of str to ndarray of shape (k,)
        ``he_row``, ``he_col``, ``he_x``, ``he_y`` and the same of ``ihc``: place in the grid and upper left
        corner in level-0 px, -1 where there is no partner; ``weight``: 1 for a pair of a matching one to
        one, else the share of area or mass, 0 without partner; ``residual_um``: from the carried centre
        of the H&E patch to that of its partner, NaN without partner.
    """
    one, two, weight = _weighted(mapping, he, ihc, how)
    carried = mapping.he_to_ihc_um(he.centres_um[one])
    residual = np.linalg.norm(carried - ihc.centres_um[two], axis=1)
    lonely = [np.setdiff1d(np.arange(len(side)), used) for side, used in ((he, one), (ihc, two))]
    missing = [np.full(len(side), -1, np.int64) for side in lonely]
    first, second = np.concatenate([one, lonely[0], missing[1]]), np.concatenate([two, missing[0], lonely[1]])
    alone = len(lonely[0]) + len(lonely[1])
    return {
        **_places("he", he, first),
        **_places("ihc", ihc, second),
        "weight": np.concatenate([weight, np.zeros(alone)]),
        "residual_um": np.concatenate([residual, np.full(alone, np.nan)]),
    }


def _weighted(
    mapping: SlideMapping, he: ChosenPatches, ihc: ChosenPatches, how: MatchingName
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    if how == "one-to-one":
        return _pairs(match_patches(mapping, he, ihc))
    if how == "paper":
        return _pairs(paper_matching(he, ihc))
    matrix = (overlap_weights if how == "area" else soft_matching)(mapping, he, ihc).tocoo()
    kept = matrix.data >= _LEAST_MASS
    return matrix.row[kept].astype(np.int64), matrix.col[kept].astype(np.int64), matrix.data[kept]


def _pairs(found: PatchMatching) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    return found.he_index, found.ihc_index, np.ones(len(found.he_index))


def _places(side: str, grid: ChosenPatches, index: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    there = index >= 0
    cells, corners = np.full((2, len(index), 2), -1, np.int64)
    cells[there] = grid.cells[index[there]]
    corners[there] = np.round(grid.grid.starts(grid.cells[index[there]])).astype(np.int64)
    return {
        f"{side}_row": cells[:, 0], f"{side}_col": cells[:, 1],
        f"{side}_x": corners[:, 1], f"{side}_y": corners[:, 0],
    }  # fmt: skip
