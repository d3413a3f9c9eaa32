"""Stain that nobody has counted: lines of DAB that belong to no evaluable cell.

A call from cells says nothing about tissue in which no cells were found. Lines of a membrane's height are
counted pixel by pixel in squares spread over the tissue, and those farther from every counted cell than a
cell reaches are unread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.lattice import lines_of
from napari_her2.cells.plan import read_work, work_level
from napari_her2.cells.planes import nucleus_scale, stain_planes
from napari_her2.geometry import Box
from napari_her2.vocabulary import EXCLUDED_REASONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.plan import WorkLevel
    from napari_her2.cells.planes import TileStain
    from napari_her2.cells.settings import CellSettings
    from napari_her2.cells.table import CellTable
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["Unread", "find_unread"]

SQUARE_UM: Final = 128.0
HALO_UM: Final = 8.0
MOST_SQUARES: Final = 60
SEED: Final = 7
REACH_UM: Final = 9.0
"""From the centre of a cell to its membrane and a little beyond."""
NOT_TUMOUR: Final = ("in_situ", "artefact", "control", "outside_roi", "reader")
"""Stain around cells that are left out for these reasons is not the invasive tumour's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Membrane-like stain that was looked at.

    Attributes
    ----------
    share : float
        Of it that belongs to no evaluable cell, 0..1; 0 where there is none at all.
    area_um2 : float
        Unread, in the squares that were looked at.
    per_mm2 : float
        Unread area per area of tissue looked at, in µm² per mm².
    """

    share: float
    area_um2: float
    per_mm2: float


def find_unread(
    slide: Slide, stain: TileStain, settings: CellSettings, mask: TissueMask, cells: CellTable
) -> Unread:
    """Measure the unread stain of a slide in a seeded sample of squares (all, where there are few).

    Parameters
    ----------
    slide : Slide
    stain : TileStain
    settings : CellSettings
    mask : TissueMask
        Label 1 where tumour may be.
    cells : CellTable
        With all reasons why cells do not count.
    """
    work = work_level(slide)
    weak_od = settings.at(work.um_per_px).weak_od / stain.scale
    total = np.zeros(3)
    for box in _squares(slide, work, mask):
        lines, points = _lines_of(slide, work, stain, box, weak_od)
        total += _unread(lines, points, mask, cells) * (nucleus_scale(work.um_per_px) * work.um_per_px) ** 2
    unread, lined, tissue = total
    return Unread(
        share=float(unread / lined) if lined else 0.0,
        area_um2=float(unread),
        per_mm2=float(1e6 * unread / tissue) if tissue else 0.0,
    )


def _squares(slide: Slide, work: WorkLevel, mask: TissueMask) -> list[Box]:
    """Squares of working pixels with tissue in their middle."""
    side = max(round(SQUARE_UM / work.um_per_px) // 8 * 8, 8)
    rows, cols = (int(n // work.level0_px) for n in slide.shape)
    whole = Box(0, 0, max(rows, 1), max(cols, 1))
    grid = [box for box in whole.tiles(side) if min(box.height, box.width) >= 8]
    if not grid:
        return []
    usable = mask.at(np.array([box.centre for box in grid]) * work.level0_px) == 1
    kept = [box for box, on in zip(grid, usable, strict=True) if on]
    if len(kept) <= MOST_SQUARES:
        return kept
    chosen = np.random.default_rng(SEED).choice(len(kept), MOST_SQUARES, replace=False)
    return [kept[i] for i in np.sort(chosen)]


def _lines_of(
    slide: Slide, work: WorkLevel, stain: TileStain, box: Box, weak_od: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which pixels of a square look like membrane, and their centres in level-0 pixels."""
    scale = nucleus_scale(work.um_per_px)
    halo = round(HALO_UM / work.um_per_px) // scale * scale
    size = [-(-n // scale) * scale + 2 * halo for n in (box.height, box.width)]
    wide = Box(box.row - halo, box.col - halo, *size)
    planes = stain_planes(read_work(slide, work, wide), work.um_per_px, stain)
    lines = lines_of(planes.brown, work.um_per_px * scale, weak_od, strict=True).ravel()
    rows, cols = np.indices(planes.brown.shape).reshape(2, -1)
    points = np.column_stack([wide.row + (rows + 0.5) * scale, wide.col + (cols + 0.5) * scale])
    inner = ((points >= (box.row, box.col)) & (points < (box.row_stop, box.col_stop))).all(axis=1)
    return lines[inner], points[inner] * work.level0_px


def _unread(
    lines: NDArray[np.bool_], points: NDArray[np.float64], mask: TissueMask, cells: CellTable
) -> NDArray[np.float64]:
    """Pixels of unread and of all membrane-like stain, and of tissue."""
    tissue = mask.at(points) == 1
    reach_px = REACH_UM / (mask.um_per_px / mask.level0_px)
    counted, left_out = _nearness(points[tissue & lines], cells, reach_px)
    ours = counted | ~left_out
    return np.array([(ours & ~counted).sum(), ours.sum(), tissue.sum()], np.float64)


def _nearness(
    points: NDArray[np.float64], cells: CellTable, reach_px: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each point lies within reach of a counted cell, and of one that is not the tumour's."""
    from scipy.spatial import cKDTree

    codes = [EXCLUDED_REASONS.index(reason) for reason in NOT_TUMOUR]
    near = []
    for chosen in (cells.evaluable, np.isin(cells.excluded, codes)):
        places = cells.points_px[chosen]
        far = cKDTree(places).query(points, distance_upper_bound=reach_px)[0] if len(places) else None
        near.append(np.zeros(len(points), bool) if far is None else np.isfinite(far))
    return near[0], near[1]
