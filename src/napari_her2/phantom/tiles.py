"""One tile of one section, drawn from nothing but the spec: pixels and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import ground, nuclei, paint, territory, textures
from napari_her2.phantom.glass import TILE
from napari_her2.phantom.layout import cells_in
from napari_her2.phantom.membranes import membranes_of
from napari_her2.phantom.noise import drawn
from napari_her2.phantom.optics import develop
from napari_her2.phantom.spec import UM_PER_PX

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.phantom.glass import Piece
    from napari_her2.phantom.layout import Cells
    from napari_her2.phantom.optics import Light

__all__ = ["MARGIN", "Tile", "draw_tile"]

MARGIN: Final = 8
"""Pixels drawn around a tile for the lens' blur."""

_PAD_UM = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Pixels (512, 512, 3) and, per pixel, which carcinoma cell claims it.

    ``owner`` (512, 512) is 0 or the index in ``cells`` plus one; both are None on empty glass.
    """

    pixels: NDArray[np.uint8] | None
    owner: NDArray[np.int32] | None = None
    cells: Cells | None = None


def draw_tile(
    piece: Piece,
    row_px: int,
    col_px: int,
    light: Light,
    classify: Callable[[Piece, Cells], NDArray[np.uint8]] | None,
) -> Tile:
    """Draw the tile whose corner is at a pixel of the piece's strip; H&E when ``classify`` is None."""
    corner = row_px - MARGIN, col_px - MARGIN
    fields = _fields(piece, corner)
    if fields is None:
        return Tile(None)
    side = TILE + 2 * MARGIN
    carcinoma, others = (_cells(piece, corner, side, carcinoma=flag) for flag in (True, False))
    rows, cols = _local(carcinoma, corner)
    near = territory.blank((side, side))
    territory.claim(rows, cols, carcinoma.bits, fields[8], fields[9], *near)
    origin = np.array([corner[0], corner[1]])
    matter = np.zeros((4, side, side), np.float32)
    paint.paint_ground(
        fields, piece.section.plan.seed, textures.grain(1, 9, 2.0), textures.grain(2, 60, 12), origin, matter
    )
    stains = np.zeros((2, side, side), np.float32)
    best, second, ids, rivals = near
    reach = territory.REACH_UM * 4
    grain = textures.grain(3, 14, 2.5)
    if classify is None:
        paint.paint_he(best, second, ids, rivals, rows, cols, matter, grain, origin, reach, *stains)
    else:
        table = membranes_of(classify(piece, carcinoma), carcinoma.bits).table
        look = (light.blush, light.background, light.speck, light.edge, reach)
        paint.paint_ihc(best, second, ids, rivals, rows, cols, table, matter, grain, origin, look, *stains)
    _stamp_nuclei((carcinoma, others), corner, stains, ihc=classify is not None)
    shift = drawn(int(piece.section.seed), row_px, col_px)
    camera = int(shift & np.uint64(1023)), int((shift >> np.uint64(12)) & np.uint64(1023))
    pixels = develop(stains[0], stains[1], light, MARGIN, camera)
    inner = slice(MARGIN, -MARGIN)
    return Tile(pixels, ids[inner, inner], carcinoma)


def _fields(piece: Piece, corner: tuple[int, int]) -> NDArray[np.float32] | None:
    """Architecture per pixel, or None where the tile is empty glass."""
    nodes = (TILE + 2 * MARGIN) // ground.LATTICE_PX + 1
    lattice = np.empty((ground.LAYERS, nodes, nodes))
    plan, place = piece.section.plan, piece.section.placement
    ground.field_lattice(
        plan.numbers, plan.seed, plan.ducts, plan.duct_bits,
        place.affine.linear, place.affine.offset, place.waves, np.uint64(piece.section.seed), *corner, lattice,
    )  # fmt: skip
    if lattice[0].max() < -2.0:
        return None
    side = TILE + 2 * MARGIN
    fields = np.empty((ground.LAYERS, side, side), np.float32)
    for layer, out in zip(lattice, fields, strict=True):
        ground.spread(layer, out)
    return fields


def _cells(piece: Piece, corner: tuple[int, int], side: int, *, carcinoma: bool) -> Cells:
    top, left = (edge * UM_PER_PX - _PAD_UM for edge in corner)
    span = side * UM_PER_PX + 2 * _PAD_UM
    return cells_in(piece.section, (top, left, top + span, left + span), carcinoma=carcinoma)


def _local(cells: Cells, corner: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return cells.row_um / UM_PER_PX - corner[0], cells.col_um / UM_PER_PX - corner[1]


def _stamp_nuclei(
    groups: tuple[Cells, ...], corner: tuple[int, int], stains: NDArray[np.float32], *, ihc: bool
) -> None:
    """Draw all nuclei over both stains."""
    body, nuclear = np.zeros_like(stains[0]), np.zeros_like(stains[0])
    chromatin = textures.grain(4, 11, 3.0)
    for cells in groups:
        rows, cols = _local(cells, corner)
        nuclei.draw_nuclei(
            rows, cols, cells.kind, cells.angle, cells.bits, chromatin, body, 0.75 if ihc else 1.0, nuclear
        )
    stains[0] += body * (nuclear - stains[0])
    stains[1] *= 1 - (0.6 if ihc else 0.35) * body
