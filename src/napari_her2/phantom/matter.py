"""Everything that is not a cell: fibres, slits, fat, vessels, lumina, and where epithelium ends.

The architecture is evaluated on a lattice of 8 px; between its nodes values are bilinear. Painters
go block by block, so that a compartment costs nothing where it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom import architecture as arch
from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import hashed, noise, sub, uniform
from napari_her2.phantom.textures import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float32]
    Corner = tuple[int, int]

__all__ = ["EDGE", "LATTICE_PX", "NODE_PX", "OUTER", "RED", "SOLID", "bends", "lay"]

LATTICE_PX: Final = 8
"""Spacing of the lattice on which the architecture is evaluated."""

NODE_PX: Final = 176
"""Spacing of the places that give collagen its direction."""

SOLID, RED, OUTER, EDGE = range(4)
"""Layers of the matter: stroma (about 0 to 1.3), red cells, depth in epithelium (µm), tissue edge."""

_WRAP = SIDE - 1


@inner
def ramp(depth: float) -> float:
    """0 below -0.5, 1 above 0.5, linear between: a border one unit wide."""
    return min(1.0, max(0.0, depth + 0.5))


@inner
def at(lattice: Field, k: int, block: tuple[int, int], v: float, u: float) -> float:
    """Bilinear value of a layer inside a block of the lattice."""
    i, j = block
    top = lattice[k, i, j] + u * (lattice[k, i, j + 1] - lattice[k, i, j])
    low = lattice[k, i + 1, j] + u * (lattice[k, i + 1, j + 1] - lattice[k, i + 1, j])
    return top + v * (low - top)


@jit
def bends(seed: np.uint64, corner: Corner, out: Field) -> None:
    """Fill ``out`` (2, h, w) with the displacement that makes cell borders wavy, pixels."""
    nodes = np.empty((2, out.shape[1] // 8 + 1, out.shape[2] // 8 + 1), np.float32)
    for k in range(2):
        for i in range(nodes.shape[1]):
            for j in range(nodes.shape[2]):
                y, x = (corner[0] + 8 * i) * 0.25, (corner[1] + 8 * j) * 0.25
                nodes[k, i, j] = 4.2 * noise(sub(seed, 61 + k), y / 5.5, x / 5.5)
    for k in range(2):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                out[k, r, c] = at(nodes, k, (r // 8, c // 8), (r % 8 + 0.5) / 8.0, (c % 8 + 0.5) / 8.0)


@inner
def _most(lattice: Field, k: int, i: int, j: int) -> float:
    """Greatest value of a layer over a block."""
    return max(
        max(lattice[k, i, j], lattice[k, i, j + 1]), max(lattice[k, i + 1, j], lattice[k, i + 1, j + 1])
    )


@inner
def _fibres(nodes: Field, texture: Field, base: Corner, row: int, col: int) -> float:
    """Collagen at a pixel: four turned views of the texture, blended without losing contrast."""
    y, x = (row - base[0] * 176) / 176.0, (col - base[1] * 176) / 176.0
    i, j = int(y), int(x)
    v, u = y - i, x - j
    v, u = v * v * (3.0 - 2.0 * v), u * u * (3.0 - 2.0 * u)
    total, power = 0.0, 0.0
    for di in range(2):
        for dj in range(2):
            weight = (v if di else 1.0 - v) * (u if dj else 1.0 - u)
            if weight < 0.03:
                continue
            s, c = nodes[0, i + di, j + dj], nodes[1, i + di, j + dj]
            dy, dx = row - (base[0] + i + di) * 176.0, col - (base[1] + j + dj) * 176.0
            p = np.int64(c * dy - s * dx + nodes[2, i + di, j + dj] + 8192.0) & _WRAP
            q = np.int64(s * dy + c * dx + nodes[3, i + di, j + dj] + 8192.0) & _WRAP
            total += weight * texture[p, q]
            power += weight * weight
    return total / np.sqrt(power)


@inner
def _wall(seed: np.uint64, y: float, x: float) -> float:
    """Distance in µm to the nearest wall between fat cells."""
    v, u = y / 64.0, x / 64.0
    i, j = int(np.floor(v)), int(np.floor(u))
    first, second, fy, fx, sy, sx = 1e9, 1e9, 0.0, 0.0, 0.0, 0.0
    for k in range(9):
        bits = hashed(sub(seed, 71), i + k // 3 - 1, j + k % 3 - 1)
        py = i + k // 3 - 0.85 + 0.7 * uniform(bits)
        px = j + k % 3 - 0.85 + 0.7 * uniform(sub(bits, 1))
        far = (py - v) * (py - v) + (px - u) * (px - u)
        if far < first:
            second, sy, sx = first, fy, fx
            first, fy, fx = far, py, px
        elif far < second:
            second, sy, sx = far, py, px
    apart = np.sqrt((fy - sy) * (fy - sy) + (fx - sx) * (fx - sx))
    return (second - first) / (2.0 * max(apart, 1e-6)) * 64.0


@inner
def _red_cells(seed: np.uint64, y: float, x: float) -> float:
    """Coverage by red cells, packed discs of 6 to 7 µm."""
    v, u = y / 6.4, x / 6.4
    i, j = int(np.floor(v)), int(np.floor(u))
    near = 1e9
    for k in range(9):
        bits = hashed(sub(seed, 72), i + k // 3 - 1, j + k % 3 - 1)
        if uniform(sub(bits, 2)) < 0.25:
            continue
        py = i + k // 3 - 0.75 + 0.5 * uniform(bits)
        px = j + k % 3 - 0.75 + 0.5 * uniform(sub(bits, 1))
        near = min(near, (py - v) * (py - v) + (px - u) * (px - u))
    return ramp((3.1 - 6.4 * np.sqrt(near)) * 1.5)


@inner
def _stroma(
    lattice: Field, block: tuple[int, int], place: tuple[float, float], fibre: float, nest: float
) -> float:
    """Amount of stroma at a place outside epithelium, before fat and vessels."""
    v, u = place
    density = at(lattice, arch.DENSITY, block, v, u)
    solid = max(0.03, density * (0.74 + 0.25 * fibre))
    gap = at(lattice, arch.CLEFT, block, v, u)
    if gap > 0.0 and nest > -7.0 - gap:
        solid *= 1.0 - 0.96 * ramp((nest + 5.5 + gap) * 0.8)
    return solid


@inner
def _vessel(seed: np.uint64, vessel: float, y: float, x: float, solid: float) -> tuple[float, float]:
    """Stroma and red cells in a vessel and its wall; some vessels are empty."""
    lumen = ramp(vessel - 3.0)
    wall = ramp(vessel + 2.5) * (1.0 - lumen)
    solid = solid * (1.0 - lumen) * (1.0 - wall) + 0.95 * wall
    red = 0.0
    if lumen > 0.0 and noise(sub(seed, 73), y / 60.0, x / 60.0) > -0.15:
        red = lumen * _red_cells(seed, y, x)
    return solid, red


@jit
def lay(
    seed: np.uint64, lattice: Field, nodes: Field, textures: tuple[Field, Field], job: tuple[Corner, Field]
) -> None:
    """Fill the matter (4, h, w) of a tile.

    ``lattice`` (14, n, m): architecture every 8 px; ``nodes`` (4, n, m): direction (sin, cos) and
    random place in the texture of the fibre bundles every 176 px; ``job``: corner and output.
    """
    corner, out = job
    for i in range(out.shape[1] // 8):
        for j in range(out.shape[2] // 8):
            if _most(lattice, arch.TISSUE, i, j) > -1.0:
                _lay_block(seed, lattice, nodes, textures, (corner, out, i, j))


@inner
def _lay_block(
    seed: np.uint64,
    lattice: Field,
    nodes: Field,
    textures: tuple[Field, Field],
    job: tuple[Corner, Field, int, int],
) -> None:
    corner, out, i, j = job
    base = corner[0] // 176, corner[1] // 176
    fat, vessel = _most(lattice, arch.FAT, i, j) > -3.0, _most(lattice, arch.VESSEL, i, j) > -4.0
    deep = (
        min(min(lattice[arch.NEST, i, j], lattice[arch.NEST, i, j + 1]), lattice[arch.NEST, i + 1, j]) > 8.0
    )
    for k in range(64):
        v, u = (k // 8 + 0.5) / 8.0, (k % 8 + 0.5) / 8.0
        r, c = 8 * i + k // 8, 8 * j + k % 8
        tissue = at(lattice, arch.TISSUE, (i, j), v, u)
        here = ramp(tissue)
        if here <= 0.0:
            continue
        nest, duct = at(lattice, arch.NEST, (i, j), v, u), at(lattice, arch.DUCT, (i, j), v, u)
        lumen = at(lattice, arch.LUMEN, (i, j), v, u)
        solid, red = 0.0, 0.0
        if not deep and duct < 2.0:
            fibre = _fibres(nodes, textures[0], base, corner[0] + r, corner[1] + c)
            solid = _stroma(lattice, (i, j), (v, u), fibre, nest)
        if fat or vessel:
            y, x = at(lattice, arch.Y, (i, j), v, u), at(lattice, arch.X, (i, j), v, u)
            share = ramp(at(lattice, arch.FAT, (i, j), v, u) * 0.3)
            if share > 0.0:
                solid *= 1.0 - share * (1.0 - ramp(0.9 - _wall(seed, y, x)))
            if vessel:
                solid, red = _vessel(seed, at(lattice, arch.VESSEL, (i, j), v, u), y, x, solid)
        if duct > 20.0 and lumen > 3.0:
            solid = 0.85 + 0.3 * textures[1][(corner[0] + r) & _WRAP, (corner[1] + c) & _WRAP]
        out[0, r, c], out[1, r, c] = max(solid, 0.0) * here, red * here
        out[2, r, c] = min(min(max(nest + 4.5, duct - 1.5), 4.0 - lumen), tissue)
        out[3, r, c] = np.exp(-max(tissue, 0.0) / 9.0) * here
