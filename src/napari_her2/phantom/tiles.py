"""One tile of one section, drawn from nothing but the spec: pixels and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import matter, nuclei, paint, territory, textures
from napari_her2.phantom.architecture import FLOW, GRADE, TISSUE
from napari_her2.phantom.glass import TILE
from napari_her2.phantom.layout import carcinoma_in, others_in, turned
from napari_her2.phantom.membranes import membranes_of
from napari_her2.phantom.noise import drawn, draws
from napari_her2.phantom.optics import develop
from napari_her2.phantom.spec import UM_PER_PX

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.phantom.glass import Piece
    from napari_her2.phantom.layout import Cells
    from napari_her2.phantom.optics import Light

    Classify = Callable[[Piece, Cells], NDArray[np.uint8]]
    Corner = tuple[int, int]

__all__ = ["MARGIN", "Tile", "draw_tile"]

MARGIN: Final = 8
"""Pixels drawn around a tile for the lens' blur."""

_PAD_UM = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Pixels (512, 512, 3) and, per pixel, which carcinoma cell claims it.

    ``owner`` (512, 512) is 0 or the index in ``cells`` plus one; all are None on empty glass.
    """

    pixels: NDArray[np.uint8] | None
    owner: NDArray[np.int32] | None = None
    cells: Cells | None = None


def draw_tile(piece: Piece, place: Corner, light: Light, classify: Classify | None) -> Tile:
    """Draw the tile whose corner is at a pixel of the piece's strip; H&E when ``classify`` is None."""
    corner, side = (place[0] - MARGIN, place[1] - MARGIN), TILE + 2 * MARGIN
    lattice = _lattice(piece, corner, side)
    if lattice[TISSUE].max() < -2.0:
        return Tile(None)
    box = _box_um(corner, side)
    carcinoma = carcinoma_in(piece.section, box)
    claims = _claims(piece, carcinoma, corner, side)
    ground = _ground(piece, lattice, corner, side)
    stains = np.zeros((2, side, side), np.float32)
    if classify is None:
        paint.paint_he(claims, ground, stains)
    else:
        table = membranes_of(classify(piece, carcinoma), carcinoma.bits)
        look = np.array([light.blush, light.background, light.speck, light.edge])
        paint.paint_ihc(claims, ground, table, look, stains)
    _stamp_nuclei(
        [carcinoma, *others_in(piece.section, box)],
        corner,
        stains,
        _look(piece, light, ihc=classify is not None),
    )
    shift = int(drawn(int(piece.section.seed), *place))
    pixels = develop(stains, light, MARGIN, (shift & 1023, shift >> 12 & 1023))
    inner = slice(MARGIN, -MARGIN)
    owner = np.where(ground[0][matter.OUTER] > 0, claims[2][0], 0)[inner, inner]
    return Tile(pixels, owner, carcinoma)


def _lattice(piece: Piece, corner: Corner, side: int) -> NDArray[np.float32]:
    """Architecture (14, n, n) every 8 px."""
    steps = np.arange(0, side + 1, matter.LATTICE_PX)
    return _fields(piece, steps + corner[0], steps + corner[1])


def _fields(piece: Piece, rows_px: NDArray[np.int_], cols_px: NDArray[np.int_]) -> NDArray[np.float32]:
    grid = np.stack(np.meshgrid(rows_px, cols_px, indexing="ij"), axis=-1) * UM_PER_PX
    fields = piece.section.fields(np.ascontiguousarray(grid.reshape(-1, 2), np.float64))
    return np.ascontiguousarray(fields.T.reshape(-1, len(rows_px), len(cols_px)), np.float32)


def _bundles(piece: Piece, corner: Corner, side: int) -> NDArray[np.float32]:
    """Direction and random place in the texture of the fibre bundles around a tile, (4, n, n)."""
    first = [edge // matter.NODE_PX for edge in corner]
    count = side // matter.NODE_PX + 3
    rows, cols = (np.arange(start, start + count) for start in first)
    flow = _fields(piece, rows * matter.NODE_PX, cols * matter.NODE_PX)[FLOW]
    angle = turned(piece.section.placement.affine.linear, flow.ravel().astype(np.float64)).reshape(flow.shape)
    bits = np.array(
        [drawn(int(piece.section.seed), int(row), int(col)) for row in rows for col in cols], np.uint64
    )
    shift = (draws(bits, 63, 2) * textures.SIDE).T.reshape(2, *flow.shape)
    return np.concatenate([[np.sin(angle), np.cos(angle)], shift]).astype(np.float32)


def _box_um(corner: Corner, side: int) -> tuple[float, float, float, float]:
    top, left = (edge * UM_PER_PX - _PAD_UM for edge in corner)
    span = side * UM_PER_PX + 2 * _PAD_UM
    return top, left, top + span, left + span


def _local(cells: Cells, corner: Corner) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return cells.row_um / UM_PER_PX - corner[0], cells.col_um / UM_PER_PX - corner[1]


def _claims(piece: Piece, cells: Cells, corner: Corner, side: int) -> paint.Claims:
    near, ids = territory.blank(side)
    spots = (*_local(cells, corner), cells.bits)
    bend = np.empty((2, side, side), np.float32)
    matter.bends(piece.section.seed, corner, bend)
    territory.claim(spots, bend, near, ids)
    return spots, near, ids


def _ground(piece: Piece, lattice: NDArray[np.float32], corner: Corner, side: int) -> paint.Ground:
    solid = np.zeros((4, side, side), np.float32)
    fine, coarse = textures.grain(3, 14, 2.5), textures.grain(2, 90, 14)
    matter.lay(
        piece.section.plan.seed,
        lattice,
        _bundles(piece, corner, side),
        (textures.collagen(), coarse),
        (corner, solid),
    )
    return solid, fine, coarse, corner


def _look(piece: Piece, light: Light, *, ihc: bool) -> NDArray[np.float64]:
    """How nuclei look: haematoxylin strength, DAB of brown nuclei, their share, grade."""
    grade = float(piece.section.plan.numbers[GRADE])
    return np.array([0.8, light.nuclear, 0.01, grade] if ihc else [1.0, 0.0, 0.0, grade])


def _stamp_nuclei(
    groups: list[Cells], corner: Corner, stains: NDArray[np.float32], look: NDArray[np.float64]
) -> None:
    """Draw all nuclei over both stains; they hide part of what lies around them."""
    layers = np.zeros((3, *stains.shape[1:]), np.float32)
    grains = textures.grain(4, 34, 7.5), textures.grain(5, 9, 2.4)
    for cells in groups:
        nuclei.draw_nuclei(
            (*_local(cells, corner), cells.kind, cells.angle, cells.bits), grains, look, layers
        )
    body = layers[nuclei.BODY]
    stains[0] += body * (layers[nuclei.NUCLEAR] - stains[0])
    stains[1] *= 1 - 0.55 * body
    stains[1] += layers[nuclei.BROWN]
