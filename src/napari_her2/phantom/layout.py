"""Which cells stand where on one section: jittered grids of hashed cells.

The architecture is shared by all sections, the grids are a section's own: neighbouring sections
show different cells of the same tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.architecture import lie
from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import drawn, hashed, noise, sub, uniform
from napari_her2.phantom.warp import to_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.architecture import Architecture
    from napari_her2.phantom.warp import Placement

__all__ = ["KINDS", "Cells", "Section", "cells_in", "turned"]

KINDS: Final = {
    "invasive": 1,
    "in_situ": 2,
    "fibroblast": 3,
    "lymphocyte": 4,
    "endothelial": 5,
    "myoepithelial": 6,
}
"""Codes of the kind of a cell."""

_STEP = 10.6
_ROW_STEP = 9.4
_STROMA_STEP = 12.5
_LYMPH_STEP = 7.4
_COLUMNS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One section of one piece: its plan, how it lies, and the seed of its own cells."""

    plan: Architecture
    placement: Placement
    seed: np.uint64


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of a part of a section, ordered by grid row and column.

    Attributes
    ----------
    row_um, col_um : ndarray of float64
        Centre, µm from the section's corner.
    kind : ndarray of uint8
        Code of :data:`KINDS`.
    latent : ndarray of float64
        HER2 expression before it is cut into classes; smooth over neighbours, noisy between cells.
    depth_um : ndarray of float64
        Depth in its nest or duct.
    angle : ndarray of float64
        Direction of the long axis on the glass: (row, col) = (sin, cos).
    bits : ndarray of uint64
        The cell's own random bits.
    """

    row_um: NDArray[np.float64]
    col_um: NDArray[np.float64]
    kind: NDArray[np.uint8]
    latent: NDArray[np.float64]
    depth_um: NDArray[np.float64]
    angle: NDArray[np.float64]
    bits: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.row_um)

    def select(self, mask: NDArray[np.bool_]) -> Cells:
        """Return the cells where ``mask`` holds."""
        return Cells(*(getattr(self, name)[mask] for name in self.__slots__))


@jit
def turned(linear, angle):  # type: ignore[no-untyped-def]
    """Direction in the tissue's frame → direction on the glass, radians."""
    dy, dx = np.sin(angle), np.cos(angle)
    row = linear[1, 1] * dy - linear[0, 1] * dx
    col = linear[0, 0] * dx - linear[1, 0] * dy
    det = linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]
    return np.arctan2(row * det, col * det)


@jit
def _latent(seed, y, x, bits):  # type: ignore[no-untyped-def]
    smooth = noise(sub(seed, 31), y / 170.0, x / 170.0) + 0.5 * noise(sub(seed, 32), y / 60.0, x / 60.0)
    own = uniform(sub(bits, 9)) + uniform(sub(bits, 10)) + uniform(sub(bits, 11)) - 1.5
    return smooth + 0.16 * own + 1e-12 * uniform(sub(bits, 12))


@jit
def _epithelium(a, seed, ducts, dbits, linear, offset, waves, own, box, out, obits):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the carcinoma cells of a box; returns their number."""
    n = 0
    for i in range(np.int64(np.floor(box[0] / _ROW_STEP)) - 1, np.int64(np.floor(box[2] / _ROW_STEP)) + 2):
        for j in range(np.int64(np.floor(box[1] / _STEP)) - 1, np.int64(np.floor(box[3] / _STEP)) + 2):
            bits = hashed(own, i, j)
            row = (i + 0.5 + 0.62 * (uniform(bits) - 0.5)) * _ROW_STEP
            col = (j + 0.5 + 0.5 * (i & 1) + 0.62 * (uniform(sub(bits, 1)) - 0.5)) * _STEP
            if not (box[0] <= row < box[2] and box[1] <= col < box[3]):
                continue
            y, x = to_tissue(linear, offset, waves, row, col)
            tissue, nest, duct, _fat, _lymph, _vessel, lumen, flow = lie(a, seed, ducts, dbits, y, x)
            if tissue < 4.0 or lumen > 0.0 or uniform(sub(bits, 2)) < 0.05:
                continue
            kind = 1 if nest > 0.0 else (2 if duct > 5.0 else 0)
            if kind == 0:
                continue
            out[n, 0], out[n, 1], out[n, 2] = row, col, kind
            out[n, 3] = _latent(seed, y, x, bits)
            out[n, 4] = max(nest, duct)
            out[n, 5] = turned(linear, flow) + 3.0 * (uniform(sub(bits, 3)) - 0.5)
            obits[n] = bits
            n += 1
    return n


@jit
def _stroma(a, seed, ducts, dbits, linear, offset, waves, own, box, step, out, obits):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the other cells of a box; a short step draws lymphoid aggregates only."""
    n = 0
    crowd = step < 10.0
    for i in range(np.int64(np.floor(box[0] / step)) - 1, np.int64(np.floor(box[2] / step)) + 2):
        for j in range(np.int64(np.floor(box[1] / step)) - 1, np.int64(np.floor(box[3] / step)) + 2):
            bits = hashed(own, i, j)
            row = (i + 0.5 + 0.8 * (uniform(bits) - 0.5)) * step
            col = (j + 0.5 + 0.8 * (uniform(sub(bits, 1)) - 0.5)) * step
            if not (box[0] <= row < box[2] and box[1] <= col < box[3]):
                continue
            y, x = to_tissue(linear, offset, waves, row, col)
            tissue, nest, duct, fat, lymph, vessel, _lumen, flow = lie(a, seed, ducts, dbits, y, x)
            if tissue < 2.0 or nest > -4.0 or duct > 3.0:
                continue
            kind = _stromal_kind(crowd, duct, fat, lymph, vessel, uniform(sub(bits, 2)))
            if kind == 0:
                continue
            angle = flow + 0.5 * (uniform(sub(bits, 3)) - 0.5)
            if kind >= 5:
                up = lie(a, seed, ducts, dbits, y + 1.0, x)
                right = lie(a, seed, ducts, dbits, y, x + 1.0)
                k, here = (5, vessel) if kind == 5 else (2, duct)
                angle = np.arctan2(-(right[k] - here), up[k] - here)
            out[n, 0], out[n, 1], out[n, 2], out[n, 3], out[n, 4] = row, col, kind, 0.0, 0.0
            out[n, 5] = turned(linear, angle)
            obits[n] = bits
            n += 1
    return n


@jit
def _stromal_kind(crowd, duct, fat, lymph, vessel, chance):  # type: ignore[no-untyped-def]
    if crowd:
        return 4 if lymph > 0.0 and vessel < -4.0 and fat < 0.0 and chance < 0.78 else 0
    if vessel > 4.0:
        return 0
    if vessel > -2.0:
        return 5
    if duct > -3.0:
        return 6
    if fat > 0.0:
        return 3 if chance < 0.05 else 0
    if chance < 0.025:
        return 4
    return 3 if chance < 0.36 and lymph < 0.0 else 0


def cells_in(section: Section, box_um: tuple[float, float, float, float], *, carcinoma: bool) -> Cells:
    """Cells with their centre in a box (row, col, row stop, col stop), µm from the section's corner."""
    plan, place = section.plan, section.placement
    frame = (
        plan.numbers,
        plan.seed,
        plan.ducts,
        plan.duct_bits,
        place.affine.linear,
        place.affine.offset,
        place.waves,
    )
    box = np.asarray(box_um, np.float64)
    own = np.uint64(section.seed)
    if carcinoma:
        return _gathered([_filled(_epithelium, frame, own, box, (_ROW_STEP, _STEP))])
    parts = [
        _filled(_stroma, frame, drawn(int(own), 5, k), box, (step, step), step)
        for k, step in enumerate((_STROMA_STEP, _LYMPH_STEP))
    ]
    return _gathered(parts)


def _filled(fill, frame, own, box, steps, *more):  # type: ignore[no-untyped-def]
    room = int(np.ceil((box[2] - box[0]) / steps[0]) + 3) * int(np.ceil((box[3] - box[1]) / steps[1]) + 3)
    out, bits = np.empty((room, _COLUMNS)), np.empty(room, np.uint64)
    n = fill(*frame, own, box, *more, out, bits)
    return out[:n], bits[:n]


def _gathered(parts: list[tuple[NDArray[np.float64], NDArray[np.uint64]]]) -> Cells:
    table = np.concatenate([part for part, _ in parts])
    bits = np.concatenate([part for _, part in parts])
    kind = table[:, 2].astype(np.uint8)
    return Cells(table[:, 0], table[:, 1], kind, table[:, 3], table[:, 4], table[:, 5], bits)
