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

    from napari_her2.phantom.spec import PhantomSpec, Stain
    from napari_her2.vocabulary import CellClass

    Floats = NDArray[np.float64]

__all__ = ["TILE", "Glass", "Piece", "lay_out"]

TILE: Final = 512
"""Side in pixels of the tiles in which everything is drawn and stored."""

_LARGEST_HALF_UM = (5600.0, 8000.0)
_RIM_UM = 4.0


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
    if spec.faults.no_glass > 0:
        beyond = max(width, height) * spec.faults.no_glass
        width, height = width + 1.6 * beyond, height + 1.6 * beyond
    return min(share * height, _LARGEST_HALF_UM[0]), min(share * width, _LARGEST_HALF_UM[1])


def _rolled_up(size: int) -> int:
    return -(-size // TILE) * TILE


def _flat(shape_px: tuple[int, int]) -> Affine:
    """Glass µm → µm about the middle of the glass."""
    return Affine.translation(-shape_px[0] * UM_PER_PX / 2, -shape_px[1] * UM_PER_PX / 2)


def _turned(spec: PhantomSpec) -> Affine:
    """Flat section → how it lies on the IHC glass: shrunk, mirrored, rotated about its middle."""
    mirror = Affine.of([[1.0, 0.0], [0.0, -1.0 if spec.mirror else 1.0]])
    return Affine.rotation(spec.rotate_deg) @ mirror @ Affine.scaling(1 - spec.shrink)


def _glass_shape(spec: PhantomSpec, outlines: list[Floats]) -> tuple[int, int]:
    """Rows and columns that hold the sections; the H&E's own, perhaps lying on its side, where they fit."""
    own = spec.shape_px[::-1] if 45 < spec.rotate_deg % 180 < 135 else spec.shape_px
    if spec.faults.no_glass > 0:
        return own
    need = np.max([np.ptp(points, axis=0) for points in outlines], axis=0) + 2 * _RIM_UM
    rows, cols = np.ceil(need / UM_PER_PX).astype(int)
    return max(own[0], int(rows)), max(own[1], int(cols))


def _laid(spec: PhantomSpec, bend: Floats, outline: Floats, shape_px: tuple[int, int]) -> Placement:
    """Lie in the middle of the glass, moved only as far as the outline asks for."""
    if spec.faults.no_glass > 0:
        return Placement(_turned(spec).inverse @ _flat(shape_px), bend)
    half = np.array(shape_px) * UM_PER_PX / 2 - _RIM_UM
    shift = np.maximum(-half - outline.min(axis=0), 0) + np.minimum(half - outline.max(axis=0), 0)
    forward = Affine.translation(*shift) @ _turned(spec)
    return Placement(forward.inverse @ _flat(shape_px), bend)


def lay_out(spec: PhantomSpec) -> tuple[Glass, Glass]:
    """Return the H&E glass and the IHC glass of a spec."""
    plan = planned(spec.seed, _half(spec), spec.in_situ).filled(spec.faults.no_glass)
    torn = plan.torn(2 * np.pi * chance(drawn(int(plan.seed), 3, 3)), spec.missing)
    points = inside(plan, 60)
    extent = 2 * float(max(plan.half_um))
    keys = [int(drawn(int(plan.seed), 4, level)) for level in range(spec.levels)]
    bends = [fitted_waves(key, extent, spec.warp_um, points) for key in keys]
    outlines = [_turned(spec)(Placement(Affine.identity(), bend).glass(points)) for bend in bends]
    he_shape, ihc_shape = spec.shape_px, _glass_shape(spec, outlines)
    still = Placement(_flat(he_shape), np.zeros((0, 7)))
    he, ihc = [], []
    for level, (bend, outline) in enumerate(zip(bends, outlines, strict=True)):
        placed = _laid(spec, bend, outline, ihc_shape)
        he.append(_piece(Section(plan, still, drawn(int(plan.seed), 20, level)), level, he_shape))
        ihc.append(_piece(Section(torn, placed, drawn(int(plan.seed), 21, level)), level, ihc_shape))
    if spec.control:
        ihc += _controls(spec, ihc_shape, ihc[-1])
    return _glass("he", he_shape, he), _glass("ihc", ihc_shape, ihc)


def _piece(section: Section, level: int, shape_px: tuple[int, int]) -> Piece:
    role: Literal["patient", "duplicate"] = "patient" if level == 0 else "duplicate"
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


def glass_px(points_um: Floats, piece: Piece) -> Floats:
    """Strip µm → level-0 pixels of the glass."""
    return points_um / UM_PER_PX + np.array([0.0, piece.col_px])
