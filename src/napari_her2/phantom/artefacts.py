"""Pen, fold and a region out of focus: where they lie on a glass and how they change a tile.

Everything is in µm of the patient's strip. The geometry is stated in truth.json, so that a detector
can be held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.phantom.compiled import jit
from napari_her2.phantom.matter import at
from napari_her2.phantom.spec import UM_PER_PX
from napari_her2.phantom.textures import SIDE, grain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.matter import Corner, Field
    from napari_her2.phantom.plan import Plan
    from napari_her2.phantom.spec import PhantomSpec
    from napari_her2.phantom.warp import Placement

    Floats = NDArray[np.float64]

__all__ = ["INKS", "Artefacts", "artefacts_for", "folded", "inked"]

INKS: Final[dict[str, tuple[float, float, float]]] = {
    "blue": (0.86, 0.48, 0.12),
    "green": (0.80, 0.24, 0.54),
    "black": (0.59, 0.57, 0.57),
    "red": (0.10, 0.76, 0.64),
}
"""Optical density (unit length) of felt pens."""

_STEP: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Artefacts:
    """What disturbs one slide; a part that is None is not there.

    Attributes
    ----------
    pen : ndarray of shape (n, 2) or None
        Middle line of the stroke, µm.
    pen_um : float
        Half its width.
    ink : str
        Key of :data:`INKS`.
    fold : ndarray of shape (2, 2) or None
        Ends of the fold, µm.
    fold_um : float
        Half its width.
    blur : ndarray of shape (2,) or None
        Middle of the region out of focus, µm.
    blur_um : float
        Its radius.
    """

    pen: Floats | None = None
    pen_um: float = 0.0
    ink: str = "blue"
    fold: Floats | None = None
    fold_um: float = 0.0
    blur: Floats | None = None
    blur_um: float = 0.0

    @property
    def stated(self) -> dict[str, Any]:
        """Geometry for truth.json: level-0 pixels, x before y."""
        out: dict[str, Any] = {}
        if self.pen is not None:
            out["pen"] = {"line_xy": _xy(self.pen), "half_width_px": self.pen_um / UM_PER_PX, "ink": self.ink}
        if self.fold is not None:
            out["fold"] = {"line_xy": _xy(self.fold), "half_width_px": self.fold_um / UM_PER_PX}
        if self.blur is not None:
            out["blur"] = {"centre_xy": _xy(self.blur[None])[0], "radius_px": self.blur_um / UM_PER_PX}
        return out

    def pen_depth(self, corner: Corner, side: int) -> Field | None:
        """Depth in µm inside the stroke per pixel of a tile; None if it does not touch it."""
        return (
            None
            if self.pen is None
            else _spread(self.pen_um - _from_line(_grid(corner, side), self.pen), side)
        )

    def fold_depth(self, corner: Corner, side: int) -> Field | None:
        """Depth in µm inside the fold per pixel; None if it does not touch the tile."""
        return (
            None
            if self.fold is None
            else _spread(self.fold_um - _from_line(_grid(corner, side), self.fold), side)
        )

    def blur_depth(self, corner: Corner, side: int) -> Field | None:
        """Depth in µm inside the region out of focus per pixel; None if it does not touch the tile."""
        if self.blur is None:
            return None
        return _spread(self.blur_um - np.linalg.norm(_grid(corner, side) - self.blur, axis=-1), side)


def artefacts_for(spec: PhantomSpec, plan: Plan, placement: Placement, key: int) -> Artefacts:
    """Place the wanted artefacts on one slide; ``key`` tells slides apart."""
    rng = np.random.Generator(np.random.Philox(key=[spec.seed, 500 + key]))
    half = np.array(plan.half_um)
    small = float(half.min())
    start, about, ink = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi), rng.choice(list(INKS))
    arc = start + np.linspace(-0.5, 0.5, 25)
    stroke = np.column_stack([np.sin(arc), np.cos(arc)]) * half * (0.93 + 0.04 * np.sin(5 * arc)[:, None])
    across = np.array([np.cos(about), -np.sin(about)])
    middle = 0.45 * half * np.array([np.sin(about), np.cos(about)])
    fold = np.array([middle - 0.6 * small * across, middle + 0.6 * small * across])
    spot = 0.5 * half * np.array([np.sin(about + 2.5), np.cos(about + 2.5)])
    return Artefacts(
        pen=placement.glass(stroke) if spec.pen else None,
        pen_um=float(np.clip(0.09 * small, 12.0, 220.0)),
        ink=str(ink),
        fold=placement.glass(fold) if spec.fold else None,
        fold_um=float(np.clip(0.035 * small, 6.0, 40.0)),
        blur=placement.glass(spot[None])[0] if spec.blur else None,
        blur_um=float(np.clip(0.3 * small, 30.0, 900.0)),
    )


def inked(depth: Field, corner: Corner) -> Field:
    """Optical density of a stroke: streaky, denser at its rim."""
    streaks = _tiled(grain(6, 400, 70), corner, depth.shape)
    body = np.clip(depth / 6.0 + 0.5, 0.0, 1.0)
    rim = 0.25 * np.exp(-(((depth - 6.0) / 7.0) ** 2))
    return np.asarray(body * np.clip(0.62 + 0.12 * streaks + rim, 0.25, 1.4), np.float32)


def folded(stains: Field, depth: Field) -> None:
    """Let the tissue lie double inside a fold, in place; one side of it throws a darker line."""
    body = np.clip(depth / 1.5 + 0.5, 0.0, 1.0)
    line = np.exp(-(((depth - 2.5) / 2.0) ** 2))
    shifted = np.roll(stains, (5, 7), axis=(1, 2))
    stains += body * (0.95 * shifted + 0.15 * line * stains)


def _xy(points_um: Floats) -> list[list[float]]:
    return [[round(float(x / UM_PER_PX), 2), round(float(y / UM_PER_PX), 2)] for y, x in points_um]


def _grid(corner: Corner, side: int) -> Floats:
    steps = np.arange(0, side + 1, _STEP)
    rows, cols = np.meshgrid(steps + corner[0], steps + corner[1], indexing="ij")
    return np.asarray(np.stack([rows, cols], axis=-1) * UM_PER_PX, np.float64)


def _from_line(points: Floats, line: Floats) -> Floats:
    """Distance of points (n, m, 2) from a polyline."""
    best = np.full(points.shape[:2], np.inf)
    for start, stop in pairwise(line):
        span = stop - start
        share = np.clip((points - start) @ span / max(float(span @ span), 1e-9), 0.0, 1.0)
        best = np.minimum(best, np.linalg.norm(points - start - share[..., None] * span, axis=-1))
    return best


def _spread(lattice: Floats, side: int) -> Field | None:
    """Per-pixel values of a lattice of depths; None where all lie outside."""
    if lattice.max() < -16.0:
        return None
    out = np.empty((side, side), np.float32)
    _fill(np.ascontiguousarray(lattice[None], np.float32), out)
    return out


@jit
def _fill(lattice: Field, out: Field) -> None:
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[r, c] = at(lattice, 0, (r // 8, c // 8), (r % 8 + 0.5) / 8.0, (c % 8 + 0.5) / 8.0)


def _tiled(texture: Field, corner: Corner, shape: tuple[int, ...]) -> Field:
    rows = (np.arange(shape[0]) + corner[0]) % SIDE
    cols = (np.arange(shape[1]) + corner[1]) % SIDE
    return texture[np.ix_(rows, cols)]
