"""Stain per pixel of stroma and carcinoma, before nuclei and before light passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.matter import ramp
from napari_her2.phantom.membranes import BLUSH, HAZE, line, stained
from napari_her2.phantom.noise import sub, uniform
from napari_her2.phantom.territory import REACH_UM, between
from napari_her2.phantom.textures import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.matter import Corner, Field
    from napari_her2.phantom.territory import Ids, Spots

    Floats = NDArray[np.float64]
    Claims = tuple[Spots, Field, Ids]
    Ground = tuple[Field, Field, Field, Corner]

__all__ = ["paint_he", "paint_ihc"]

_WRAP = SIDE - 1
_MELT_UM = 0.6
"""So near a shared border the cytoplasms of two neighbours pass into each other: DAB leaves no pale seam."""


@inner
def _depth(claims: Claims, outer: float, r: int, c: int) -> tuple[float, float]:
    """Depth in µm below the free border of the pixel's cell, and below its border with a neighbour."""
    spots, near, ids = claims
    k = ids[0, r, c] - 1
    y, x = r + 0.5 - spots[0][k], c + 0.5 - spots[1][k]
    shared = between(spots, near, ids, r, c)
    return min(outer, REACH_UM - np.sqrt(y * y + x * x) * 0.25), shared


@jit
def paint_he(claims: Claims, ground: Ground, out: Field) -> None:
    """Fill ``out`` (2, h, w) with haematoxylin and eosin; ``ground``: matter, fine, coarse, corner."""
    matter, fine, coarse, corner = ground
    spots, _near, ids = claims
    for r in range(out.shape[1]):
        for c in range(out.shape[2]):
            p, q = (r + corner[0]) & _WRAP, (c + corner[1]) & _WRAP
            solid = matter[0, r, c]
            out[0, r, c] = 0.022 * solid
            out[1, r, c] = 0.215 * solid + 0.6 * matter[1, r, c]
            k, outer = ids[0, r, c], matter[2, r, c]
            if k == 0 or outer < -1.0:
                continue
            free, shared = _depth(claims, outer, r, c)
            inside = ramp(min(free, shared) * 1.6)
            if inside > 0.0:
                own = 0.80 + 0.34 * uniform(sub(spots[2][k - 1], 80))
                g = 1.0 + 0.14 * fine[p, q] + 0.13 * coarse[p, q]
                seam = 0.06 * np.exp(-shared * shared * 3.0)
                out[0, r, c] += inside * (0.115 * g * own - out[0, r, c])
                out[1, r, c] += inside * (0.165 * g * own * (1.0 - seam) - out[1, r, c])


@inner
def _membrane(
    claims: Claims, table: Floats, spot: tuple[int, int], depths: tuple[float, float, float]
) -> float:
    """DAB of both membranes that meet near a pixel."""
    spots, _near, ids = claims
    r, c = spot
    depth, shared, outer = depths
    k, other = ids[0, r, c] - 1, ids[1, r, c] - 1
    mine = line(table, k, depth)
    if mine > 0.004:
        mine *= stained(table, k, np.arctan2(r + 0.5 - spots[0][k], c + 0.5 - spots[1][k]))
    theirs = 0.0
    if other >= 0 and shared < 2.5 and outer > -0.3:
        theirs = line(table, other, -shared)
        if theirs > 0.004:
            theirs *= stained(table, other, np.arctan2(r + 0.5 - spots[0][other], c + 0.5 - spots[1][other]))
    return np.sqrt(mine * mine + theirs * theirs)


@inner
def _cytoplasm(table: Floats, k: int, look: Floats, grains: float, clumps: float) -> float:
    """DAB in the cytoplasm of cell ``k``: its share of the slide's blush, and what goes with its class."""
    return look[0] * table[k, BLUSH] * grains + table[k, HAZE] * clumps


@jit
def paint_ihc(claims: Claims, ground: Ground, table: Floats, look: Floats, out: Field) -> None:
    """Fill ``out`` (2, h, w) with haematoxylin and DAB. ``look``: blush, background, speck, clump, edge."""
    matter, fine, coarse, corner = ground
    ids = claims[2]
    background, speck, clump, edge = look[1], look[2], look[3], look[4]
    for r in range(out.shape[1]):
        for c in range(out.shape[2]):
            p, q = (r + corner[0]) & _WRAP, (c + corner[1]) & _WRAP
            solid = matter[0, r, c]
            grains = max(0.0, 1.0 + speck * fine[p, q] + clump * coarse[p, q])
            clumps = max(0.0, 1.0 + 0.5 * coarse[p, q])
            rim = edge * matter[3, r, c] * grains
            out[0, r, c] = 0.055 * solid + 0.05 * matter[1, r, c]
            out[1, r, c] = solid * (background * grains + rim) + 0.10 * matter[1, r, c]
            k, outer = ids[0, r, c], matter[2, r, c]
            if k == 0 or outer < -2.0:
                continue
            free, shared = _depth(claims, outer, r, c)
            inside = ramp(free * 1.6)
            if inside > 0.0:
                haze = _cytoplasm(table, k - 1, look, grains, clumps)
                if shared < _MELT_UM and ids[1, r, c] > 0:
                    theirs = _cytoplasm(table, ids[1, r, c] - 1, look, grains, clumps)
                    haze += (0.5 - 0.5 * max(shared, 0.0) / _MELT_UM) * (theirs - haze)
                out[0, r, c] += inside * (0.07 * (1.0 + 0.1 * fine[p, q]) - out[0, r, c])
                out[1, r, c] += inside * (haze + rim - out[1, r, c])
            depth = min(free, shared)
            if -2.0 < depth < 4.0:
                uneven = max(0.3, 1.0 + 0.14 * fine[p, q] + 0.14 * coarse[p, q])
                out[1, r, c] += _membrane(claims, table, (r, c), (depth, shared, outer)) * uneven
