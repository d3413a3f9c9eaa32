"""Patches of both slides: what their cells say, and which patch of the H&E belongs to which of the IHC.

Until models look at patches, an IHC patch has the class of most of its evaluable cells, and an H&E
patch the mean tumour probability of its area.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.case import PatchTable
from napari_her2.scoring import CellCounts
from napari_her2.vocabulary import CELL_CLASSES, SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask, TumourRaster

__all__ = ["Grid", "he_patches", "ihc_patches", "match_patches", "patch_counts"]

LEAST_TISSUE: Final = 0.1
LEAST_CELLS: Final = 5
"""Fewer evaluable cells give an IHC patch no class."""
REACH: Final = 1.5
"""Patches further apart than this many IHC patches are no partners."""
_CLASS_OF: Final = np.array(
    [SCORES.index("2+") if name == "unusual" else SCORES.index(name) for name in CELL_CLASSES]
)


@dataclass(frozen=True, slots=True)
class Grid:
    """Patches of ``size_px`` at ``um_per_px``, from the slide's corner on (contracts, section 1).

    Patch (r, c) starts at level-0 pixel round(r * s), round(c * s) with s = ``step_px``.
    """

    size_px: int
    um_per_px: float
    step_px: float
    shape: tuple[int, int]

    @classmethod
    def he(cls, slide: Slide) -> Grid:
        """Patches of 224 px at 0.5 µm/px."""
        return cls._over(slide, 224, 0.5)

    @classmethod
    def ihc(cls, slide: Slide) -> Grid:
        """Patches of 512 px at 0.25 µm/px."""
        return cls._over(slide, 512, 0.25)

    @classmethod
    def _over(cls, slide: Slide, size_px: int, um_per_px: float) -> Grid:
        step = size_px * um_per_px / slide.um_per_px
        rows, cols = (max(int(np.ceil(n / step)), 1) for n in slide.shape)
        return cls(size_px, um_per_px, step, (rows, cols))

    @property
    def size_um(self) -> float:
        """Side of a patch."""
        return self.size_px * self.um_per_px

    def index_of(self, points_px: NDArray[np.float64]) -> NDArray[np.intp]:
        """Flat patch index of points (n, 2)."""
        starts = [np.round(np.arange(n) * self.step_px) for n in self.shape]
        row, col = (
            np.clip(np.searchsorted(s, points_px[:, k], side="right") - 1, 0, None)
            for k, s in enumerate(starts)
        )
        return np.asarray(row * self.shape[1] + col, np.intp)

    def table(self, slide: str, tissue: TissueMask) -> PatchTable:
        """All patches with their places and tissue; what is not known yet is empty."""
        row, col = (axis.ravel() for axis in np.indices(self.shape))
        y, x = (np.round(axis * self.step_px).astype(np.int64) for axis in (row, col))
        bottom, right = (np.round((axis + 1) * self.step_px).astype(np.int64) for axis in (row, col))
        n = len(row)
        nan, none, empty = np.full(n, np.nan), np.full(n, -1), np.full(n, "")
        share = self.mean_of(tissue.counted.astype(np.float32), tissue.level0_px)
        return PatchTable.of(
            slide=np.full(n, slide), row=row, col=col, x=x, y=y, width=right - x, height=bottom - y,
            um_per_px=np.full(n, self.um_per_px), tissue_fraction=share, tumour_probability=nan,
            p0=nan, p1=nan, p2=nan, p3=nan, score=empty, matched_row=none, matched_col=none,
            residual_um=nan, excluded=np.where(share < LEAST_TISSUE, "no_tissue", ""),
        )  # fmt: skip

    def mean_of(self, raster: NDArray[np.float32], level0_px: float) -> NDArray[np.float64]:
        """Mean of a raster over each whole patch; what lies beyond the raster counts as 0."""
        centres = [(np.arange(n) + 0.5) * level0_px for n in raster.shape]
        starts = [np.round(np.arange(n) * self.step_px) for n in self.shape]
        row, col = (
            np.clip(np.searchsorted(s, c, side="right") - 1, 0, None)
            for s, c in zip(starts, centres, strict=True)
        )
        sums = np.zeros(self.shape)
        np.add.at(sums, (row[:, None], col[None, :]), raster)
        return np.minimum(sums / (self.step_px / level0_px) ** 2, 1.0).ravel()


def he_patches(slide: Slide, tissue: TissueMask, tumour: TumourRaster) -> PatchTable:
    """Patches of the H&E that hold tissue."""
    grid = Grid.he(slide)
    table = grid.table("he", tissue)
    probability = grid.mean_of(tumour.probability, tumour.level0_px) / np.maximum(table.tissue_fraction, 1e-6)
    table = replace(table, tumour_probability=np.minimum(probability, 1).astype(np.float32))
    return table.select(table.tissue_fraction > 0)


def ihc_patches(slide: Slide, tissue: TissueMask, cells: CellTable) -> PatchTable:
    """Patches of the IHC that hold tissue, with the classes of their evaluable cells."""
    grid = Grid.ihc(slide)
    table = grid.table("ihc", tissue)
    n = len(table)
    at = grid.index_of(cells.points_px)
    counted = cells.evaluable
    counts = np.zeros((n, len(SCORES)))
    np.add.at(counts, (at[counted], _CLASS_OF[cells.class_code[counted]]), 1)
    total, tumour = counts.sum(axis=1), np.bincount(at[cells.in_tumour], minlength=n)
    share = np.divide(counts, total[:, None], out=np.full_like(counts, np.nan), where=total[:, None] > 0)
    epithelium = np.divide(tumour, np.bincount(at, minlength=n), out=np.zeros(n), where=tumour > 0)
    # Among equal counts the stronger class wins.
    best = len(SCORES) - 1 - np.argmax(counts[:, ::-1], axis=1)
    enough = total >= LEAST_CELLS
    table = replace(
        table,
        tumour_probability=epithelium.astype(np.float32),
        **{f"p{k}": share[:, k].astype(np.float32) for k in range(len(SCORES))},
        score=np.where(enough, np.array(SCORES)[best], "").astype("U2"),
        excluded=np.where(table.excluded != "", table.excluded, np.where(enough, "", "few_cells")).astype(
            "U16"
        ),
    )
    return table.select(table.tissue_fraction > 0)


def patch_counts(patches: PatchTable) -> CellCounts:
    """Count IHC patches by their class, as the paper's rule takes them."""
    number = {score: int(np.count_nonzero(patches.score == score)) for score in SCORES}
    return CellCounts(
        complete_intense=number["3+"],
        complete_weak_moderate=number["2+"],
        incomplete_faint=number["1+"],
        none=number["0"],
    )


def match_patches(he: PatchTable, ihc: PatchTable, mapping: SlideMapping) -> tuple[PatchTable, PatchTable]:
    """Match patches one to one: the assignment with the least sum of squared distances.

    Each H&E patch may stay alone at the price of the largest allowed distance, so that tissue without
    counterpart does not push the others aside.
    """
    on_ihc = mapping.he_to_ihc(_centres(he)) * mapping.ihc.um_per_px
    centres = _centres(ihc) * mapping.ihc.um_per_px
    usable = [np.flatnonzero(table.excluded != "no_tissue") for table in (he, ihc)]
    reach = REACH * float(ihc.um_per_px[0] * 512) if len(ihc) else 0.0
    first, second, away = _assign(on_ihc[usable[0]], centres[usable[1]], reach)
    one, two = usable[0][first], usable[1][second]
    return _partnered(he, one, ihc, two, away), _partnered(ihc, two, he, one, away)


def _centres(table: PatchTable) -> NDArray[np.float64]:
    return np.column_stack([table.y + table.height / 2, table.x + table.width / 2])


def _assign(
    one: NDArray[np.float64], other: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs (index, index, distance) of a partial one-to-one assignment of points, in µm."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching
    from scipy.spatial import cKDTree

    if not len(one) or not len(other):
        nothing = np.empty(0, np.intp)
        return nothing, nothing, np.empty(0)
    near = cKDTree(one).sparse_distance_matrix(cKDTree(other), reach, output_type="coo_matrix")
    n, alone = len(one), np.arange(len(one))
    row, col = np.concatenate([near.row, alone]), np.concatenate([near.col, len(other) + alone])
    # A weight of 0 would be no edge; the small constant is the same for all and changes nothing.
    cost = np.concatenate([near.data**2, np.full(n, reach**2)]) + 1e-3
    graph = coo_array((cost, (row, col)), shape=(n, len(other) + n)).tocsr()
    first, second = min_weight_full_bipartite_matching(graph)
    real = second < len(other)
    pairs = np.column_stack([first[real], second[real]]).astype(np.intp)
    away: NDArray[np.float64] = np.linalg.norm(one[pairs[:, 0]] - other[pairs[:, 1]], axis=1)
    return pairs[:, 0], pairs[:, 1], away


def _partnered(
    table: PatchTable,
    mine: NDArray[np.intp],
    partners: PatchTable,
    theirs: NDArray[np.intp],
    away: NDArray[np.float64],
) -> PatchTable:
    row, col, residual = table.matched_row.copy(), table.matched_col.copy(), table.residual_um.copy()
    row[mine], col[mine], residual[mine] = partners.row[theirs], partners.col[theirs], away
    return replace(table, matched_row=row, matched_col=col, residual_um=residual)
