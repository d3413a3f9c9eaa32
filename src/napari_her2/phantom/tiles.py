"""One tile of one section, drawn from nothing but the spec: pixels and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import matter, nuclei, paint, staining, territory, textures
from napari_her2.phantom.architecture import FLOW, GRADE, TISSUE
from napari_her2.phantom.artefacts import INKS, folded, inked
from napari_her2.phantom.faults import Faults
from napari_her2.phantom.glass import TILE
from napari_her2.phantom.layout import carcinoma_in, others_in, turned
from napari_her2.phantom.membranes import membranes_of
from napari_her2.phantom.noise import drawn, draws
from napari_her2.phantom.optics import Exposure, develop
from napari_her2.phantom.spec import UM_PER_PX

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_her2.phantom.artefacts import Artefacts
    from napari_her2.phantom.glass import Piece
    from napari_her2.phantom.layout import Cells
    from napari_her2.phantom.optics import Light
    from napari_her2.phantom.scanner import Scanner

    Classify = Callable[[Piece, Cells], NDArray[np.uint8]]
    Corner = tuple[int, int]

__all__ = ["MARGIN", "Tile", "TileJob", "draw_tile"]

MARGIN: Final = 8
"""Pixels drawn around a tile for the lens' blur."""

WIDE_MARGIN: Final = 48
"""The same where the slide is out of focus."""

_PAD_UM = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Pixels (512, 512, 3) and, per pixel, which carcinoma cell claims it.

    ``owner`` (512, 512) is 0 or the index in ``cells`` plus one; all are None on empty glass.
    """

    pixels: NDArray[np.uint8] | None
    owner: NDArray[np.int32] | None = None
    cells: Cells | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TileJob:
    """What a tile is drawn from; H&E when ``classify`` is None."""

    piece: Piece
    light: Light
    classify: Classify | None
    artefacts: Artefacts | None
    faults: Faults = field(default_factory=Faults)
    scanner: Scanner | None = None


def draw_tile(job: TileJob, place: Corner) -> Tile:
    """Draw the tile whose corner is at a pixel of the piece's strip."""
    margin = _margin(job, place)
    corner, side = (place[0] - margin, place[1] - margin), TILE + 2 * margin
    lattice = _lattice(job.piece, corner, side)
    pen = None if job.artefacts is None else job.artefacts.pen_depth(corner, side)
    if lattice[TISSUE].max() < -2.0 and pen is None and not _lights_glass(job):
        return Tile(None)
    box = _box_um(corner, side)
    carcinoma = carcinoma_in(job.piece.section, box)
    claims = _claims(job.piece, carcinoma, corner, side)
    ground = _ground(job.piece, lattice, corner, side, 1.1 * job.faults.no_glass)
    stains = np.zeros((2, side, side), np.float32)
    _paint(job, carcinoma, claims, ground, stains)
    epithelium = (claims[2][0] > 0) & (ground[0][matter.OUTER] > 0)
    if job.classify is not None and job.faults.granular > 0:
        staining.grained(stains, epithelium, corner, job.faults.granular)
    _stamp_nuclei([carcinoma, *others_in(job.piece.section, box)], corner, stains, _look(job))
    if job.classify is not None and job.faults.saturated > 0:
        staining.saturated(stains, job.faults.saturated)
    pixels = _exposed(job, place, stains, pen)
    inner = slice(margin, -margin)
    owner = np.where(ground[0][matter.OUTER] > 0, claims[2][0], 0)[inner, inner]
    return Tile(pixels, owner, carcinoma)


def _margin(job: TileJob, place: Corner) -> int:
    """Pixels to draw around a tile: more where it is out of focus."""
    corner, side = (place[0] - WIDE_MARGIN, place[1] - WIDE_MARGIN), TILE + 2 * WIDE_MARGIN
    blurred = job.artefacts is not None and job.artefacts.blur_depth(corner, side) is not None
    wanted = max(staining.stain_margin_px(job.faults), job.scanner.margin_px if job.scanner else 0)
    return WIDE_MARGIN if blurred else max(MARGIN, wanted)


def _lights_glass(job: TileJob) -> bool:
    return job.scanner is not None and job.scanner.lights_glass


def _paint(
    job: TileJob, carcinoma: Cells, claims: paint.Claims, ground: paint.Ground, stains: NDArray[np.float32]
) -> None:
    light = job.light
    if job.classify is None:
        paint.paint_he(claims, ground, stains)
        return
    table = membranes_of(job.classify(job.piece, carcinoma), carcinoma.bits)
    look = np.array([light.blush, light.background, light.speck, light.clump, light.edge])
    paint.paint_ihc(claims, ground, table, look, stains)


def _exposed(
    job: TileJob, place: Corner, stains: NDArray[np.float32], pen: NDArray[np.float32] | None
) -> NDArray[np.uint8]:
    """Let light pass through stains, fold and ink, and through a lens that may be out of focus."""
    side = stains.shape[1]
    margin = (side - TILE) // 2
    corner = place[0] - margin, place[1] - margin
    ink, defocus = None, None
    if job.artefacts is not None:
        fold, defocus = job.artefacts.fold_depth(corner, side), job.artefacts.blur_depth(corner, side)
        if fold is not None:
            folded(stains, fold)
        if pen is not None:
            ink = inked(pen, corner), np.array(INKS[job.artefacts.ink])
    shift = int(drawn(int(job.piece.section.seed), *place))
    exposure = Exposure(
        margin, (shift & 1023, shift >> 12 & 1023), ink, defocus, job.scanner,
        (corner[0], corner[1] + job.piece.col_px),
    )  # fmt: skip
    return develop(stains, job.light, exposure)


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


def _ground(
    piece: Piece, lattice: NDArray[np.float32], corner: Corner, side: int, floor: float
) -> paint.Ground:
    """Lay the matter of a tile; stroma is at least ``floor`` dense."""
    solid = np.zeros((4, side, side), np.float32)
    fine, coarse = textures.grain(3, 14, 2.5), textures.grain(2, 90, 14)
    matter.lay(
        piece.section.plan.seed,
        lattice,
        _bundles(piece, corner, side),
        (textures.collagen(), coarse),
        (corner, solid),
    )
    if floor > 0:
        within = solid[matter.OUTER] < 0
        solid[matter.SOLID] = np.where(within, np.maximum(solid[matter.SOLID], floor), solid[matter.SOLID])
    return solid, fine, coarse, corner


def _look(job: TileJob) -> NDArray[np.float64]:
    """How nuclei look: haematoxylin strength, DAB of brown nuclei, their share, grade."""
    grade = float(job.piece.section.plan.numbers[GRADE])
    share = 0.01 + 0.59 * job.faults.nuclear
    return np.array(
        [1.0, 0.0, 0.0, grade] if job.classify is None else [0.8, job.light.nuclear, share, grade]
    )


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
