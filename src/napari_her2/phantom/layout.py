"""Which cells stand where on one section: jittered grids of hashed cells.

The architecture is shared by all sections, the grids are a section's own: neighbouring sections
show different cells of the same tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import architecture as arch
from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import drawn, draws, hashed, sub, uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.phantom.plan import Plan
    from napari_her2.phantom.warp import Placement

    Floats = NDArray[np.float64]
    Words = NDArray[np.uint64]
    Grid = tuple[float, float, float, float]

__all__ = ["KINDS", "Cells", "Section", "all_carcinoma", "carcinoma_in", "others_in", "turned"]

KINDS: Final = {
    "invasive": 1,
    "in_situ": 2,
    "fibroblast": 3,
    "lymphocyte": 4,
    "endothelial": 5,
    "myoepithelial": 6,
    "crushed": 7,
}
"""Codes of the kind of a cell."""

_STROMA_UM = 12.0
_LYMPH_UM = 7.4
_BAND_UM = 1500.0


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One section of one piece: its plan, how it lies, and the seed of its own cells."""

    plan: Plan
    placement: Placement
    seed: np.uint64

    @property
    def frame(self) -> arch.Frame:
        """Everything that compiled code needs to know of the section."""
        plan, place = self.plan, self.placement
        return (
            plan.numbers, plan.seed, plan.ducts, plan.duct_bits,
            place.affine.linear, place.affine.offset, place.waves,
        )  # fmt: skip

    def fields(self, points_um: Floats) -> Floats:
        """Architecture (n, 14) at points (n, 2) in µm from the section's corner."""
        return arch.fields_at(self.frame, points_um)


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
    angle : ndarray of float64
        Direction of the long axis on the glass: (row, col) = (sin, cos).
    bits : ndarray of uint64
        The cell's own random bits.
    """

    row_um: Floats
    col_um: Floats
    kind: NDArray[np.uint8]
    latent: Floats
    angle: Floats
    bits: Words

    def __len__(self) -> int:
        return len(self.row_um)

    @property
    def points_um(self) -> Floats:
        """Centres (n, 2)."""
        return np.column_stack([self.row_um, self.col_um])

    def select(self, mask: NDArray[np.bool_]) -> Cells:
        """Return the cells where ``mask`` holds."""
        return Cells(*(getattr(self, name)[mask] for name in self.__slots__))


@jit
def _sites(seed: np.uint64, box: Floats, grid: Grid) -> tuple[Floats, Words]:
    """Places of a jittered grid inside a box. ``grid``: row step, column step, shift of odd rows, jitter."""
    down, across, shift, jitter = grid
    i0, i1 = np.int64(np.floor(box[0] / down)) - 1, np.int64(np.floor(box[2] / down)) + 2
    j0, j1 = np.int64(np.floor(box[1] / across)) - 2, np.int64(np.floor(box[3] / across)) + 2
    points, bits = np.empty(((i1 - i0) * (j1 - j0), 2)), np.empty((i1 - i0) * (j1 - j0), np.uint64)
    n = 0
    for i in range(i0, i1):
        for j in range(j0, j1):
            own = hashed(seed, i, j)
            row = (i + 0.5 + jitter * (uniform(own) - 0.5)) * down
            col = (j + 0.5 + shift * (i & 1) + jitter * (uniform(sub(own, 1)) - 0.5)) * across
            if box[0] <= row < box[2] and box[1] <= col < box[3]:
                points[n, 0], points[n, 1], bits[n] = row, col, own
                n += 1
    return points[:n], bits[:n]


def turned(linear: Floats, angle: Floats) -> Floats:
    """Directions in the tissue's frame → directions on the glass, radians."""
    back = np.linalg.inv(linear)
    row, col = back @ np.stack([np.sin(angle), np.cos(angle)])
    return np.asarray(np.arctan2(row, col))


def carcinoma_in(section: Section, box_um: tuple[float, float, float, float]) -> Cells:
    """Carcinoma cells with their centre in a box (row, col, row stop, col stop), µm."""
    step = float(section.plan.numbers[arch.CELL_STEP])
    points, bits = _sites(section.seed, np.asarray(box_um, np.float64), (0.887 * step, step, 0.5, 0.64))
    fields, chance = section.fields(points), draws(bits, 2, 1)[:, 0]
    invasive = fields[:, arch.NEST] > 0
    there = (fields[:, arch.TISSUE] > 5) & (fields[:, arch.LUMEN] <= 0) & (chance > 0.04)
    keep = there & (invasive | (fields[:, arch.DUCT] > 5))
    fields, bits, points = fields[keep], bits[keep], points[keep]
    own = draws(bits, 9, 4)
    latent = fields[:, arch.LATENT] + 0.16 * (own[:, :3].sum(axis=1) - 1.5) + 1e-12 * own[:, 3]
    angle = turned(section.placement.affine.linear, fields[:, arch.FLOW]) + 3.0 * (
        draws(bits, 3, 1)[:, 0] - 0.5
    )
    kind = np.where(invasive[keep], KINDS["invasive"], KINDS["in_situ"]).astype(np.uint8)
    return Cells(points[:, 0], points[:, 1], kind, latent, angle, bits)


def all_carcinoma(section: Section, height_um: float, width_um: float) -> Iterator[Cells]:
    """Carcinoma cells of a whole strip in bands of rows, always the same bands."""
    for top in np.arange(0.0, height_um, _BAND_UM):
        yield carcinoma_in(section, (top, 0.0, min(top + _BAND_UM, height_um), width_um))


def others_in(section: Section, box_um: tuple[float, float, float, float]) -> list[Cells]:
    """All other cells of a box: scattered ones, then lymphoid aggregates."""
    box = np.asarray(box_um, np.float64)
    out = []
    for k, step in enumerate((_STROMA_UM, _LYMPH_UM)):
        points, bits = _sites(drawn(int(section.seed), 5, k), box, (step, step, 0.0, 0.8))
        fields, chance = section.fields(points), draws(bits, 2, 2)
        kind = _aggregated(fields, chance[:, 0]) if k else _scattered(fields, chance[:, 0])
        kind[(fields[:, arch.TISSUE] < 2) | (fields[:, arch.NEST] > -6.5) | (fields[:, arch.DUCT] > 3)] = 0
        keep = kind > 0
        angle = fields[:, arch.FLOW] + 0.5 * (chance[:, 1] - 0.5)
        _follow_walls(section, points, fields, kind, angle)
        angle = turned(section.placement.affine.linear, angle[keep])
        row, col = points[keep].T
        out.append(Cells(row, col, kind[keep], np.zeros(len(row)), angle, bits[keep]))
    return out


def _aggregated(fields: Floats, chance: Floats) -> NDArray[np.uint8]:
    there = (
        (fields[:, arch.LYMPH] > 0)
        & (fields[:, arch.VESSEL] < -4)
        & (fields[:, arch.FAT] < 0)
        & (chance < 0.78)
    )
    return np.where(there, KINDS["lymphocyte"], 0).astype(np.uint8)


def _scattered(fields: Floats, chance: Floats) -> NDArray[np.uint8]:
    """Kind of each scattered cell, 0 for none; the first condition that holds decides."""
    vessel, duct = fields[:, arch.VESSEL], fields[:, arch.DUCT]
    conditions = [
        (vessel > 4, 0),
        (vessel > -2, KINDS["endothelial"]),
        (duct > -3, KINDS["myoepithelial"]),
        ((fields[:, arch.FAT] > 0) & (chance < 0.05), KINDS["fibroblast"]),
        (fields[:, arch.FAT] > 0, 0),
        ((fields[:, arch.CRUSH] > 0) & (chance < 0.5), KINDS["crushed"]),
        (chance < 0.03, KINDS["lymphocyte"]),
        ((chance < 0.34) & (fields[:, arch.LYMPH] < 0), KINDS["fibroblast"]),
    ]
    return np.select([test for test, _ in conditions], [code for _, code in conditions], 0).astype(np.uint8)


def _follow_walls(
    section: Section, points: Floats, fields: Floats, kind: NDArray[np.uint8], angle: Floats
) -> None:
    """Turn the cells of vessel walls and duct rims along their wall (angles in the tissue's frame)."""
    flat = Section(section.plan, section.placement.flat, section.seed)
    for code, column in ((KINDS["endothelial"], arch.VESSEL), (KINDS["myoepithelial"], arch.DUCT)):
        which = kind == code
        if which.any():
            place = fields[which][:, [arch.Y, arch.X]]
            here = fields[which, column]
            down = flat.fields(place + np.array([1.0, 0.0]))[:, column] - here
            right = flat.fields(place + np.array([0.0, 1.0]))[:, column] - here
            angle[which] = np.arctan2(-right, down)
