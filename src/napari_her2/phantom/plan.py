"""The plan of one piece of tissue: its numbers, its torn edge, its ducts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import architecture as arch
from napari_her2.phantom.noise import chance, drawn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Plan", "inside", "lying", "planned"]

_ACROSS: Final = 110
_SCORABLE_UM2: Final = 30_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The plan of one piece of tissue.

    Attributes
    ----------
    seed : uint64
    numbers : ndarray
        Parameters of the fields (:data:`napari_her2.phantom.architecture.PARAMETERS`).
    ducts : ndarray of shape (n, 3)
        Ducts with carcinoma in situ: row, column, radius in µm.
    duct_bits : ndarray of shape (n,), uint64
    half_um : (float, float)
        Half height and half width of the piece.
    """

    seed: np.uint64
    numbers: Floats
    ducts: Floats
    duct_bits: NDArray[np.uint64]
    half_um: tuple[float, float]

    def torn(self, direction_rad: float, fraction: float) -> Plan:
        """Return the same plan with that fraction of the tissue missing at one side."""
        if fraction <= 0:
            return self
        points = inside(self)
        low, high = -2.0 * max(self.half_um), 2.0 * max(self.half_um)
        for _ in range(24):
            middle = (low + high) / 2
            left = (lying(self._cut(direction_rad, middle), points)[:, arch.TISSUE] > 0).mean()
            low, high = (low, middle) if left > 1 - fraction else (middle, high)
        return self._cut(direction_rad, (low + high) / 2)

    def filled(self, strength: float) -> Plan:
        """Return the same plan with that much less fat, fewer lumens and vessels (0 to 1)."""
        if strength <= 0:
            return self
        numbers = self.numbers.copy()
        numbers[[arch.FAT_FROM, arch.LUMEN_FROM]] += 3.0 * strength
        numbers[arch.VESSELS] *= 1 - strength
        return replace(self, numbers=numbers)

    def _cut(self, direction_rad: float, distance_um: float) -> Plan:
        numbers = self.numbers.copy()
        numbers[[arch.CUT_Y, arch.CUT_X]] = np.sin(direction_rad), np.cos(direction_rad)
        numbers[arch.CUT] = distance_um
        return replace(self, numbers=numbers)


def lying(plan: Plan, points: Floats) -> Floats:
    """Fields (n, 14) at points (n, 2) of the tissue's own frame, µm."""
    frame = plan.numbers, plan.seed, plan.ducts, plan.duct_bits, np.eye(2), np.zeros(2), np.zeros((0, 7))
    return arch.fields_at(frame, np.ascontiguousarray(points))


def inside(plan: Plan, across: int = _ACROSS) -> Floats:
    """Tissue points (n, 2) on a regular grid of ``across`` per side."""
    rows = np.linspace(-1, 1, across) * plan.half_um[0]
    cols = np.linspace(-1, 1, across) * plan.half_um[1]
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.ascontiguousarray(grid[lying(plan, grid)[:, arch.TISSUE] > 0])


def planned(seed: int, half_um: tuple[float, float], in_situ: float = 0.0) -> Plan:
    """Plan a piece of tissue of about that half size (µm); nests fill a good part of it."""
    key = drawn(seed, 7, 1)
    none = np.zeros((0, 3)), np.zeros(0, np.uint64)
    plan = Plan(key, _numbers(key, half_um), *none, half_um)
    points = inside(plan)
    area = 4 * half_um[0] * half_um[1] * len(points) / _ACROSS**2
    share = float(np.clip(_SCORABLE_UM2 / area, 0.45, 0.85))
    wish = lying(plan, points)[:, arch.NEST] / (0.9 * plan.numbers[arch.NEST_SCALE])
    plan.numbers[arch.TAU] = np.quantile(wish, 1 - share)
    return plan if in_situ <= 0 else _with_ducts(plan, points, in_situ)


def _numbers(key: np.uint64, half_um: tuple[float, float]) -> Floats:
    small = float(min(half_um))
    numbers = np.zeros(arch.PARAMETERS)
    numbers[[arch.HALF_Y, arch.HALF_X]] = half_um
    numbers[[arch.EDGE, arch.EDGE_SCALE, arch.RAGGED]] = 0.09 * small, 0.8 * small, min(9.0, 0.03 * small)
    numbers[arch.BED_SCALE] = np.clip(0.9 * small, 150.0, 1400.0)
    numbers[arch.BED_WEIGHT] = np.clip(small / 1500.0, 0.15, 1.1)
    numbers[arch.NEST_SCALE] = 54.0 + 24.0 * chance(key, 5)
    numbers[arch.TILT] = np.pi * chance(key, 1)
    numbers[arch.FAT_FROM] = np.interp(small, [350, 400, 3000], [2.0, 0.12, 0.02])
    numbers[arch.LYMPH_FROM] = 0.34
    numbers[arch.VESSELS] = 0.7
    numbers[arch.LUMEN_FROM] = 0.52 + 0.25 * chance(key, 2)
    numbers[arch.CUT] = 1e9
    numbers[arch.CELL_STEP] = 10.4 + 1.8 * chance(key, 3)
    numbers[arch.GRADE] = chance(key, 4)
    numbers[arch.CLONE_SCALE] = np.clip(0.3 * small, 170.0, 700.0)
    return numbers


def _with_ducts(plan: Plan, points: Floats, share: float) -> Plan:
    """Add ducts until they hold about ``share`` of the carcinoma."""
    cell = 4 * plan.half_um[0] * plan.half_um[1] / _ACROSS**2
    fields = lying(plan, points)
    nested = fields[:, arch.NEST] > 0
    order = np.argsort([chance(drawn(int(plan.seed), 91, k)) for k in range(len(points))])
    chosen: list[tuple[float, float, float]] = []
    bits: list[np.uint64] = []
    for k in order:
        draw = drawn(int(plan.seed), 92, int(k))
        y, x = points[k]
        radius = min(45.0 + 95.0 * chance(draw) ** 2, 0.3 * min(plan.half_um))
        if fields[k, arch.TISSUE] < 1.2 * radius + 10.0 or _crowded(chosen, (y, x, radius)):
            continue
        chosen.append((y, x, radius))
        bits.append(draw)
        nested &= np.hypot(points[:, 0] - y, points[:, 1] - x) > radius + arch.CUFF_UM
        in_ducts = sum(np.pi * r * r for _, _, r in chosen)
        if in_ducts >= share * (in_ducts + nested.sum() * cell):
            break
    return replace(plan, ducts=np.array(chosen).reshape(-1, 3), duct_bits=np.array(bits, np.uint64))


def _crowded(chosen: list[tuple[float, float, float]], new: tuple[float, float, float]) -> bool:
    y, x, radius = new
    return any(np.hypot(y - v, x - u) < 1.25 * (radius + r) + 2 * arch.CUFF_UM for v, u, r in chosen)
