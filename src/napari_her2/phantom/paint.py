"""Stain per pixel: stroma, fat, vessels and carcinoma, before light passes."""

from __future__ import annotations

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.ground import adipocytes
from napari_her2.phantom.membranes import line, stained
from napari_her2.phantom.textures import SIDE

__all__ = ["paint_ground", "paint_he", "paint_ihc"]

_WRAP = SIDE - 1


@jit
def _ramp(depth):  # type: ignore[no-untyped-def]
    return min(1.0, max(0.0, depth + 0.5))


@jit
def paint_ground(fields, seed, fine, coarse, origin, out):  # type: ignore[no-untyped-def]
    """Amount of solid matter (0 to about 1.6) of everything that is not carcinoma, into ``out``.

    ``out`` (4, h, w): fibres, red cells, edge nearness, presence of tissue.
    """
    _, height, width = out.shape
    for r in range(height):
        for c in range(width):
            tissue = fields[0, r, c]
            here = _ramp(tissue)
            if here <= 0.0:
                continue
            f = fine[(r + origin[0]) & _WRAP, (c + origin[1]) & _WRAP]
            g = coarse[(r + origin[0]) & _WRAP, (c + origin[1]) & _WRAP]
            matter = max(0.05, 0.62 + 0.2 * f + 0.2 * g)
            red = 0.0
            if fields[3, r, c] > 0.0:
                wall = adipocytes(seed, fields[10, r, c], fields[11, r, c])
                solid = _ramp(1.1 - wall)
                share = _ramp(fields[3, r, c] * 0.2)
                matter *= solid * share + (1.0 - share)
            vessel = fields[5, r, c]
            if vessel > -3.0:
                lumen = _ramp(vessel - 3.0)
                matter = matter * (1.0 - lumen) + 0.0
                red = lumen * _ramp(0.6 * g + 0.35)
            matter *= 1.0 - _ramp(fields[6, r, c])
            out[0, r, c] = matter * here
            out[1, r, c] = red * here
            out[2, r, c] = np.exp(-max(tissue, 0.0) / 9.0) * here
            out[3, r, c] = here


@jit
def _border(far, near, first, second, rows, cols):  # type: ignore[no-untyped-def]
    """Distance in µm from a pixel of cell ``first`` to the border with ``second`` (1e3: no neighbour)."""
    if second == 0:
        return 1e3
    dy, dx = rows[first - 1] - rows[second - 1], cols[first - 1] - cols[second - 1]
    return (far - near) / (2.0 * np.sqrt(dy * dy + dx * dx)) * 0.25


@jit
def paint_ihc(best, second, ids, rivals, rows, cols, table, ground, grainy, origin, look, hem, dab):  # type: ignore[no-untyped-def]
    """Haematoxylin and DAB of a tile. ``look``: blush, background, grain, edge, reach in pixels."""
    height, width = hem.shape
    blush, background, speck, edge, reach = look
    for r in range(height):
        for c in range(width):
            g = grainy[(r + origin[0]) & _WRAP, (c + origin[1]) & _WRAP]
            solid = ground[0, r, c]
            grains = max(0.0, 1.0 + speck * g)
            hem[r, c] = 0.07 * solid
            dab[r, c] = solid * background * grains + edge * ground[2, r, c] * grains * 0.5
            k = ids[r, c]
            if k == 0:
                continue
            y, x = r + 0.5 - rows[k - 1], c + 0.5 - cols[k - 1]
            outer = (reach - np.sqrt(y * y + x * x)) * 0.25
            between = _border(second[r, c], best[r, c], k, rivals[r, c], rows, cols)
            depth = min(outer, between)
            inside = _ramp(depth * 2.0)
            if inside > 0.0:
                hem[r, c] += inside * (0.085 - hem[r, c])
                dab[r, c] += inside * (blush * grains + edge * ground[2, r, c] * 0.4 * grains - dab[r, c])
            if depth > 4.0 or depth < -2.0:
                continue
            mine = line(table, k - 1, depth)
            if mine > 0.004:
                mine *= stained(table, k - 1, np.arctan2(y, x))
            other = 0.0
            if between < 2.5 and rivals[r, c] > 0:
                q = rivals[r, c] - 1
                other = line(table, q, -between)
                if other > 0.004:
                    other *= stained(table, q, np.arctan2(r + 0.5 - rows[q], c + 0.5 - cols[q]))
            dab[r, c] += np.sqrt(mine * mine + other * other) * (1.0 + 0.16 * g) * ground[3, r, c]


@jit
def paint_he(best, second, ids, rivals, rows, cols, ground, grainy, origin, reach, hem, eosin):  # type: ignore[no-untyped-def]
    """Haematoxylin and eosin of a tile."""
    height, width = hem.shape
    for r in range(height):
        for c in range(width):
            g = grainy[(r + origin[0]) & _WRAP, (c + origin[1]) & _WRAP]
            solid = ground[0, r, c]
            hem[r, c] = 0.05 * solid
            eosin[r, c] = 0.42 * solid + 0.75 * ground[1, r, c]
            k = ids[r, c]
            if k == 0:
                continue
            y, x = r + 0.5 - rows[k - 1], c + 0.5 - cols[k - 1]
            depth = (reach - np.sqrt(y * y + x * x)) * 0.25
            between = _border(second[r, c], best[r, c], k, rivals[r, c], rows, cols)
            depth = min(depth, between)
            inside = _ramp(depth * 2.0)
            if inside > 0.0:
                rim = 0.12 * np.exp(-between * between * 2.0)
                hem[r, c] += inside * (0.17 + 0.03 * g - hem[r, c])
                eosin[r, c] += inside * (0.24 + 0.05 * g - rim - eosin[r, c])
