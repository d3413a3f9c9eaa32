"""What lies on each glass: the patient's section, further levels, control tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_her2.geometry import Affine, Box
from napari_her2.phantom.layout import Section
from napari_her2.phantom.noise import chance, drawn
from napari_her2.phantom.plan import inside, planned
from napari_her2.phantom.spec import UM_PER_PX
from napari_her2.phantom.warp import Placement, fitted_waves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.plan import Plan
    from napari_her2.phantom.spec import PhantomSpec, Stain
    from napari_her2.vocabulary import CellClass

__all__ = ["TILE", "Glass", "Piece", "lay_out"]

TILE: Final = 512
"""Side in pixels of the tiles in which everything is drawn and stored."""

_LARGEST_HALF_UM = (5600.0, 8000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One piece of tissue on a glass, in a column strip of its own.

    Attributes
    ----------
    role : {"patient", "duplicate", "control"}
    section : Section
    col_px, width_px : int
        The strip; starts at a multiple of the tile.
    expected : cell class or None
        Class of all its carcinoma cells (control tissue).
    """

    role: Literal["patient", "duplicate", "control"]
    section: Section
    col_px: int
    width_px: int
    expected: CellClass | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Glass:
    """One slide: its size and its pieces from left to right; the first is the patient's."""

    stain: Stain
    shape_px: tuple[int, int]
    pieces: tuple[Piece, ...]

    @property
    def patient(self) -> Piece:
        """The piece that counts."""
        return self.pieces[0]

    def piece_at(self, col_px: int) -> Piece:
        """Return the piece whose strip holds a column."""
        return next(piece for piece in reversed(self.pieces) if piece.col_px <= max(col_px, 0))

    def box(self, piece: Piece) -> Box:
        """Strip of a piece, level-0 pixels."""
        width = min(piece.width_px, self.shape_px[1] - piece.col_px)
        return Box(0, piece.col_px, self.shape_px[0], width)


def _half(spec: PhantomSpec) -> tuple[float, float]:
    width, height = spec.size_um
    share = 0.47 if min(width, height) < 500 else 0.44
    return min(share * height, _LARGEST_HALF_UM[0]), min(share * width, _LARGEST_HALF_UM[1])


def _rolled_up(size: int) -> int:
    return -(-size // TILE) * TILE


def _glass_shape(plan: Plan, spec: PhantomSpec) -> tuple[int, int]:
    """Rows and columns that hold the rotated tissue; the H&E's own where it fits."""
    rows, cols = spec.shape_px
    turned = np.abs(Affine.rotation(spec.rotate_deg)(inside(plan, 60))).max(axis=0)
    need = np.ceil((turned + 6.0) / UM_PER_PX * 2).astype(int)
    return max(rows, int(need[0])) if need[0] > rows else rows, int(need[1]) if need[1] > cols else cols


def _flat(shape_px: tuple[int, int]) -> Affine:
    """Glass µm → µm about the middle of the glass."""
    return Affine.translation(-shape_px[0] * UM_PER_PX / 2, -shape_px[1] * UM_PER_PX / 2)


def _moved(spec: PhantomSpec, shape_px: tuple[int, int]) -> Affine:
    """Glass µm of the IHC → flat section: undo shift, rotation, mirror and shrinkage."""
    mirror = Affine.of([[1.0, 0.0], [0.0, -1.0 if spec.mirror else 1.0]])
    forward = Affine.rotation(spec.rotate_deg) @ mirror @ Affine.scaling(1 - spec.shrink)
    return forward.inverse @ _flat(shape_px)


def lay_out(spec: PhantomSpec) -> tuple[Glass, Glass]:
    """Return the H&E glass and the IHC glass of a spec."""
    plan = planned(spec.seed, _half(spec), spec.in_situ)
    he_shape, ihc_shape = spec.shape_px, _glass_shape(plan, spec)
    points = inside(plan, 60)
    extent = 2 * float(max(plan.half_um))
    torn = plan.torn(2 * np.pi * chance(drawn(int(plan.seed), 3, 3)), spec.missing)
    he, ihc = [], []
    for level in range(spec.levels):
        still = np.zeros((0, 7))
        bend = fitted_waves(int(drawn(int(plan.seed), 4, level)), extent, spec.warp_um, points)
        role: Literal["patient", "duplicate"] = "patient" if level == 0 else "duplicate"
        lie_he = Placement(_flat(he_shape), still)
        lie_ihc = Placement(_moved(spec, ihc_shape), bend)
        he.append(_piece(role, Section(plan, lie_he, drawn(int(plan.seed), 20, level)), level, he_shape))
        ihc.append(_piece(role, Section(torn, lie_ihc, drawn(int(plan.seed), 21, level)), level, ihc_shape))
    if spec.control:
        ihc += _controls(spec, ihc_shape, ihc[-1])
    return _glass("he", he_shape, he), _glass("ihc", ihc_shape, ihc)


def _piece(
    role: Literal["patient", "duplicate"], section: Section, level: int, shape_px: tuple[int, int]
) -> Piece:
    return Piece(role, section, level * _rolled_up(shape_px[1]), _rolled_up(shape_px[1]))


def _glass(stain: Stain, shape_px: tuple[int, int], pieces: list[Piece]) -> Glass:
    last = pieces[-1]
    width = shape_px[1] if len(pieces) == 1 else last.col_px + last.width_px
    return Glass(stain, (shape_px[0], width), tuple(pieces))


def _controls(spec: PhantomSpec, shape_px: tuple[int, int], before: Piece) -> list[Piece]:
    """Two round cores, 3+ and 0, right of everything else."""
    side_um = float(np.clip(0.42 * shape_px[0] * UM_PER_PX, 180.0, 1500.0))
    strip = _rolled_up(round(side_um / UM_PER_PX) + 64)
    start = before.col_px + before.width_px
    out: list[Piece] = []
    wanted: tuple[CellClass, CellClass] = ("3+", "0")
    for k, expected in enumerate(wanted):
        plan = planned(int(drawn(spec.seed, 70, k)), (side_um * 0.46, side_um * 0.46))
        place = Placement(_flat((shape_px[0], strip)), np.zeros((0, 7)))
        section = Section(plan, place, drawn(int(plan.seed), 22, k))
        out.append(Piece("control", section, start + k * strip, strip, expected))
    return out


def glass_px(points_um: NDArray[np.float64], piece: Piece) -> NDArray[np.float64]:
    """Strip µm → level-0 pixels of the glass."""
    return points_um / UM_PER_PX + np.array([0.0, piece.col_px])
