"""How a section lies on its glass: an affine map and a smooth deformation, both exactly invertible.

The deformation is a chain of plane waves x → x + d f(n·x). A wave with d across n shears and is
inverted in one step; a wave with d along n stretches and squeezes (|f'| < 1) and is inverted by
Newton's method to rounding error. Each has a positive Jacobian, hence so has the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.phantom.compiled import inner, jit
from napari_her2.phantom.noise import chance, drawn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Placement", "fitted_waves", "residual_rms", "to_glass", "to_tissue"]

_WAVES = 10
_STEEPEST = 0.6


@inner
def _unstretched(s: float, amplitude: float, rate: float, phase: float) -> float:
    """Solve p + amplitude sin(rate p + phase) = s for p."""
    p = s
    for _ in range(14):
        turn = rate * p + phase
        step = (p + amplitude * np.sin(turn) - s) / (1.0 + amplitude * rate * np.cos(turn))
        p -= step
        if abs(step) < 1e-10:
            break
    return p


@inner
def to_tissue(linear: Floats, offset: Floats, waves: Floats, row: float, col: float) -> tuple[float, float]:
    """µm on the glass → µm in the tissue's own frame."""
    y = linear[0, 0] * row + linear[0, 1] * col + offset[0]
    x = linear[1, 0] * row + linear[1, 1] * col + offset[1]
    for k in range(waves.shape[0] - 1, -1, -1):
        wave = waves[k]
        dy, dx = wave[2], wave[3]
        p = y * wave[0] + x * wave[1]
        if dy * wave[0] + dx * wave[1] > 0.5:
            p = _unstretched(p, wave[4], wave[5], wave[6])
        shift = wave[4] * np.sin(wave[5] * p + wave[6])
        y -= dy * shift
        x -= dx * shift
    return y, x


@inner
def to_glass(linear: Floats, offset: Floats, waves: Floats, y: float, x: float) -> tuple[float, float]:
    """µm in the tissue's own frame → µm on the glass; ``linear`` and ``offset`` as in `to_tissue`."""
    for k in range(waves.shape[0]):
        wave = waves[k]
        shift = wave[4] * np.sin(wave[5] * (y * wave[0] + x * wave[1]) + wave[6])
        y += wave[2] * shift
        x += wave[3] * shift
    det = linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]
    v, u = y - offset[0], x - offset[1]
    return (linear[1, 1] * v - linear[0, 1] * u) / det, (linear[0, 0] * u - linear[1, 0] * v) / det


@jit
def _all_to_tissue(linear: Floats, offset: Floats, waves: Floats, points: Floats) -> Floats:
    out = np.empty_like(points)
    for i in range(points.shape[0]):
        out[i] = to_tissue(linear, offset, waves, points[i, 0], points[i, 1])
    return out


@jit
def _all_to_glass(linear: Floats, offset: Floats, waves: Floats, points: Floats) -> Floats:
    out = np.empty_like(points)
    for i in range(points.shape[0]):
        out[i] = to_glass(linear, offset, waves, points[i, 0], points[i, 1])
    return out


def _waves(seed: int, size_um: float, amplitude_um: float) -> Floats:
    """Chain of plane waves (n, 7): normal, direction, amplitude, rate, phase; lengths fit the tissue."""
    waves = np.zeros((_WAVES, 7))
    for k in range(_WAVES):
        a, b, c = (chance(drawn(seed, k, j)) for j in range(3))
        angle = np.pi * (k + 0.8 * a) / _WAVES * 2
        normal = np.array([np.sin(angle), np.cos(angle)])
        length = size_um * (0.55 + 0.75 * b)
        waves[k, 0:2] = normal
        waves[k, 2:4] = normal if k % 3 == 2 else (-normal[1], normal[0])
        waves[k, 4] = min(amplitude_um, _STEEPEST * length / (2 * np.pi))
        waves[k, 5:7] = 2 * np.pi / length, 2 * np.pi * c
    return waves


def residual_rms(before: Floats, after: Floats) -> float:
    """Root mean square of what the best affine map leaves, same unit as the points (n, 2)."""
    design = np.column_stack([before, np.ones(len(before))])
    left = after - design @ np.linalg.lstsq(design, after, rcond=None)[0]
    return float(np.sqrt((left**2).sum(axis=1).mean()))


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where one section lies: glass µm → tissue µm is ``affine`` and then the waves, undone.

    Attributes
    ----------
    affine : Affine
        Glass (row, col) in µm → flat section in µm.
    waves : ndarray of shape (n, 7)
        Chain of plane waves from the tissue's frame to the flat section.
    """

    affine: Affine
    waves: Floats

    @property
    def flat(self) -> Placement:
        """The placement whose glass is the tissue's own frame."""
        return Placement(Affine.identity(), self.waves[:0])

    def tissue(self, glass_um: Floats) -> Floats:
        """Glass points (n, 2) in µm → tissue frame in µm."""
        points = np.ascontiguousarray(glass_um, np.float64).reshape(-1, 2)
        return _all_to_tissue(self.affine.linear, self.affine.offset, self.waves, points)

    def glass(self, tissue_um: Floats) -> Floats:
        """Tissue points (n, 2) in µm → glass in µm."""
        points = np.ascontiguousarray(tissue_um, np.float64).reshape(-1, 2)
        return _all_to_glass(self.affine.linear, self.affine.offset, self.waves, points)


def fitted_waves(seed: int, size_um: float, wanted_um: float, points: Floats) -> Floats:
    """Waves whose deformation of ``points`` (n, 2) has the wanted rms after the best affine map."""
    amplitude = wanted_um / 2
    waves = _waves(seed, size_um, amplitude)
    for _ in range(12 if wanted_um > 0 else 0):
        rms = residual_rms(points, Placement(Affine.identity(), waves).glass(points))
        if abs(rms - wanted_um) < 2e-3 * wanted_um:
            break
        amplitude *= wanted_um / max(rms, 1e-6)
        waves = _waves(seed, size_um, amplitude)
    return waves
