"""Patches of both slides: what their cells say, and which patch of the H&E belongs to which of the IHC.

An IHC patch has the class of most of its evaluable cells (unless a model scores it, see
:mod:`napari_her2.pipeline.patch_scores`), an H&E patch the mean tumour probability of its area.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2 import mapping as mappings
from napari_her2.case import PatchTable
from napari_her2.patches import PatchGrid
from napari_her2.scoring import CellCounts
from napari_her2.vocabulary import CELL_CLASSES, SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask, TumourRaster

__all__ = [
    "CLASS_OF",
    "UNSURE",
    "empty_table",
    "he_patches",
    "ihc_patches",
    "match_patches",
    "patch_counts",
    "patches_with_tissue",
]

LEAST_TISSUE: Final = 0.1
LEAST_CELLS: Final = 5
"""Fewer evaluable cells give an IHC patch no class."""
UNSURE: Final = "unsure_gate"
CLASS_OF: Final = np.array(
    [SCORES.index("2+") if name == "unusual" else SCORES.index(name) for name in CELL_CLASSES]
)


def empty_table(grid: PatchGrid, slide: str, tissue: TissueMask) -> PatchTable:
    """All patches of a grid with their places and tissue; what is not known yet is empty."""
    (row, col), (y, x) = grid.cells.T, grid.starts(grid.cells).T
    bottom, right = grid.stops(grid.cells).T
    n = len(row)
    nan, none, empty = np.full(n, np.nan), np.full(n, -1), np.full(n, "")
    share = _tissue_share(grid, tissue)
    return PatchTable.of(
        slide=np.full(n, slide), row=row, col=col, x=x, y=y, width=right - x, height=bottom - y,
        um_per_px=np.full(n, grid.um_per_px), tissue_fraction=share, tumour_probability=nan,
        p0=nan, p1=nan, p2=nan, p3=nan, score=empty, matched_row=none, matched_col=none,
        residual_um=nan, excluded=np.where(share < LEAST_TISSUE, "no_tissue", ""),
    )  # fmt: skip


def _tissue_share(grid: PatchGrid, tissue: TissueMask) -> NDArray[np.float64]:
    return grid.mean_of(tissue.counted.astype(np.float32), tissue.level0_px)


def patches_with_tissue(grid: PatchGrid, tissue: TissueMask) -> NDArray[np.int64]:
    """Grid (row, col) of the patches that take part in a matching: (n, 2)."""
    return grid.cells[_tissue_share(grid, tissue) >= LEAST_TISSUE]


def he_patches(slide: Slide, tissue: TissueMask, tumour: TumourRaster) -> PatchTable:
    """Patches of the H&E that hold tissue."""
    grid = PatchGrid.he(slide)
    table = empty_table(grid, "he", tissue)
    probability = grid.mean_of(tumour.probability, tumour.level0_px) / np.maximum(table.tissue_fraction, 1e-6)
    table = replace(table, tumour_probability=np.minimum(probability, 1).astype(np.float32))
    return table.select(table.tissue_fraction > 0)


def ihc_patches(
    slide: Slide, tissue: TissueMask, cells: CellTable, grid: PatchGrid | None = None
) -> PatchTable:
    """Patches of the IHC that hold tissue, with the classes of their evaluable cells.

    Where only those at the area's edge, which are unsure, make enough cells, ``excluded`` says so.
    """
    grid = grid or PatchGrid.ihc(slide)
    table = empty_table(grid, "ihc", tissue)
    n = len(table)
    at = grid.index_of(cells.points_px)
    counted = cells.evaluable
    counts = np.zeros((n, len(SCORES)))
    np.add.at(counts, (at[counted], CLASS_OF[cells.class_code[counted]]), 1)
    total, tumour = counts.sum(axis=1), np.bincount(at[cells.in_tumour], minlength=n)
    share = np.divide(counts, total[:, None], out=np.full_like(counts, np.nan), where=total[:, None] > 0)
    epithelium = np.divide(tumour, np.bincount(at, minlength=n), out=np.zeros(n), where=tumour > 0)
    # Among equal counts the stronger class wins.
    best = len(SCORES) - 1 - np.argmax(counts[:, ::-1], axis=1)
    enough = total >= LEAST_CELLS
    on_band = np.bincount(at[cells.unsure], minlength=n)
    why = np.where(enough, "", np.where(total + on_band >= LEAST_CELLS, UNSURE, "few_cells"))
    table = replace(
        table,
        tumour_probability=epithelium.astype(np.float32),
        **{f"p{k}": share[:, k].astype(np.float32) for k in range(len(SCORES))},
        score=np.where(enough, np.array(SCORES)[best], "").astype("U2"),
        excluded=np.where(table.excluded != "", table.excluded, why).astype("U16"),
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


def match_patches(
    he: PatchTable, ihc: PatchTable, mapping: SlideMapping, ihc_grid: PatchGrid | None = None
) -> tuple[PatchTable, PatchTable]:
    """Give the patches with tissue their partners, one to one, by least squared distances.

    Parameters
    ----------
    he, ihc : PatchTable
    mapping : SlideMapping
    ihc_grid : PatchGrid, optional
        Of the IHC's table; the usual one if none is given.
    """
    usable = [np.flatnonzero(table.excluded != "no_tissue") for table in (he, ihc)]
    grids = PatchGrid.he(mapping.he), ihc_grid or PatchGrid.ihc(mapping.ihc)
    found = mappings.match_patches(
        mapping,
        *(
            mappings.ChosenPatches.of(grid, np.column_stack([table.row, table.col])[chosen])
            for grid, table, chosen in zip(grids, (he, ihc), usable, strict=True)
        ),
    )
    one, two = usable[0][found.he_index], usable[1][found.ihc_index]
    return _partnered(he, one, ihc, two, found.residual_um), _partnered(ihc, two, he, one, found.residual_um)


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
