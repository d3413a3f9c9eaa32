"""Which patch of the H&E goes with which of the IHC, and where the slides share no tissue. No Qt.

Worked out in the background for each alignment; asking for the patch under the cursor is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari import layers as data
from napari_her2.events import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2._napari.session import SlideRole
    from napari_her2.case import PatchTable
    from napari_her2.events import Steps
    from napari_her2.mapping import SlideFrame, SlideMapping
    from napari_her2.patches import PatchGrid

__all__ = ["Cover", "Paired", "Pairing", "covered", "find_pairs", "veil_layer"]

VEIL_PX: Final = 512
"""Longest side of the grey veil."""
GREY: Final = (128, 128, 128, 150)


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """The patches of one slide that take part.

    Attributes
    ----------
    grid : PatchGrid
    cells : ndarray of shape (n, 2), int64
    partner : ndarray of shape (n,), int64
        Position among the patches of the other slide; -1 without partner.
    residual_um : ndarray of shape (n,)
        From the carried centre to that of the partner.
    position : ndarray of int64
        Position of each patch of the grid among ``cells``, flat; -1 where it takes no part.
    """

    grid: PatchGrid
    cells: NDArray[np.int64]
    partner: NDArray[np.int64]
    residual_um: NDArray[np.float64]
    position: NDArray[np.int64]

    @classmethod
    def of(
        cls, grid: PatchGrid, cells: NDArray[Any], partner: NDArray[Any], residual_um: NDArray[Any]
    ) -> Cover:
        """Make the look-up table for some patches."""
        rows, cols = grid.shape
        position = np.full(rows * cols, -1, np.int64)
        position[cells[:, 0].astype(np.int64) * cols + cells[:, 1]] = np.arange(len(cells))
        return cls(grid, cells.astype(np.int64), partner.astype(np.int64), residual_um, position)

    def at(self, place_um: tuple[float, float]) -> int:
        """Return the position of the patch that holds a place; -1 where there is none."""
        px = np.array([place_um]) / self.grid.slide_um_per_px
        if (px < 0).any() or (px >= np.array(self.grid.slide_shape)).any():
            return -1
        return int(self.position[self.grid.index_of(px)[0]])

    def corners_um(self, position: int) -> NDArray[np.float64]:
        """Return the corners (4, 2) of a patch, clockwise."""
        (top, left), (bottom, right) = (
            side(self.cells[position])[0] * self.grid.slide_um_per_px
            for side in (self.grid.starts, self.grid.stops)
        )
        return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """The patch under the cursor and its partner, as corners (4, 2) in µm of each slide."""

    he_um: NDArray[np.float64] | None
    ihc_um: NDArray[np.float64] | None
    residual_um: float

    @property
    def matched(self) -> bool:
        """Whether there is a partner."""
        return self.he_um is not None and self.ihc_um is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paired:
    """All patches of both slides, and pictures (rows, cols, 4) with µm/px, grey where nothing is shared."""

    he: Cover
    ihc: Cover
    he_veil: tuple[NDArray[np.uint8], float]
    ihc_veil: tuple[NDArray[np.uint8], float]

    def at(self, side: SlideRole, place_um: tuple[float, float]) -> Pairing | None:
        """Return the patch that holds a place of a slide, with its partner; None where no patch is."""
        mine, other = (self.he, self.ihc) if side == "he" else (self.ihc, self.he)
        position = mine.at(place_um)
        if position < 0:
            return None
        partner = int(mine.partner[position])
        here = mine.corners_um(position)
        there = None if partner < 0 else other.corners_um(partner)
        he, ihc = (here, there) if side == "he" else (there, here)
        return Pairing(he_um=he, ihc_um=ihc, residual_um=float(mine.residual_um[position]))


def find_pairs(mapping: SlideMapping, patches: PatchTable | None, *, matched: bool) -> Steps[Paired]:
    """Pair the patches of two slides; for a background thread.

    Parameters
    ----------
    mapping : SlideMapping
    patches : PatchTable or None
        Of a scored case; None takes all patches whose middle lies on both slides.
    matched : bool
        Whether the table's own partners hold: they were found with this mapping.
    """
    yield Progress("patches", 0, 2)
    he, ihc = _from_mapping(mapping) if patches is None else _from_table(mapping, patches, matched=matched)
    yield Progress("patches", 1, 2)
    return Paired(he=he, ihc=ihc, he_veil=veil(mapping, "he"), ihc_veil=veil(mapping, "ihc"))


def _from_mapping(mapping: SlideMapping) -> tuple[Cover, Cover]:
    from napari_her2.mapping import ChosenPatches, match_patches
    from napari_her2.patches import PatchGrid

    chosen = {}
    for side, grid in (("he", PatchGrid.he(mapping.he)), ("ihc", PatchGrid.ihc(mapping.ihc))):
        inside = mapping.inside(grid.centres(grid.cells), side)  # type: ignore[arg-type]
        chosen[side] = ChosenPatches.of(grid, grid.cells[inside])
    he, ihc = chosen["he"], chosen["ihc"]
    found = match_patches(mapping, he, ihc)
    partners = np.full(len(he), -1, np.int64), found.partner_of_ihc(len(ihc))
    partners[0][found.he_index] = found.ihc_index
    away = np.full(len(he), np.nan), np.full(len(ihc), np.nan)
    away[0][found.he_index] = away[1][found.ihc_index] = found.residual_um
    one = Cover.of(he.grid, he.cells, partners[0], away[0])
    return one, Cover.of(ihc.grid, ihc.cells, partners[1], away[1])


def _from_table(mapping: SlideMapping, patches: PatchTable, *, matched: bool) -> tuple[Cover, Cover]:
    from napari_her2.pipeline.patches import match_patches

    tables = [patches.select(patches.slide == side) for side in ("he", "ihc")]
    grids = [grid_of(table, frame) for table, frame in zip(tables, (mapping.he, mapping.ihc), strict=True)]
    if not matched:
        tables = list(match_patches(tables[0], tables[1], mapping, grids[1]))
    (he, ihc), (he_grid, ihc_grid) = tables, grids
    return _cover(he, he_grid, ihc, ihc_grid), _cover(ihc, ihc_grid, he, he_grid)


def _cover(mine: PatchTable, grid: PatchGrid, other: PatchTable, theirs: PatchGrid) -> Cover:
    """Return the patches of a table, their partners as positions in the other table."""
    wide = theirs.shape[1]
    known = np.full(theirs.shape[0] * wide, -1, np.int64)
    known[other.row.astype(np.int64) * wide + other.col] = np.arange(len(other))
    there = mine.matched_row >= 0
    flat = mine.matched_row.astype(np.int64) * wide + mine.matched_col
    partner = np.where(there, known[np.where(there, flat, 0)], -1)
    cells = np.column_stack([mine.row, mine.col])
    return Cover.of(grid, cells, partner, mine.residual_um.astype(np.float64))


def grid_of(table: PatchTable, frame: SlideFrame) -> PatchGrid:
    """Return the grid that a table of one slide was made on."""
    from napari_her2.patches import PatchGrid

    if not len(table):
        return PatchGrid.he(frame)
    um = float(table.um_per_px[0])
    side_um = float(np.median(table.width)) * frame.um_per_px
    return PatchGrid.over(frame, max(round(side_um / um), 1), um)


def covered(patches: PatchTable, side: SlideRole, um_per_px: float) -> tuple[PatchTable, Cover] | None:
    """Return the patches of one slide, to be found by place; None where it has none.

    Parameters
    ----------
    patches : PatchTable
        Of both slides.
    side : {"he", "ihc"}
    um_per_px : float
        Of the slide.
    """
    from napari_her2.mapping import SlideFrame

    table = patches.select(patches.slide == side)
    if not len(table):
        return None
    shape = int((table.y + table.height).max()), int((table.x + table.width).max())
    grid = grid_of(table, SlideFrame(shape, um_per_px))
    cells = np.column_stack([table.row, table.col])
    none = np.full(len(table), -1)
    return table, Cover.of(grid, cells, none, table.residual_um.astype(np.float64))


def veil(mapping: SlideMapping, side: SlideRole) -> tuple[NDArray[np.uint8], float]:
    """Return a picture of a slide, grey where it shares no tissue with the other, and its µm/px."""
    frame = mapping.he if side == "he" else mapping.ihc
    um = max(frame.size_um) / VEIL_PX
    rows, cols = (max(int(np.ceil(size / um)), 1) for size in frame.size_um)
    middles = np.indices((rows, cols)).reshape(2, -1).T + 0.5
    shared = mapping.inside(frame.to_px(middles * um), side).reshape(rows, cols)
    return np.where(shared[..., None], 0, np.array(GREY)).astype(np.uint8), um


def veil_layer(picture: NDArray[np.uint8], um_per_px: float) -> data.LayerData:
    """Return the layer of a veil."""
    meta: dict[str, Any] = {
        "name": "not on both slides",
        "rgb": True,
        "blending": "translucent_no_depth",
        "interpolation2d": "linear",
        **data.placement(um_per_px),
    }
    return picture, meta, "image"
