"""Nuclei, drawn one by one: outline, chromatin, rim and nucleoli."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import sub, uniform
from napari_her2.phantom.textures import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.matter import Field

    Floats = NDArray[np.float64]
    Many = tuple[Floats, Floats, NDArray[np.uint8], Floats, NDArray[np.uint64]]
    Shape = tuple[float, float, float, float, float, float, float, float]
    Inner = tuple[float, float, float, float, float, float, float, float]

__all__ = ["BODY", "BROWN", "NUCLEAR", "draw_nuclei"]

BODY, NUCLEAR, BROWN = range(3)
"""Layers that are filled: covered fraction, haematoxylin density, DAB density."""

_WRAP = SIDE - 1
#                  -    invas insitu fibro lymph endo  myoep crushed
_LONG = np.array([0.0, 4.75, 4.50, 5.60, 2.95, 5.00, 4.40, 8.00])
_VARY = np.array([0.0, 0.20, 0.16, 0.40, 0.14, 0.35, 0.30, 0.50])
_THIN = np.array([1.0, 0.84, 0.86, 0.26, 0.92, 0.28, 0.38, 0.20])
_DARK = np.array([0.0, 0.36, 0.36, 0.40, 0.62, 0.46, 0.48, 0.66])
_OPEN = np.array([0.0, 1.00, 0.85, 0.55, 0.40, 0.40, 0.40, 0.05])


@inner
def _shape(kind: int, b: np.uint64, angle: float, grade: float) -> Shape:
    """Half axes in pixels, direction, and two harmonics of the outline."""
    size = 1.0 + _VARY[kind] * (1.0 + 0.8 * grade) * (uniform(sub(b, 50)) + uniform(sub(b, 51)) - 1.0)
    if kind <= 2:
        size *= 0.96 + 0.1 * grade
    long = _LONG[kind] * size * 4.0
    short = long * min(1.0, _THIN[kind] * (0.82 + 0.36 * uniform(sub(b, 52))))
    p, q = 6.283185307179586 * uniform(sub(b, 55)), 6.283185307179586 * uniform(sub(b, 56))
    return long, short, np.sin(angle), np.cos(angle), np.cos(p), np.sin(p), np.cos(q), np.sin(q)


@inner
def _inner(kind: int, b: np.uint64, look: Floats) -> Inner:
    """Density, openness, sharpness, brown share, nucleoli (count, two places on one axis each)."""
    dark = _DARK[kind] * look[0] * (0.72 + 0.56 * uniform(sub(b, 53)))
    vesicular = _OPEN[kind] * (0.25 + 0.75 * uniform(sub(b, 54)))
    focus = 0.30 + 0.32 * uniform(sub(b, 62))
    if kind <= 2 and uniform(sub(b, 63)) < 0.07:
        dark, vesicular = dark * 1.55, 0.15
    brown = look[1] if uniform(sub(b, 64)) < look[2] * (2.0 if kind == 4 else 1.0) else 0.0
    dots = 0.0 if kind > 2 else np.floor(2.7 * uniform(sub(b, 57)))
    return dark, vesicular, focus, brown, dots, uniform(sub(b, 58)) - 0.5, uniform(sub(b, 59)) - 0.5, 0.0


@inner
def _outline(shape: Shape, v: float, u: float) -> tuple[float, float, float]:
    """Depth in pixels below the outline, and the place in units of the half axes."""
    long, short, s, c, cp, sp, cq, sq = shape
    along, across = (v * s + u * c) / long, (u * s - v * c) / short
    radius = np.sqrt(along * along + across * across)
    if radius < 1e-3:
        return short, along, across
    ca, sa = along / radius, across / radius
    c2, s2 = ca * ca - sa * sa, 2.0 * ca * sa
    wobble = 1.0 + 0.06 * (c2 * cp + s2 * sp) + 0.045 * ((c2 * ca - s2 * sa) * cq + (s2 * ca + c2 * sa) * sq)
    return (wobble - radius) * short, along, across


@inner
def _chromatin(inner: Inner, place: tuple[float, float, float], clumps: float, dust: float) -> float:
    """Haematoxylin at a place of a nucleus: pale middle, clumps, rim and nucleoli."""
    dark, vesicular, _focus, _brown, dots, ny, nx, _ = inner
    depth, along, across = place
    value = (
        1.0
        - 0.40 * vesicular
        + (0.07 + 0.06 * vesicular) * dust
        + (0.07 + 0.21 * vesicular) * max(clumps, -1.4)
    )
    rim = depth - 1.5
    value += 0.42 * vesicular * max(0.2, 1.0 + 0.3 * clumps) * np.exp(-rim * rim * 0.30)
    if dots > 0.0:
        dv, du = along - ny, across - nx
        value += 1.0 * np.exp(-(dv * dv + du * du) * 34.0)
    if dots > 1.0:
        dv, du = along + 0.9 * nx, across - 0.9 * ny
        value += 0.8 * np.exp(-(dv * dv + du * du) * 48.0)
    return dark * max(0.15, value)


@inner
def _draw(
    shape: Shape,
    inner: Inner,
    place: tuple[float, float],
    textures: tuple[Field, Field, int, int],
    out: Field,
) -> None:
    """Put one nucleus over the layers."""
    clumps, dust, oy, ox = textures
    reach = max(shape[0], shape[1]) * 1.15 + 2.0
    y, x = place
    top, left = int(np.floor(y)), int(np.floor(x))
    for r in range(max(0, int(y - reach)), min(out.shape[1], int(y + reach) + 1)):
        for q in range(max(0, int(x - reach)), min(out.shape[2], int(x + reach) + 1)):
            depth, along, across = _outline(shape, r + 0.5 - y, q + 0.5 - x)
            cover = min(1.0, 0.5 + depth * inner[2])
            if cover <= 0.0:
                continue
            p, s = (r - top + oy) & _WRAP, (q - left + ox) & _WRAP
            density = _chromatin(inner, (depth, along, across), clumps[p, s], dust[p, s])
            out[0, r, q] = max(out[0, r, q], cover)
            out[1, r, q] = max(out[1, r, q], density)
            if inner[3] > 0.0:
                out[2, r, q] = max(out[2, r, q], inner[3] * density * cover)


@jit
def draw_nuclei(many: Many, textures: tuple[Field, Field], look: Floats, out: Field) -> None:
    """Put nuclei over the layers (3, h, w) of a tile.

    ``many``: rows and columns in pixels, kinds, angles, bits. ``textures``: clumps and fine grain.
    ``look``: haematoxylin strength, DAB of brown nuclei, their share, grade (0 to 1).
    """
    rows, cols, kinds, angles, bits = many
    for k in range(rows.shape[0]):
        b = bits[k]
        oy, ox = int(b & np.uint64(1023)), int((b >> np.uint64(20)) & np.uint64(1023))
        shape = _shape(kinds[k], b, angles[k], look[3])
        _draw(shape, _inner(kinds[k], b, look), (rows[k], cols[k]), (textures[0], textures[1], oy, ox), out)
