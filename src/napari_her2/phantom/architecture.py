"""What tissue lies where: one function of (seed, place), shared by both sections.

All lengths are µm in the tissue's own frame, whose origin is the middle of the piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import chance, drawn, hashed, noise, ripple, sub, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CUFF_UM", "FIELDS", "Architecture", "lie", "lying"]

FIELDS: Final = 8
"""Numbers per place: tissue, nest, duct, fat, lymph, vessel, lumen, flow (see :func:`lie`)."""

CUFF_UM: Final = 16.0
"""Stroma kept free of invasive tumour around a duct."""

(
    _HALF_Y, _HALF_X, _EDGE, _EDGE_SCALE, _BED_SCALE, _BED_WEIGHT, _NEST_SCALE, _TAU, _TILT, _FAT, _LYMPH,
    _VESSELS, _LUMEN, _RAGGED, _CUT_Y, _CUT_X, _CUT, _N_PARAMETERS,
) = range(18)  # fmt: skip
_VESSEL_GRID = 230.0


@jit
def _outline(a, seed, y, x):  # type: ignore[no-untyped-def]
    """Depth below the ragged outline of the piece, negative outside."""
    ry, rx = abs(y / a[_HALF_Y]), abs(x / a[_HALF_X])
    radius = (ry**3.2 + rx**3.2) ** (1 / 3.2)
    depth = (1.0 - radius) * min(a[_HALF_Y], a[_HALF_X])
    depth += a[_EDGE] * (noise(seed, y / a[_EDGE_SCALE], x / a[_EDGE_SCALE]) - 0.8)
    if depth > 60.0 or depth < -60.0:
        return depth
    ragged = noise(sub(seed, 1), y / 34.0, x / 34.0) + 0.5 * noise(sub(seed, 2), y / 11.0, x / 11.0)
    return depth + a[_RAGGED] * ragged


@jit
def _cut(a, seed, y, x):  # type: ignore[no-untyped-def]
    """How far a place lies beyond the torn edge of this section; negative where tissue is kept."""
    tear = 22.0 * noise(sub(seed, 3), y / 70.0, x / 70.0) + 5.0 * noise(sub(seed, 4), y / 14.0, x / 14.0)
    return y * a[_CUT_Y] + x * a[_CUT_X] + tear - a[_CUT]


@jit
def _crowding(a, seed, y, x):  # type: ignore[no-untyped-def]
    """Wish to be tumour, before the threshold: tumour bed plus nests, stretched along one direction."""
    bed = noise(sub(seed, 5), y / a[_BED_SCALE], x / a[_BED_SCALE])
    v = y + 24.0 * noise(sub(seed, 6), y / 110.0, x / 110.0)
    u = x + 24.0 * noise(sub(seed, 7), y / 110.0, x / 110.0)
    c, s = np.cos(a[_TILT]), np.sin(a[_TILT])
    p, q = (c * v + s * u) / (1.5 * a[_NEST_SCALE]), (c * u - s * v) / a[_NEST_SCALE]
    nest = noise(sub(seed, 8), p, q) + 0.45 * noise(sub(seed, 9), 2.3 * p, 2.3 * q)
    return nest + a[_BED_WEIGHT] * bed


@jit
def _nearest_duct(ducts, bits, y, x):  # type: ignore[no-untyped-def]
    """Depth inside the nearest duct (negative outside) and its radius."""
    best, size = -1e6, 0.0
    for k in range(ducts.shape[0]):
        v, u, radius = y - ducts[k, 0], x - ducts[k, 1], ducts[k, 2]
        far = np.sqrt(v * v + u * u)
        if far > 1.4 * radius + 60.0:
            continue
        depth = radius * (1.0 + 0.1 * ripple(bits[k], np.arctan2(v, u))) - far
        if depth > best:
            best, size = depth, radius
    return best, size


@jit
def vessel_at(a, seed, i, j):  # type: ignore[no-untyped-def]
    """Vessel of one grid place: centre, radius (0: none), and its bits."""
    bits = hashed(sub(seed, 10), i, j)
    y = (i + 0.15 + 0.7 * uniform(sub(bits, 1))) * _VESSEL_GRID
    x = (j + 0.15 + 0.7 * uniform(sub(bits, 2))) * _VESSEL_GRID
    size = uniform(sub(bits, 3))
    radius = 6.0 + 20.0 * size * size * size if uniform(bits) < a[_VESSELS] else 0.0
    return y, x, radius, bits


@jit
def _vessel(a, seed, y, x):  # type: ignore[no-untyped-def]
    """Depth inside the wall of the nearest vessel; negative outside."""
    best = -1e6
    i, j = np.int64(np.floor(y / _VESSEL_GRID)), np.int64(np.floor(x / _VESSEL_GRID))
    for di in range(-1, 2):
        for dj in range(-1, 2):
            vy, vx, radius, bits = vessel_at(a, seed, i + di, j + dj)
            v, u = y - vy, x - vx
            if radius == 0.0 or v * v + u * u > 4900.0:
                continue
            angle = uniform(sub(bits, 4)) * 3.141592653589793
            c, s = np.cos(angle), np.sin(angle)
            squeeze = 1.0 + 1.2 * uniform(sub(bits, 5))
            p, q = c * v + s * u, (c * u - s * v) * squeeze
            depth = radius - np.sqrt(p * p + q * q)
            best = max(best, depth)
    return best


@jit
def lie(a, seed, ducts, bits, y, x):  # type: ignore[no-untyped-def]
    """What lies at one place.

    Returns
    -------
    tissue, nest, duct, fat, lymph, vessel, lumen, flow : float
        Depths in µm below the border of each compartment (positive inside); ``lumen`` only within
        nests and ducts; ``flow`` is the direction of fibres in radians.
    """
    tissue = min(_outline(a, seed, y, x), -_cut(a, seed, y, x))
    if tissue < -12.0:
        return tissue, -100.0, -100.0, -100.0, -100.0, -100.0, -100.0, 0.0
    score = _crowding(a, seed, y, x) - a[_TAU]
    nest = score * 0.9 * a[_NEST_SCALE]
    duct, radius = _nearest_duct(ducts, bits, y, x)
    nest = min(nest, -duct - CUFF_UM)
    fat = 300.0 * (noise(sub(seed, 11), y / 420.0, x / 420.0) - a[_FAT]) - max(0.0, 160.0 * (score + 0.75))
    fat = min(fat, -duct - 40.0)
    lymph = 60.0 * (noise(sub(seed, 12), y / 95.0, x / 95.0) + 0.4 * score - a[_LYMPH])
    vessel = _vessel(a, seed, y, x)
    if nest > -14.0 or duct > -10.0:
        vessel = -100.0
    hole = 16.0 * (noise(sub(seed, 13), y / 21.0, x / 21.0) - a[_LUMEN])
    lumen = min(hole, max(nest, duct) - 11.0)
    flow = 3.0 * noise(sub(seed, 14), y / 330.0, x / 330.0) + 0.9 * noise(sub(seed, 15), y / 75.0, x / 75.0)
    return tissue, nest, duct, fat, lymph, vessel, lumen, flow + a[_TILT]


@jit
def _lie_all(a, seed, ducts, bits, points):  # type: ignore[no-untyped-def]
    out = np.empty((points.shape[0], FIELDS))
    for i in range(points.shape[0]):
        out[i] = lie(a, seed, ducts, bits, points[i, 0], points[i, 1])
    return out


@jit
def _crowding_all(a, seed, points):  # type: ignore[no-untyped-def]
    out = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        out[i] = _crowding(a, seed, points[i, 0], points[i, 1])
    return out


@jit
def _torn_all(a, seed, points):  # type: ignore[no-untyped-def]
    out = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        out[i] = _cut(a, seed, points[i, 0], points[i, 1])
    return out


def lying(plan: Architecture, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fields (n, 8) of :func:`lie` at tissue points (n, 2)."""
    return _lie_all(plan.numbers, plan.seed, plan.ducts, plan.duct_bits, np.ascontiguousarray(points))


@dataclass(frozen=True, slots=True, eq=False)
class Architecture:
    """The plan of one piece of tissue.

    Attributes
    ----------
    seed : uint64
    numbers : ndarray
        Parameters of the fields.
    ducts : ndarray of shape (n, 3)
        Ducts with carcinoma in situ: row, column, radius in µm.
    duct_bits : ndarray of shape (n,), uint64
    half_um : (float, float)
        Half height and half width of the piece.
    """

    seed: np.uint64
    numbers: NDArray[np.float64]
    ducts: NDArray[np.float64]
    duct_bits: NDArray[np.uint64]
    half_um: tuple[float, float]

    def torn(self, direction_rad: float, fraction: float) -> Architecture:
        """Return the same plan with that fraction of the tissue missing at one side."""
        if fraction <= 0:
            return self
        numbers = self.numbers.copy()
        numbers[_CUT_Y], numbers[_CUT_X], numbers[_CUT] = np.sin(direction_rad), np.cos(direction_rad), 0.0
        points = inside(self)
        numbers[_CUT] = np.quantile(_torn_all(numbers, self.seed, points), 1 - fraction)
        return Architecture(self.seed, numbers, self.ducts, self.duct_bits, self.half_um)


def inside(plan: Architecture, across: int = 110) -> NDArray[np.float64]:
    """Tissue points on a regular grid of about ``across`` per side."""
    rows = np.linspace(-1, 1, across) * plan.half_um[0]
    cols = np.linspace(-1, 1, across) * plan.half_um[1]
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.ascontiguousarray(grid[lying(plan, grid)[:, 0] > 0])


def planned(seed: int, half_um: tuple[float, float], in_situ: float = 0.0) -> Architecture:
    """Plan a piece of tissue of about that half size; nests fill a good part of it."""
    key = drawn(seed, 7, 1)
    small = float(min(half_um))
    numbers = np.zeros(_N_PARAMETERS)
    numbers[_HALF_Y], numbers[_HALF_X] = half_um
    numbers[_EDGE] = 0.09 * small
    numbers[_EDGE_SCALE] = 0.8 * small
    numbers[_RAGGED] = min(9.0, 0.03 * small)
    numbers[_BED_SCALE] = np.clip(0.9 * small, 150.0, 1400.0)
    numbers[_BED_WEIGHT] = np.clip(small / 1500.0, 0.15, 1.1)
    numbers[_NEST_SCALE] = 62.0
    numbers[_TILT] = np.pi * chance(key, 1)
    numbers[_FAT] = 0.12 if small > 350 else 2.0
    numbers[_LYMPH] = 0.34
    numbers[_VESSELS] = 0.7
    numbers[_LUMEN] = 0.62
    numbers[_CUT] = 1e9
    none = np.zeros((0, 3)), np.zeros(0, np.uint64)
    plan = Architecture(key, numbers, *none, half_um)
    points = inside(plan)
    area = 4 * half_um[0] * half_um[1] * len(points) / 110**2
    share = float(np.clip(30_000.0 / area, 0.45, 0.85))
    numbers[_TAU] = np.quantile(_crowding_all(numbers, plan.seed, points), 1 - share)
    return plan if in_situ <= 0 else _with_ducts(plan, points, in_situ)


def _with_ducts(plan: Architecture, points: NDArray[np.float64], share: float) -> Architecture:
    """Add ducts until they hold about ``share`` of the carcinoma."""
    small = min(plan.half_um)
    cell = 4 * plan.half_um[0] * plan.half_um[1] / 110**2
    chosen: list[tuple[float, float, float]] = []
    bits: list[np.uint64] = []
    nested = lying(plan, points)[:, 1] > 0
    order = np.argsort([chance(drawn(int(plan.seed), 91, k)) for k in range(len(points))])
    for k in order:
        draw = drawn(int(plan.seed), 92, int(k))
        radius = min(45.0 + 95.0 * chance(draw) ** 2, 0.3 * small)
        y, x = points[k]
        if any(np.hypot(y - v, x - u) < 1.25 * (radius + r) + 2 * CUFF_UM for v, u, r in chosen):
            continue
        if lying(plan, points[k : k + 1])[0, 0] < 1.2 * radius + 10.0:
            continue
        chosen.append((y, x, radius))
        bits.append(draw)
        reach = np.hypot(points[:, 0] - y, points[:, 1] - x)
        nested &= reach > radius + CUFF_UM
        in_ducts = sum(np.pi * r * r for _, _, r in chosen)
        if in_ducts >= share * (in_ducts + nested.sum() * cell):
            break
    return Architecture(
        plan.seed, plan.numbers, np.array(chosen).reshape(-1, 3), np.array(bits, np.uint64), plan.half_um
    )
