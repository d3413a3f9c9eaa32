"""Nuclei, drawn one by one: outline, chromatin, rim and nucleoli."""

from __future__ import annotations

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.noise import sub, uniform
from napari_her2.phantom.textures import SIDE

__all__ = ["draw_nuclei"]

_WRAP = SIDE - 1
#                      -  invas  insitu fibro lymph endo  myoep
_LONG = np.array([0.0, 4.70, 4.40, 5.60, 2.90, 4.80, 4.40])
_VARY = np.array([0.0, 0.42, 0.30, 0.50, 0.20, 0.40, 0.30])
_THIN = np.array([1.0, 0.80, 0.84, 0.24, 0.92, 0.30, 0.38])
_DARK = np.array([0.0, 0.42, 0.42, 0.62, 0.95, 0.70, 0.72])
_OPEN = np.array([0.0, 1.00, 0.80, 0.35, 0.45, 0.30, 0.35])


@jit
def draw_nuclei(rows, cols, kinds, angles, bits, texture, body, strength, nuclear):  # type: ignore[no-untyped-def]
    """Put nuclei over the tile.

    ``body`` (h, w) receives the covered fraction, ``nuclear`` (h, w) the haematoxylin density.
    """
    height, width = body.shape
    for k in range(rows.shape[0]):
        b, kind = bits[k], kinds[k]
        size = 1.0 + _VARY[kind] * (uniform(sub(b, 50)) + uniform(sub(b, 51)) - 1.0)
        long = _LONG[kind] * size * 4.0
        short = long * min(1.0, _THIN[kind] * (0.8 + 0.4 * uniform(sub(b, 52))))
        dark = _DARK[kind] * strength * (0.75 + 0.5 * uniform(sub(b, 53)))
        vesicular = _OPEN[kind] * (0.35 + 0.65 * uniform(sub(b, 54)))
        s, c = np.sin(angles[k]), np.cos(angles[k])
        p1, p2 = 6.283 * uniform(sub(b, 55)), 6.283 * uniform(sub(b, 56))
        oy, ox = np.int64(b & np.uint64(1023)), np.int64((b >> np.uint64(20)) & np.uint64(1023))
        dots = 0 if kind > 2 else np.int64(3.0 * uniform(sub(b, 57)))
        reach = long * 1.25 + 2.0
        y, x = rows[k], cols[k]
        r0, r1 = max(0, int(y - reach)), min(height, int(y + reach) + 1)
        c0, c1 = max(0, int(x - reach)), min(width, int(x + reach) + 1)
        n1y, n1x = 0.9 * (uniform(sub(b, 58)) - 0.5), 0.9 * (uniform(sub(b, 59)) - 0.5)
        n2y, n2x = 1.0 * (uniform(sub(b, 60)) - 0.5), 1.0 * (uniform(sub(b, 61)) - 0.5)
        for r in range(r0, r1):
            for q in range(c0, c1):
                v, u = r + 0.5 - y, q + 0.5 - x
                along, across = (v * s + u * c) / long, (u * s - v * c) / short
                radius = np.sqrt(along * along + across * across)
                if radius > 1.25:
                    continue
                ca, sa = (along / radius, across / radius) if radius > 1e-6 else (1.0, 0.0)
                c2, s2 = ca * ca - sa * sa, 2.0 * ca * sa
                wobble = 1.0 + 0.07 * (c2 * np.cos(p1) + s2 * np.sin(p1))
                wobble += 0.05 * ((c2 * ca - s2 * sa) * np.cos(p2) + (s2 * ca + c2 * sa) * np.sin(p2))
                depth = (wobble - radius) * short
                cover = min(1.0, max(0.0, 0.5 + depth * 0.55))
                if cover <= 0.0:
                    continue
                chromatin = texture[(r + oy) & _WRAP, (q + ox) & _WRAP]
                value = 1.0 - 0.38 * vesicular + 0.34 * vesicular * chromatin
                rim = depth - 1.6
                value += 0.85 * vesicular * np.exp(-rim * rim * 0.45)
                if dots > 0:
                    dv, du = along - n1y, across - n1x
                    value += 1.1 * np.exp(-(dv * dv + du * du) * 32.0)
                if dots > 1:
                    dv, du = along - n2y, across - n2x
                    value += 0.9 * np.exp(-(dv * dv + du * du) * 45.0)
                density = dark * max(0.12, value)
                if cover > body[r, q] or density > nuclear[r, q]:
                    nuclear[r, q] = max(nuclear[r, q], density)
                    body[r, q] = max(body[r, q], cover)
