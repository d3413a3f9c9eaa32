"""From points to patches: a partial one-to-one matching, and how much of each patch lies where.

A smooth map alone does not pair patches: two of them may round to the same partner. The matching
minimises the sum of squared distances of carried centres, where leaving a patch alone costs as much
as half of the largest distance allowed; it is exact, sparse, and injective by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.chosen import ChosenPatches
    from napari_her2.mapping.slide_mapping import SlideMapping

__all__ = ["PatchMatching", "match_patches", "overlap_weights", "paper_matching", "soft_matching"]

_REACH = 1.5
_SAMPLES = 8
_PRICE_STEPS = 2.0**20


@dataclass(frozen=True, slots=True, eq=False)
class PatchMatching:
    """Pairs of patches and what is left over.

    Attributes
    ----------
    he_index, ihc_index : ndarray of shape (k,), int64
        Positions in the two grids; pair by pair, in the order of the H&E grid.
    residual_um : ndarray of shape (k,)
        Distance of the carried H&E centre from its partner's centre.
    he_unmatched, ihc_unmatched : ndarray, int64
        Patches without a partner.
    """

    he_index: NDArray[np.int64]
    ihc_index: NDArray[np.int64]
    residual_um: NDArray[np.float64]
    he_unmatched: NDArray[np.int64]
    ihc_unmatched: NDArray[np.int64]

    @property
    def injective(self) -> bool:
        """Whether no patch of either slide occurs twice."""
        return all(len(np.unique(side)) == len(side) for side in (self.he_index, self.ihc_index))

    def partner_of_ihc(self, count: int) -> NDArray[np.int64]:
        """H&E position for each of ``count`` IHC patches, -1 for none."""
        partner = np.full(count, -1, np.int64)
        partner[self.ihc_index] = self.he_index
        return partner


def match_patches(
    mapping: SlideMapping, he: ChosenPatches, ihc: ChosenPatches, *, reach: float = _REACH
) -> PatchMatching:
    """Match the patches of two grids one to one, as far as the mapping brings them together.

    Parameters
    ----------
    mapping : SlideMapping
    he, ihc : ChosenPatches
    reach : float
        Farthest partner, in sides of an IHC patch.
    """
    carried = mapping.he_to_ihc_um(he.centres_um)
    rows, cols, distance = _neighbours(carried, _on_slide(carried, ihc), ihc, reach)
    cost = (distance / (reach * ihc.patch_um)) ** 2
    chosen_he, chosen_ihc = _assigned(rows, cols, cost, (len(he), len(ihc)))
    residual = np.linalg.norm(carried[chosen_he] - ihc.centres_um[chosen_ihc], axis=1)
    return _matching(chosen_he, chosen_ihc, residual, (len(he), len(ihc)))


def paper_matching(he: ChosenPatches, ihc: ChosenPatches) -> PatchMatching:
    """Return the plain map of the normalised grid, without looking at the image.

    Both sets of patches are laid on their bounding boxes, resampled to the smaller number of rows and
    of columns so that the map is one to one, and cells of the same place are paired.
    """
    if not len(he) or not len(ihc):
        return _matching(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), (len(he), len(ihc)))
    boxes = [(grid.cells.min(axis=0), np.ptp(grid.cells, axis=0) + 1) for grid in (he, ihc)]
    rows, cols = np.minimum(boxes[0][1], boxes[1][1])
    common = np.indices((rows, cols)).reshape(2, -1).T
    he_at, ihc_at = (
        grid.position_of(low + (2 * common + 1) * size // (2 * np.array([rows, cols])))
        for grid, (low, size) in zip((he, ihc), boxes, strict=True)
    )
    both = (he_at >= 0) & (ihc_at >= 0)
    order = np.argsort(he_at[both])
    pairs = he_at[both][order], ihc_at[both][order]
    return _matching(*pairs, np.full(len(order), np.nan), (len(he), len(ihc)))


def overlap_weights(mapping: SlideMapping, he: ChosenPatches, ihc: ChosenPatches) -> Any:
    """Share of each H&E patch's area that the mapping lays on each IHC patch.

    Returns
    -------
    scipy.sparse.csr_array of shape (len(he), len(ihc))
        Rows sum to at most 1; the rest falls on no patch of the IHC grid.
    """
    from scipy import sparse

    counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    corners = mapping.he_to_ihc_um(_corners(he)).reshape(-1, 4, 2)
    first, second = [counts[0]], [counts[1]]
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    for down in steps:
        for across in steps:
            share = np.array(
                [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
            )
            place = np.einsum("nkc,k->nc", corners, share)
            found = ihc.position_of(np.floor(place / ihc.patch_um).astype(np.int64))
            first.append(np.flatnonzero(found >= 0))
            second.append(found[found >= 0])
    rows, cols = np.concatenate(first), np.concatenate(second)
    weights = np.full(len(rows), 1 / _SAMPLES**2)
    return sparse.csr_array(sparse.coo_array((weights, (rows, cols)), shape=(len(he), len(ihc))))


def soft_matching(
    mapping: SlideMapping,
    he: ChosenPatches,
    ihc: ChosenPatches,
    *,
    blur: float = 0.25,
    strictness: float = 1.0,
) -> Any:
    """Entropic unbalanced optimal transport between the grids.

    Each patch has the mass 1; mass may be created or lost at the price of the Kullback-Leibler
    divergence times ``strictness`` (Chizat et al. 2018), which is what missing tissue asks for.

    Parameters
    ----------
    mapping : SlideMapping
    he, ihc : ChosenPatches
    blur : float
        Entropic regularisation, in squared sides of an IHC patch.
    strictness : float
        Price of mass that has no partner, in squared sides of an IHC patch.

    Returns
    -------
    scipy.sparse.csr_array of shape (len(he), len(ihc))
        Transported mass.
    """
    from scipy import sparse

    carried = mapping.he_to_ihc_um(he.centres_um)
    rows, cols, distance = _neighbours(carried, _on_slide(carried, ihc), ihc, 2.5)
    kernel = sparse.csr_array(
        (np.exp(-((distance / ihc.patch_um) ** 2) / blur), (rows, cols)), shape=(len(he), len(ihc))
    )
    left, right = np.ones(len(he)), np.ones(len(ihc))
    power = strictness / (strictness + blur)
    for _ in range(100):
        left = (1 / np.maximum(kernel @ right, 1e-12)) ** power
        right = (1 / np.maximum(kernel.T @ left, 1e-12)) ** power
    return sparse.csr_array(sparse.diags_array(left) @ kernel @ sparse.diags_array(right))


def _on_slide(carried: NDArray[np.float64], ihc: ChosenPatches) -> NDArray[np.bool_]:
    """Return which centres lie on the slide, or in the half patch by which a grid stands over its edge."""
    half = ihc.patch_um / 2
    last = ihc.slide_um + half
    return np.asarray((carried >= -half).all(axis=1) & (carried <= last).all(axis=1))


def _corners(grid: ChosenPatches) -> NDArray[np.float64]:
    offsets = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]) * grid.patch_um
    return np.asarray((grid.corners_um[:, None] + offsets).reshape(-1, 2))


def _neighbours(
    carried: NDArray[np.float64], usable: NDArray[np.bool_], ihc: ChosenPatches, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (H&E, IHC) closer than ``reach`` patches, and their distances in µm."""
    ring = int(np.ceil(reach)) + 1
    home = np.floor(carried / ihc.patch_um).astype(np.int64)
    steps = np.indices((2 * ring + 1, 2 * ring + 1)).reshape(2, -1).T - ring
    centres = ihc.centres_um
    found = []
    for step in steps:
        partner = ihc.position_of(home + step)
        rows = np.flatnonzero((partner >= 0) & usable)
        distance = np.linalg.norm(carried[rows] - centres[partner[rows]], axis=1)
        near = distance < reach * ihc.patch_um
        found.append((rows[near], partner[rows[near]], distance[near]))
    rows, cols, distances = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows, cols, distances


def _assigned(
    rows: NDArray[np.int64], cols: NDArray[np.int64], cost: NDArray[np.float64], sizes: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cheapest partial assignment; being alone costs one half on either side."""
    from scipy import sparse
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    few, many = sizes
    # each patch gets a stand-in on the other side; stand-ins of a pair that could meet may meet
    first = np.concatenate([rows, np.arange(few), few + np.arange(many), few + cols])
    second = np.concatenate([cols, many + np.arange(few), np.arange(many), many + rows])
    # Whole numbers keep the solver's sums exact (with fractions its row reduction can cycle for ever),
    # and none may be zero, which a sparse matrix takes for a missing edge.
    price = np.concatenate([cost, np.full(few, 0.5), np.full(many, 0.5), np.zeros(len(rows))])
    price = np.round(price * _PRICE_STEPS) + 1
    graph = sparse.csr_array((price, (first, second)), shape=(few + many, few + many))
    left, right = min_weight_full_bipartite_matching(graph)
    real = (left < few) & (right < many)
    order = np.argsort(left[real])
    return left[real][order].astype(np.int64), right[real][order].astype(np.int64)


def _matching(
    he: NDArray[np.int64], ihc: NDArray[np.int64], residual: NDArray[np.float64], sizes: tuple[int, int]
) -> PatchMatching:
    alone = [
        np.setdiff1d(np.arange(count), used, assume_unique=False)
        for count, used in zip(sizes, (he, ihc), strict=True)
    ]
    return PatchMatching(he, ihc, residual, alone[0], alone[1])
