"""From stain to pixels: Beer-Lambert absorption, lens blur, camera noise, white point and clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.textures import SIDE, speckle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.scanner import Scanner
    from napari_her2.phantom.spec import Stain

    Field = NDArray[np.float32]

__all__ = ["Exposure", "Light", "develop", "light_for"]

_WRAP = SIDE - 1
_DEFOCUS_PX = 11.0
_STEPS = 4096
_DEEPEST = 5.0
_PASSED = (10.0 ** -(np.arange(_STEPS + 1) * (_DEEPEST / _STEPS))).astype(np.float32)

_PERCEPTIBLE = (0.03, 0.02)
"""Greatest standard deviation of the fine and of the coarse grain of the cytoplasm's DAB.

A membrane is faint (1+) only while it can be seen at all: the blush may be strong, but not so grainy
that it hides a line."""

_HAEMATOXYLIN = {"he": (0.62, 0.70, 0.36), "ihc": (0.71, 0.59, 0.39)}
_SECOND = {"he": (0.13, 0.86, 0.49), "ihc": (0.335, 0.49, 0.805)}


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Stain vectors, strengths and camera of one slide.

    Attributes
    ----------
    vectors : ndarray of shape (2, 3)
        Unit optical density (log10) of haematoxylin and of eosin or DAB.
    strengths : (float, float)
        Factor on each stain.
    white : ndarray of shape (3,)
        Light of the empty glass, 0 to 255 and beyond: a camera clips there.
    blur_px : float
        Standard deviation of the lens' blur.
    noise : float
        Standard deviation of the camera's noise at white, in grey values.
    quality : int
        JPEG quality.
    blush, background, speck, clump, edge, nuclear : float
        DAB densities of cytoplasm and of all tissue, roughness of its fine and coarse grains, density of
        the tissue's edge, and of the few nuclei that are brown (relative to their haematoxylin).
    """

    vectors: NDArray[np.float64]
    strengths: tuple[float, float]
    white: NDArray[np.float64]
    blur_px: float
    noise: float
    quality: int
    blush: float
    background: float
    speck: float
    clump: float
    edge: float
    nuclear: float


def light_for(stain: Stain, seed: int) -> Light:
    """Draw stain and scanner of one slide from its seed."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 11 if stain == "he" else 12]))
    blush = rng.uniform(0.02, 0.13) if rng.uniform() < 0.75 else rng.uniform(0.13, 0.24)
    vectors = np.array([_HAEMATOXYLIN[stain], _SECOND[stain]]) + rng.normal(0, 0.018, (2, 3))
    white = rng.uniform(238, 250) + rng.normal(0, 2.2, 3)
    if rng.uniform() < 0.25:
        white = rng.uniform(254, 262, 3)
    return Light(
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        strengths=(
            rng.uniform(0.85, 1.2),
            rng.uniform(0.85, 1.2) if stain == "he" else rng.uniform(0.93, 1.08),
        ),
        white=white,
        blur_px=rng.uniform(0.65, 0.95),
        noise=rng.uniform(1.0, 2.2),
        quality=int(rng.integers(80, 93)),
        blush=blush,
        background=rng.uniform(0.02, 0.08),
        speck=min(rng.uniform(0.25, 0.6), _PERCEPTIBLE[0] / blush),
        clump=min(0.3, _PERCEPTIBLE[1] / blush),
        edge=rng.uniform(0.05, 0.25),
        nuclear=rng.uniform(0.3, 1.2),
    )


@jit
def _absorb(stains: Field, vectors: Field, white: Field, table: Field, out: Field) -> None:
    scale = np.float32(4096 / 5.0)
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            for k in range(3):
                density = stains[0, r, c] * vectors[0, k] + stains[1, r, c] * vectors[1, k]
                place = max(np.float32(0.0), min(density * scale, np.float32(4095.0)))
                i = np.int64(place)
                out[r, c, k] = white[k] * (table[i] + (place - i) * (table[i + 1] - table[i]))


@jit
def _expose(
    image: Field, noise: Field, origin: tuple[int, int], level: float, out: NDArray[np.uint8]
) -> None:
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            for k in range(3):
                value = image[r, c, k]
                shot = np.float32(level) * np.sqrt(max(value, np.float32(4.0)) * np.float32(0.004))
                value += shot * noise[(r + origin[0]) & _WRAP, (c + origin[1]) & _WRAP, k]
                out[r, c, k] = np.uint8(min(255.0, max(0.0, value + np.float32(0.5))))


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """How one tile is exposed.

    Attributes
    ----------
    margin : int
        Pixels to cut off on every side.
    origin : (int, int)
        Place of the tile in the camera's noise.
    ink : (ndarray of shape (h, w), ndarray of shape (3,)) or None
        Optical density of a pen stroke and its colour.
    defocus : ndarray of shape (h, w) or None
        Depth in µm inside a region out of focus.
    scanner : Scanner or None
        Faults of the scanner.
    corner : (int, int)
        Place on the glass of the first pixel drawn, margin included.
    """

    margin: int
    origin: tuple[int, int]
    ink: tuple[Field, NDArray[np.float64]] | None = None
    defocus: Field | None = None
    scanner: Scanner | None = None
    corner: tuple[int, int] = (0, 0)


def develop(stains: Field, light: Light, exposure: Exposure) -> NDArray[np.uint8]:
    """Image of two stain densities (2, h, w), less the margin."""
    import cv2

    vectors = (light.vectors * np.array(light.strengths)[:, None]).astype(np.float32)
    glow = np.empty((*stains.shape[1:], 3), np.float32)
    _absorb(stains, vectors, light.white.astype(np.float32), _PASSED, glow)
    if exposure.ink is not None:
        density, colour = exposure.ink
        glow *= 10.0 ** (-density[..., None] * colour.astype(np.float32))
    seen = cv2.GaussianBlur(glow, (0, 0), light.blur_px)
    if exposure.defocus is not None:
        share = np.clip(exposure.defocus / 25.0 + 0.5, 0.0, 1.0)[..., None]
        seen += share * (cv2.GaussianBlur(glow, (0, 0), _DEFOCUS_PX) - seen)
    if exposure.scanner is not None:
        seen = exposure.scanner.seen(seen, light.white.astype(np.float32), exposure.corner)
    inner = slice(exposure.margin, -exposure.margin)
    seen = np.ascontiguousarray(seen[inner, inner])
    out = np.empty(seen.shape, np.uint8)
    _expose(seen, speckle(), exposure.origin, light.noise, out)
    return out
