"""Cells of a slide or of a region of it: tiles in parallel, one table in the end."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.assemble import assemble
from napari_her2.cells.classify import class_codes, own_membranes
from napari_her2.cells.epithelium import epithelial_scores
from napari_her2.cells.faint import stained_share
from napari_her2.cells.plan import WorkLevel, measure_stain, read_work, work_level
from napari_her2.cells.settings import COARSEST_FAINT_UM_PER_PX, CellSettings
from napari_her2.cells.table import CellTable
from napari_her2.cells.tile import HALO_UM, Measured, align_px, cells_in_tile
from napari_her2.events import Progress, StageDone
from napari_her2.geometry import Box
from napari_her2.threads import in_order
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_her2.cells.keeping import TileKeeper
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["detect_cells", "measure_cells", "separates_faint", "slide_stain"]

EDGE_UM: Final = 6.0
"""Cells whose centre lies nearer to the image's edge are cut and do not count."""

SURE: Final = 0.5
"""Probability from which a cell counts as stained."""

_USABLE: Final = 1
_BACKGROUND: Final = 0


def separates_faint(slide: Slide) -> bool:
    """Whether the pixels of a slide are fine enough to tell 0 from 1+ (at most 0.6 um/px)."""
    return slide.um_per_px <= COARSEST_FAINT_UM_PER_PX


def detect_cells(
    slide: Slide,
    region: Box | None = None,
    *,
    mask: TissueMask | None = None,
    settings: CellSettings | None = None,
    stain: TileStain | None = None,
    kept: TileKeeper | None = None,
) -> Steps[CellTable]:
    """Find and class the cells of an IHC slide.

    Parameters
    ----------
    slide : Slide
    region : Box or None
        Level-0 pixels; cells with their centre inside are returned. The whole slide by default.
    mask : TissueMask or None
        Tiles without tissue are not read; cells on pen, folds, blur or glass are excluded as artefact.
    settings : CellSettings or None
        Defaults where None.
    stain : TileStain or None
        Light and stain of the slide, see :func:`slide_stain`; measured within ``region`` and ``mask``
        where None.
    kept : TileKeeper or None
        Tiles found there are not measured again, new ones are put there. It must belong to this slide,
        these settings and this stain.

    Yields
    ------
    Progress, StageDone

    Returns
    -------
    CellTable
        Sorted by (row, col); ``in_tumour`` is the judgement on the IHC alone. Where
        :func:`separates_faint` is false, no cell is 1+: such cells are among the 0.

    Raises
    ------
    NoResolutionError
        If the slide states no pixel size.
    SlideError
        If its pixels are too coarse to see a membrane.
    """
    began = perf_counter()
    work = work_level(slide)
    chosen = (settings or CellSettings()).at(work.um_per_px)
    area = _area(slide, region, work)
    stain = stain or measure_stain(slide, work, area, mask)
    cells = yield from _measured(slide, work, stain, chosen, (area, mask, kept))
    table = _judged(_table(cells, work, stain, chosen), slide, mask, region, chosen)
    yield StageDone("cells", perf_counter() - began)
    return table


def measure_cells(
    slide: Slide, settings: CellSettings | None = None, stain: TileStain | None = None
) -> Steps[Measured]:
    """Measure the cells of a whole slide without classing them: what the weights are fitted on."""
    work = work_level(slide)
    area = _area(slide, None, work)
    chosen = (settings or CellSettings()).at(work.um_per_px)
    light = stain or measure_stain(slide, work, area, None)
    return (yield from _measured(slide, work, light, chosen, (area, None, None)))


def _measured(
    slide: Slide,
    work: WorkLevel,
    stain: TileStain,
    chosen: CellSettings,
    where: tuple[Box, TissueMask | None, TileKeeper | None],
) -> Steps[Measured]:
    area, mask, kept = where
    tiles = [own for own in _tiles(area, chosen, work) if mask is None or _has_tissue(mask, own, work)]
    yield Progress("cells", 0, len(tiles))
    parts: list[Measured] = []
    measure = _measuring(slide, work, stain, chosen, kept)
    for part in in_order(measure, tiles, chosen.threads):
        parts.append(part)
        yield Progress("cells", len(parts), len(tiles))
    return assemble(parts)


def _area(slide: Slide, region: Box | None, work: WorkLevel) -> Box:
    """Whole region in working pixels."""
    whole = Box.of_shape(slide.shape)
    inside = whole if region is None else region.intersect(whole)
    if inside is None:
        return Box(0, 0, 1, 1)
    k = work.level0_px
    row, col = int(inside.row // k), int(inside.col // k)
    return Box(row, col, int(-(-inside.row_stop // k)) - row, int(-(-inside.col_stop // k)) - col)


def _tiles(area: Box, settings: CellSettings, work: WorkLevel) -> Iterator[Box]:
    """Squares of one grid anchored at the slide's corner, cut to the area."""
    step = align_px(work.um_per_px)
    size = -(-settings.tile_px // step) * step
    corner = area.row // size * size, area.col // size * size
    cover = Box(*corner, area.row_stop - corner[0], area.col_stop - corner[1])
    for tile in cover.tiles(size):
        part = tile.intersect(area)
        if part is not None:
            yield part


def _has_tissue(mask: TissueMask, own: Box, work: WorkLevel) -> bool:
    k = work.level0_px / mask.level0_px
    rows = slice(max(int(own.row * k) - 1, 0), int(own.row_stop * k) + 2)
    cols = slice(max(int(own.col * k) - 1, 0), int(own.col_stop * k) + 2)
    return bool((mask.labels[rows, cols] == _USABLE).any())


def slide_stain(slide: Slide, mask: TissueMask | None = None) -> TileStain:
    """Measure light and stain over the whole slide; see the parameter ``stain`` of :func:`detect_cells`."""
    work = work_level(slide)
    return measure_stain(slide, work, _area(slide, None, work), mask)


def _measuring(
    slide: Slide, work: WorkLevel, stain: TileStain, settings: CellSettings, kept: TileKeeper | None
) -> Callable[[Box], Measured]:
    """Return what measures one tile, or finds it where finished tiles are kept."""

    def measure(own: Box) -> Measured:
        found = None if kept is None else kept.load(own)
        if found is None:
            found = _one_tile(slide, work, stain, settings, own)
            if kept is not None:
                kept.save(own, found)
        return found

    return measure


def _one_tile(slide: Slide, work: WorkLevel, stain: TileStain, settings: CellSettings, own: Box) -> Measured:
    step = align_px(work.um_per_px)
    halo = int(-(-HALO_UM / work.um_per_px))
    row, col = (own.row - halo) // step * step, (own.col - halo) // step * step
    row_stop, col_stop = (-(-(stop + halo) // step) * step for stop in (own.row_stop, own.col_stop))
    box = Box(row, col, row_stop - row, col_stop - col)
    rgb = read_work(slide, work, box)
    return cells_in_tile(rgb, work.um_per_px, stain, settings, box=box, own=own)


def _table(cells: Measured, work: WorkLevel, stain: TileStain, settings: CellSettings) -> CellTable:
    stained = stained_share(cells, factor=settings.faint_factor) >= SURE
    membranes = own_membranes(cells.borders, cells.height_od, stained, stain.scale)
    epithelial = epithelial_scores(cells, membranes, stain.nucleus_od)
    codes = class_codes(membranes, settings)
    if work.um_per_px > COARSEST_FAINT_UM_PER_PX:
        codes[codes == CELL_CLASSES.index("1+")] = CELL_CLASSES.index("0")
    return CellTable.of(
        row_px=cells.row * work.level0_px,
        col_px=cells.col * work.level0_px,
        class_code=codes,
        completeness=membranes.completeness,
        intensity_od=membranes.intensity_od,
        membrane_width_um=membranes.width_um,
        nucleus_area_um2=cells.area_um2,
        epithelial=epithelial,
        in_tumour=epithelial >= settings.epithelial_from,
        excluded=np.zeros(len(cells), np.uint8),
        source=np.isnan(cells.area_um2),
    )


def _judged(
    table: CellTable, slide: Slide, mask: TissueMask | None, region: Box | None, settings: CellSettings
) -> CellTable:
    """Cells of the region, with the reasons why some do not count."""
    points = table.points_px
    if region is not None:
        low, high = (region.row, region.col), (region.row_stop, region.col_stop)
        table = table.select(np.asarray(((points >= low) & (points < high)).all(axis=1)))
        points = table.points_px
    if mask is not None:
        table = table.exclude(np.asarray(mask.at(points) != _USABLE), "artefact")
    margin = EDGE_UM / slide.um_per_px
    near_edge = (points < margin) | (points > np.asarray(slide.shape) - margin)
    table = table.exclude(np.asarray(near_edge.any(axis=1)), "edge_of_region")
    return table.exclude(np.asarray(~table.in_tumour), "not_epithelial")
