"""A small carpet of cells with known membranes: Beer-Lambert, published widths, blur, noise.

Independent of the package's phantom on purpose: two renderers that agree on physics but share no
code keep the engine from learning one of them by heart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from napari_her2.stain import H_DAB, StainVectors, mix, transmit

WIDTH_UM = {"0": 0.0, "1+": 0.64, "2+": 1.0, "3+": 2.14}
DENSITY = {"0": 0.0, "1+": 0.25, "2+": 0.5, "3+": 1.2}
COMPLETE = {"0": 0.0, "1+": 0.45, "2+": 1.0, "3+": 1.0}


@dataclass(frozen=True, kw_only=True)
class Carpet:
    """What to draw: a square of ``size_um``; classes in blocks of columns, or ``shuffled`` cell by cell."""

    classes: tuple[str, ...] = ("0",)
    shuffled: bool = False
    size_um: float = 150.0
    um_per_px: float = 0.25
    seed: int = 0
    spacing_um: float = 13.0
    blush_od: float = 0.0
    nuclear_dab_od: float = 0.0
    noise: float = 2.0
    blur_um: float = 0.25
    white: tuple[float, float, float] = (242.0, 243.0, 245.0)
    vectors: StainVectors = field(default=H_DAB)
    density: dict[str, float] = field(default_factory=lambda: dict(DENSITY))


def seeds(carpet: Carpet, rng: np.random.Generator) -> np.ndarray:
    """Jittered hexagonal lattice, (n, 2) in um, a little beyond the edges."""
    step = carpet.spacing_um
    rows = np.arange(-step, carpet.size_um + 2 * step, step * np.sqrt(3) / 2)
    points = [
        (r, c + (i % 2) * step / 2)
        for i, r in enumerate(rows)
        for c in np.arange(-step, carpet.size_um + 2 * step, step)
    ]
    return np.array(points) + rng.normal(0, step * 0.09, (len(points), 2))


def class_of(points: np.ndarray, carpet: Carpet, rng: np.random.Generator) -> np.ndarray:
    """Index into ``carpet.classes`` for each cell."""
    if carpet.shuffled:
        return rng.integers(0, len(carpet.classes), len(points))
    block = np.floor(points[:, 1] / carpet.size_um * len(carpet.classes)).astype(int)
    return np.clip(block, 0, len(carpet.classes) - 1)


def _arcs(angle: np.ndarray, cell: np.ndarray, phase: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Whether a border pixel lies on a stained arc: two arcs per cell that make up its share."""
    turn = (angle / (2 * np.pi) + phase[cell]) % 0.5 / 0.5
    return turn < share[cell]


def render(carpet: Carpet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw.

    Returns
    -------
    rgb : (n, n, 3) uint8
    centres_um : (cells, 2)
    classes : (cells,) of str
    """
    rng = np.random.default_rng(carpet.seed)
    points = seeds(carpet, rng)
    kind = class_of(points, carpet, rng)
    names = np.array(carpet.classes)[kind]
    n = round(carpet.size_um / carpet.um_per_px)
    grid = (np.indices((n, n)).reshape(2, -1).T + 0.5) * carpet.um_per_px
    wobble = gaussian_filter(rng.normal(size=(2, n, n)), (0, 8, 8)).reshape(2, -1).T
    wobble *= 32 * carpet.um_per_px
    distance, index = cKDTree(points).query(grid + wobble, k=2)
    apart = np.linalg.norm(points[index[:, 0]] - points[index[:, 1]], axis=1)
    border = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart)

    width = np.array([WIDTH_UM[c] for c in names])
    amount = np.array([carpet.density[c] for c in names]) * rng.lognormal(0, 0.12, len(names))
    share = np.array([COMPLETE[c] for c in names])
    phase = rng.uniform(0, 1, len(names))
    membrane = np.zeros(len(grid))
    for side in (0, 1):
        cell = index[:, side]
        offset = grid - points[cell]
        on = _arcs(np.arctan2(offset[:, 0], offset[:, 1]), cell, phase, share)
        inward = border if side == 0 else -border
        sigma = np.maximum(width[cell], 0.1) * 0.3
        own_line = np.exp(-0.5 * ((inward - 0.22 * width[cell]) / sigma) ** 2)
        membrane += 0.65 * on * amount[cell] * own_line

    own = index[:, 0]
    tilt = rng.uniform(0, np.pi, len(names))[own]
    radius = rng.uniform(3.4, 4.6, len(names))[own]
    delta = grid + wobble - points[own]
    along = delta[:, 0] * np.cos(tilt) + delta[:, 1] * np.sin(tilt)
    across = -delta[:, 0] * np.sin(tilt) + delta[:, 1] * np.cos(tilt)
    inside = (along / (1.15 * radius)) ** 2 + (across / (0.87 * radius)) ** 2 < 1
    texture = gaussian_filter(rng.normal(size=(n, n)), 2).ravel() * 2
    blue = np.where(inside, 0.42 + 0.25 * texture, 0.06)
    granules = gaussian_filter(rng.normal(size=(n, n)), 1.6).ravel() * 3
    brown = membrane + np.where(inside, carpet.nuclear_dab_od, carpet.blush_od * (1 + 0.3 * granules))
    amounts = np.stack([blue, brown, np.zeros_like(blue)], axis=-1).reshape(n, n, 3)
    light = transmit(mix(amounts, carpet.vectors), carpet.white)
    sigma = carpet.blur_um / carpet.um_per_px
    light = gaussian_filter(light, (sigma, sigma, 0)) + rng.normal(0, carpet.noise, light.shape)
    return np.clip(np.round(light), 0, 255).astype(np.uint8), points, names
