"""What tissue lies where: one function of (seed, place), shared by both sections.

All lengths are µm in the tissue's own frame, whose origin is the middle of the piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import hashed, noise, ripple, sub, uniform
from napari_her2.phantom.warp import to_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Words = NDArray[np.uint64]
    Frame = tuple[Floats, np.uint64, Floats, Words, Floats, Floats, Floats]

__all__ = ["CUFF_UM", "FIELDS", "PARAMETERS", "fields_at"]

CUFF_UM: Final = 16.0
"""Stroma kept free of invasive tumour around a duct."""

FIELDS: Final = 14
(TISSUE, NEST, DUCT, FAT, LYMPH, VESSEL, LUMEN, FLOW, CLEFT, DENSITY, CRUSH, LATENT, Y, X) = range(FIELDS)
"""Columns of :func:`fields_at`.

Depths in µm below the border of a compartment, positive inside: TISSUE, NEST (invasive), DUCT (in
situ), FAT, LYMPH, VESSEL, LUMEN (within nests and ducts). FLOW: direction of fibres, radians, in the
tissue's frame. CLEFT: width in µm of the gap around nests. DENSITY of stroma, about 0 to 1.5. CRUSH:
positive where cells are squeezed. LATENT: smooth part of the HER2 expression. Y, X: the place.
"""

PARAMETERS: Final = 20
(
    HALF_Y, HALF_X, EDGE, EDGE_SCALE, BED_SCALE, BED_WEIGHT, NEST_SCALE, TAU, TILT, FAT_FROM, LYMPH_FROM,
    VESSELS, LUMEN_FROM, RAGGED, CUT_Y, CUT_X, CUT, CELL_STEP, GRADE, CLONE_SCALE,
) = range(PARAMETERS)  # fmt: skip
"""Numbers of a plan; see :mod:`napari_her2.phantom.plan` for what they are set to."""

_VESSEL_GRID: Final = 230.0


@inner
def _outline(a: Floats, seed: np.uint64, y: float, x: float) -> float:
    """Depth below the ragged outline of the piece, negative outside."""
    ry, rx = abs(y / a[HALF_Y]), abs(x / a[HALF_X])
    radius = (ry**3.2 + rx**3.2) ** (1 / 3.2)
    depth = (1.0 - radius) * min(a[HALF_Y], a[HALF_X])
    wave = noise(seed, y / a[EDGE_SCALE], x / a[EDGE_SCALE]) - 0.8
    wave += 0.28 * noise(sub(seed, 21), 4.0 * y / a[EDGE_SCALE], 4.0 * x / a[EDGE_SCALE])
    depth += a[EDGE] * wave
    if depth > 60.0 or depth < -60.0:
        return depth
    ragged = noise(sub(seed, 1), y / 34.0, x / 34.0) + 0.5 * noise(sub(seed, 2), y / 11.0, x / 11.0)
    return depth + a[RAGGED] * ragged


@inner
def _beyond_cut(a: Floats, seed: np.uint64, y: float, x: float) -> float:
    """How far a place lies beyond the torn edge of this section; negative where tissue is kept."""
    tear = 22.0 * noise(sub(seed, 3), y / 70.0, x / 70.0) + 5.0 * noise(sub(seed, 4), y / 14.0, x / 14.0)
    return y * a[CUT_Y] + x * a[CUT_X] + tear - a[CUT]


@inner
def _crowding(a: Floats, seed: np.uint64, y: float, x: float) -> float:
    """Wish to be tumour: a bed, and nests in it that are stretched along one direction."""
    bed = noise(sub(seed, 5), y / a[BED_SCALE], x / a[BED_SCALE])
    v = y + 46.0 * noise(sub(seed, 6), y / 130.0, x / 130.0) + 12.0 * noise(sub(seed, 19), y / 37.0, x / 37.0)
    u = x + 46.0 * noise(sub(seed, 7), y / 130.0, x / 130.0) + 12.0 * noise(sub(seed, 20), y / 37.0, x / 37.0)
    c, s = np.cos(a[TILT]), np.sin(a[TILT])
    p, q = (c * v + s * u) / (1.5 * a[NEST_SCALE]), (c * u - s * v) / a[NEST_SCALE]
    nest = noise(sub(seed, 8), p, q) + 0.45 * noise(sub(seed, 9), 2.3 * p, 2.3 * q)
    return nest + a[BED_WEIGHT] * bed - a[TAU]


@inner
def _nearest_duct(ducts: Floats, bits: Words, y: float, x: float) -> tuple[float, float]:
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


@inner
def _vessel_from(a: Floats, seed: np.uint64, place: tuple[int, int], y: float, x: float) -> float:
    """Depth inside the vessel of one grid place; very negative if there is none."""
    bits = hashed(sub(seed, 10), place[0], place[1])
    v = y - (place[0] + 0.15 + 0.7 * uniform(sub(bits, 1))) * _VESSEL_GRID
    u = x - (place[1] + 0.15 + 0.7 * uniform(sub(bits, 2))) * _VESSEL_GRID
    if uniform(bits) > a[VESSELS] or v * v + u * u > 4900.0:
        return -1e6
    size = uniform(sub(bits, 3))
    angle = uniform(sub(bits, 4)) * 3.141592653589793
    c, s = np.cos(angle), np.sin(angle)
    p, q = c * v + s * u, (c * u - s * v) * (1.0 + 1.2 * uniform(sub(bits, 5)))
    return 6.0 + 20.0 * size * size * size - np.sqrt(p * p + q * q)


@inner
def _vessel(a: Floats, seed: np.uint64, y: float, x: float) -> float:
    """Depth inside the wall of the nearest vessel; negative outside."""
    best = -1e6
    i, j = int(np.floor(y / _VESSEL_GRID)), int(np.floor(x / _VESSEL_GRID))
    for k in range(9):
        best = max(best, _vessel_from(a, seed, (i + k // 3 - 1, j + k % 3 - 1), y, x))
    return best


@inner
def _fat(a: Floats, seed: np.uint64, score: float, y: float, x: float) -> float:
    """Depth inside fat, which keeps away from tumour."""
    lobule = 0.75 * noise(sub(seed, 11), y / 420.0, x / 420.0) + 0.35 * noise(
        sub(seed, 16), y / 130.0, x / 130.0
    )
    return 260.0 * (lobule - a[FAT_FROM]) - max(0.0, 170.0 * (score + 0.8))


@inner
def _lumen(a: Floats, seed: np.uint64, depths: tuple[float, float, float], y: float, x: float) -> float:
    """Depth inside a lumen: small ones in nests, more of them and central necrosis in ducts."""
    nest, duct, radius = depths
    inside = max(nest, duct)
    if inside < 9.0:
        return -100.0
    wish = a[LUMEN_FROM] if nest > duct else a[LUMEN_FROM] - 0.12
    hole = min(16.0 * (noise(sub(seed, 13), y / 21.0, x / 21.0) - wish), inside - 12.0)
    if duct > 0.0 and radius > 75.0:
        hole = max(hole, duct - 0.5 * radius + 9.0 * noise(sub(seed, 17), y / 24.0, x / 24.0))
    return hole


@inner
def _looks(a: Floats, seed: np.uint64, y: float, x: float, out: Floats) -> None:
    """Fill what changes the looks but not the compartment."""
    turn = 3.0 * noise(sub(seed, 14), y / 330.0, x / 330.0) + 0.9 * noise(sub(seed, 15), y / 75.0, x / 75.0)
    out[FLOW] = turn + a[TILT]
    out[CLEFT] = 11.0 * (noise(sub(seed, 41), y / 46.0, x / 46.0) - 0.14)
    loose = noise(sub(seed, 42), y / 150.0, x / 150.0) + 0.5 * noise(sub(seed, 43), y / 40.0, x / 40.0)
    out[DENSITY] = 0.86 + 0.38 * loose
    out[CRUSH] = noise(sub(seed, 18), y / 210.0, x / 210.0) - 0.5
    scale = a[CLONE_SCALE]
    out[LATENT] = noise(sub(seed, 31), y / scale, x / scale) + 0.5 * noise(sub(seed, 32), y / 60.0, x / 60.0)


@inner
def _lie(frame: Frame, y: float, x: float, out: Floats) -> None:
    """Fill the fields of one place of the tissue."""
    a, seed, ducts, bits = frame[0], frame[1], frame[2], frame[3]
    out[TISSUE] = min(_outline(a, seed, y, x), -_beyond_cut(a, seed, y, x))
    if out[TISSUE] < -12.0:
        return
    score = _crowding(a, seed, y, x)
    duct, radius = _nearest_duct(ducts, bits, y, x)
    nest = min(score * 0.9 * a[NEST_SCALE], -duct - CUFF_UM)
    out[NEST], out[DUCT] = nest, duct
    out[FAT] = min(_fat(a, seed, score, y, x), -duct - 40.0)
    out[LYMPH] = 60.0 * (noise(sub(seed, 12), y / 95.0, x / 95.0) + 0.4 * score - a[LYMPH_FROM])
    if nest < -14.0 and duct < -10.0:
        out[VESSEL] = _vessel(a, seed, y, x)
    out[LUMEN] = _lumen(a, seed, (nest, duct, radius), y, x)
    _looks(a, seed, y, x, out)
    rim = max(0.0, 1.0 - abs(duct + 7.0) / 9.0)
    crowd = min(1.0, max(0.0, 0.2 * out[LYMPH] + 0.5))
    out[DENSITY] += 0.35 * rim - 0.22 * crowd


@jit
def fields_at(frame: Frame, points: Floats) -> Floats:
    """Fields (n, 14) at points (n, 2) in µm of the glass strip; see the names of the columns.

    ``frame``: the plan's numbers, seed, ducts and their bits; the placement's linear part, offset, waves.
    """
    out = np.full((points.shape[0], FIELDS), -100.0)
    for i in range(points.shape[0]):
        y, x = to_tissue(frame[4], frame[5], frame[6], points[i, 0], points[i, 1])
        out[i, FLOW], out[i, CLEFT], out[i, DENSITY], out[i, LATENT] = 0.0, 0.0, 0.0, 0.0
        out[i, Y], out[i, X] = y, x
        _lie(frame, y, x, out[i])
    return out
