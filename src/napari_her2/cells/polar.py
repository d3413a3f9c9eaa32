"""The surroundings of each nucleus, unrolled into rays, and the membrane's way through them.

From the centre of a nucleus 72 rays go out. On each ray a membrane is a *ridge*: DAB that stands
above the cytoplasm on the nucleus' side and above what lies outside. Diffuse cytoplasmic or nuclear
DAB, however dense, is no ridge. Neighbouring rays must agree on the radius (dynamic programming on
the circle), so that noise does not add up to a membrane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ACROSS",
    "RAYS",
    "STEPS",
    "STEP_UM",
    "Rasters",
    "Unrolled",
    "cross_sections",
    "follow",
    "ridge",
    "sharpness",
    "unroll",
]

RAYS: Final = 72
STEP_UM: Final = 0.25
STEPS: Final = 60
BESIDE_UM: Final = (0.75, 1.5)
AWAY_UM: Final = 2.0
BLUSH_OD: Final = 0.35
ACROSS: Final = 12
BEYOND_UM: Final = 2.5
INSIDE_UM: Final = 1.0
BEND: Final = 0.004

_FORBIDDEN: Final = np.float32(-100.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rasters:
    """What rays are drawn through.

    Attributes
    ----------
    brown : float32 ndarray
        Smoothed DAB at the working resolution, log10 OD.
    nuclei, territory : int32 ndarray
        Nucleus, and nearest nucleus within reach, per pixel of a raster ``scale`` times coarser; 0 none.
    um_per_px : float
        Of ``brown``.
    scale : int
    """

    brown: NDArray[np.float32]
    nuclei: NDArray[np.int32]
    territory: NDArray[np.int32]
    um_per_px: float
    scale: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unrolled:
    """Rays of some cells; arrays of shape (cells, rays, steps).

    Attributes
    ----------
    brown : float32
        DAB, log10 OD.
    territory : int32
        Whose territory a sample lies in.
    allowed : bool
        Where the cell's own membrane may run.
    """

    brown: NDArray[np.float32]
    territory: NDArray[np.int32]
    allowed: NDArray[np.bool_]


@lru_cache(maxsize=8)
def _offsets(um_per_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of all samples about a centre, in 1/32 px.

    OpenCV interpolates at 1/32 px. Rounded here, once, samples fall on the same places of the slide
    whatever tile they are read from.
    """
    radius = (np.arange(STEPS) + 0.5) * STEP_UM / um_per_px
    angle = np.arange(RAYS)[:, None] * (2 * np.pi / RAYS)
    return np.rint(np.sin(angle) * radius * 32) / 32, np.rint(np.cos(angle) * radius * 32) / 32


def _sampled(
    image: NDArray[np.float32], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Bilinear samples at corner-based places, which are multiples of 1/32 px; any shape (a, b, c)."""
    import cv2

    a, b, c = rows.shape
    across, along = (x.reshape(a * b, c) - 0.5 for x in (cols, rows))
    got = cv2.remap(
        image,
        across.astype(np.float32),
        along.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(got, np.float32).reshape(a, b, c)


def unroll(
    rasters: Rasters, centres: NDArray[np.float64], names: NDArray[np.int32], growth_um: float
) -> Unrolled:
    """Sample DAB and territory along the rays of some cells.

    Parameters
    ----------
    rasters : Rasters
    centres : ndarray of shape (n, 2)
        Centroids (row, col) in pixels of ``rasters.brown``, corner-based, multiples of 1/32.
    names : ndarray of shape (n,)
        Label of each cell.
    growth_um : float
        How far a cell may reach beyond its nucleus.
    """
    down, right = _offsets(rasters.um_per_px)
    rows = centres[:, 0, None, None] + down
    cols = centres[:, 1, None, None] + right
    shape = (len(centres), RAYS, STEPS)
    brown = _sampled(rasters.brown, rows, cols)
    high, wide = rasters.territory.shape
    r = np.clip((rows * (1 / rasters.scale)).astype(np.int32), 0, high - 1)
    c = np.clip((cols * (1 / rasters.scale)).astype(np.int32), 0, wide - 1)
    index = r * wide + c
    territory = rasters.territory.ravel()[index].reshape(shape)
    nucleus = rasters.nuclei.ravel()[index].reshape(shape)
    allowed = _allowed(territory, nucleus, names[:, None, None], growth_um)
    return Unrolled(brown=brown, territory=territory, allowed=allowed)


def _first(found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First step at which something is found; STEPS if nowhere."""
    at = found.argmax(axis=2)
    at[~np.take_along_axis(found, at[..., None], 2)[..., 0]] = STEPS
    return at


def _allowed(
    territory: NDArray[np.int32], nucleus: NDArray[np.int32], names: NDArray[np.int32], growth_um: float
) -> NDArray[np.bool_]:
    inside = nucleus == names
    edge = STEPS - _first(inside[..., ::-1])
    begin = np.maximum(edge - round(INSIDE_UM / STEP_UM), 2)
    border = _first(territory != names) + round(BEYOND_UM / STEP_UM)
    end = np.minimum(border, edge + round(growth_um / STEP_UM))
    foreign = _first((nucleus != 0) & ~inside)
    end = np.maximum(np.minimum(end, foreign + 1), begin + 2)
    steps = np.arange(STEPS, dtype=np.int32)
    return np.asarray((steps >= begin[..., None]) & (steps < end[..., None]))


def ridge(brown: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each sample stands out as a line of DAB across its ray, averaged over three rays.

    Cytoplasm between a bare nucleus and bare stroma stands above both, too, but it is broad: a line
    must stand above the darkest of what lies 0.75 to 1.5 um to its sides. A broad membrane counts as
    well, once it is far denser than any cytoplasm.
    """
    steps = brown.shape[2]
    near, far = round(BESIDE_UM[0] / STEP_UM), round(BESIDE_UM[1] / STEP_UM)
    wide = round(AWAY_UM / STEP_UM)
    padded = np.pad(brown, ((0, 0), (0, 0), (wide, wide)), mode="edge")
    beside = np.full_like(brown, -1.0)
    for k in range(near, far + 1):
        np.maximum(beside, padded[..., wide - k : wide - k + steps], out=beside)
        np.maximum(beside, padded[..., wide + k : wide + k + steps], out=beside)
    away = np.maximum(padded[..., :steps], padded[..., 2 * wide : 2 * wide + steps])
    sharp = sharpness(brown, beside, away)
    return (sharp + np.roll(sharp, 1, axis=1) + np.roll(sharp, -1, axis=1)) * np.float32(1 / 3)


def sharpness(
    line: NDArray[np.float32], beside: NDArray[np.float32], away: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Height above what lies right beside, or half of what exceeds any cytoplasm farther away."""
    return np.maximum(line - beside, np.float32(0.5) * (line - away - np.float32(BLUSH_OD)))


def follow(value: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Find the closed line of greatest value around each cell, one step per ray.

    A first pass on every second ray and step finds the line by dynamic programming, one lap and a
    half, so that its middle does not depend on where the lap began. A second pass takes the best
    step near it on every ray.
    """
    score = np.where(allowed, value, _FORBIDDEN)
    steps = np.maximum(score[..., 0::2], score[..., 1::2])  # numpy reduces axes of two slowly
    rough = np.asarray((steps[:, 0::2] + steps[:, 1::2]) / 2, np.float32)
    line = np.repeat(_closed_line(rough), 2, axis=1)
    line = (line + np.roll(line, -1, axis=1)) + 0
    near = np.clip(line[..., None] + np.arange(-2, 4), 0, STEPS - 1)
    values = np.take_along_axis(score, near, axis=2)
    best = values.argmax(axis=2)[..., None]
    return np.asarray(np.take_along_axis(near, best, axis=2)[..., 0])


def _closed_line(score: NDArray[np.float32], slack: int = 2) -> NDArray[np.intp]:
    cells, rays, steps = score.shape
    laps = rays + rays // 2
    came = np.empty((laps, cells, steps), np.int8)
    room = np.full((cells, steps + 2 * slack), _FORBIDDEN * 10, np.float32)
    best = score[:, 0].copy()
    for lap in range(1, laps):
        room[:, slack : slack + steps] = best
        best = room[:, slack : slack + steps].copy()
        back = came[lap]
        back[:] = 0
        for shift in (-1, 1, -2, 2):
            moved = room[:, slack + shift : slack + shift + steps] - np.float32(BEND * abs(shift))
            better = moved > best
            np.copyto(best, moved, where=better)
            back[better] = shift
        best += score[:, lap % rays]
        best -= best.max(axis=1, keepdims=True)
    who = np.arange(cells)
    path = np.empty((cells, laps), np.intp)
    path[:, -1] = best.argmax(axis=1)
    for lap in range(laps - 1, 0, -1):
        path[:, lap - 1] = path[:, lap] + came[lap, who, path[:, lap]]
    start = rays // 4
    return np.roll(path[:, start : start + rays], start, axis=1)


def cross_sections(
    brown: NDArray[np.float32], um_per_px: float, centres: NDArray[np.float64], line: NDArray[np.intp]
) -> NDArray[np.float32]:
    """DAB along the normal of the line at each ray, (cells, rays, 2 * ACROSS + 1); outwards last."""
    down, right = _offsets(um_per_px)
    rays = np.arange(RAYS)
    row, col = down[rays, line], right[rays, line]
    along_row = np.roll(row, -2, axis=1) - np.roll(row, 2, axis=1)
    along_col = np.roll(col, -2, axis=1) - np.roll(col, 2, axis=1)
    length = np.maximum(np.hypot(along_row, along_col), 1e-6)
    step = np.arange(-ACROSS, ACROSS + 1) * (STEP_UM / um_per_px)
    rows = row[..., None] + (along_col / length)[..., None] * step
    cols = col[..., None] - (along_row / length)[..., None] * step
    rows, cols = np.rint(rows * 32) / 32, np.rint(cols * 32) / 32
    return _sampled(brown, centres[:, 0, None, None] + rows, centres[:, 1, None, None] + cols)
