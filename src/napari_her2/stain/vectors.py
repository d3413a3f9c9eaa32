"""Stain vectors: mixing of stains into densities, unmixing, and their estimate on a slide.

A pixel's density is ``concentrations @ vectors`` with unit rows (Ruifrok & Johnston 2001), so that
a concentration is the length of its stain's density: log10 OD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["H_DAB", "H_DAB_CAMERA", "H_E", "StainVectors", "estimate_vectors", "mix", "unmix"]

Vector = tuple[float, float, float]

LEAST_OD: Final = 0.1
SATURATED_OD: Final = 1.6
LEAST_DEGREES_APART: Final = 18.0


@dataclass(frozen=True, slots=True)
class StainVectors:
    """Three unit vectors in (R, G, B) optical density: haematoxylin, the second stain, the residual.

    Attributes
    ----------
    haematoxylin, second, residual : tuple of 3 floats
        Unit length. ``second`` is DAB or eosin; ``residual`` is orthogonal to both.

    Raises
    ------
    ValueError
        If a vector is zero or not finite, or if the two stains point the same way.
    """

    haematoxylin: Vector
    second: Vector
    residual: Vector

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.matrix)) or abs(np.linalg.det(self.matrix)) < 1e-3:
            raise ValueError(f"stain vectors must be finite and differ, got {self.matrix.tolist()}")

    @classmethod
    def of(cls, haematoxylin: ArrayLike, second: ArrayLike) -> StainVectors:
        """From two raw directions of any length; the residual is their normalised cross product."""
        first, other = _unit(haematoxylin), _unit(second)
        return cls(_triple(first), _triple(other), _triple(_unit(np.cross(first, other))))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Rows are the unit vectors, (3, 3): ``od = concentrations @ matrix``."""
        return np.array([self.haematoxylin, self.second, self.residual])

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Inverse of :attr:`matrix`: ``concentrations = od @ inverse``."""
        return np.asarray(np.linalg.inv(self.matrix), np.float64)

    def angles_to(self, other: StainVectors) -> tuple[float, float]:
        """Degrees between the two haematoxylins and between the two second stains."""
        return (
            _degrees(np.asarray(self.haematoxylin), np.asarray(other.haematoxylin)),
            _degrees(np.asarray(self.second), np.asarray(other.second)),
        )


def _unit(vector: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(vector, np.float64).reshape(3)
    length = float(np.linalg.norm(values))
    if not np.isfinite(length) or length <= 0:
        raise ValueError(f"a stain vector needs a positive length, got {values.tolist()}")
    return values / length


def _triple(vector: NDArray[np.float64]) -> Vector:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0))))


H_DAB = StainVectors.of((0.650, 0.704, 0.286), (0.268, 0.570, 0.776))
"""Haematoxylin and DAB (Ruifrok & Johnston 2001, as in scikit-image's ``hdx``)."""

H_DAB_CAMERA = StainVectors.of((0.717, 0.570, 0.393), (0.347, 0.483, 0.800))
"""Haematoxylin and DAB as cameras and scanners show them: means over real HER2 fields, which are
yellower than the published vectors."""

H_E = StainVectors.of((0.650, 0.704, 0.286), (0.2159, 0.8012, 0.5581))
"""Haematoxylin and eosin (the eosin that QuPath uses)."""


def mix(concentrations: NDArray[np.floating], vectors: StainVectors) -> NDArray[np.float32]:
    """Densities (..., 3) of stain concentrations (..., 3), both in log10 OD."""
    return np.asarray(concentrations @ vectors.matrix, dtype=np.float32)


def unmix(density: NDArray[np.floating], vectors: StainVectors) -> NDArray[np.float32]:
    """Concentrations (..., 3) of densities (..., 3), both in log10 OD; negatives are kept."""
    return np.asarray(density @ vectors.inverse, dtype=np.float32)


def estimate_vectors(
    density: NDArray[np.floating],
    default: StainVectors = H_DAB,
    *,
    max_degrees: float = 15.0,
    min_pixels: int = 300,
) -> StainVectors:
    """Stain vectors of one slide, near ``default`` or not at all.

    Pixels with enough density and little of the other stain vote for a stain: its vector is the
    median direction of the purer half of them. Each stain is judged alone; it keeps its default when
    fewer than ``min_pixels`` vote or when the estimate lies further than ``max_degrees`` away (no
    brown on a negative slide, for instance).

    Parameters
    ----------
    density : ndarray of shape (..., 3)
        log10 OD of a sample of tissue pixels, not clipped. Better still their *contrast*, density
        minus the smoothed density around: it is free of diffuse stain below, which otherwise bends
        each vector towards the other.
    default : StainVectors
        Where to start, and what to fall back to.
    max_degrees : float
        Greatest angle to the default that is believed.
    min_pixels : int
        Least number of pixels that may decide.

    Returns
    -------
    StainVectors
    """
    flat = np.asarray(density, np.float64).reshape(-1, 3)
    length = np.linalg.norm(flat, axis=1)
    usable = (length > LEAST_OD) & (flat.max(axis=1) < SATURATED_OD)
    pure = flat[usable] / length[usable, None]
    raw = [np.asarray(default.haematoxylin), np.asarray(default.second)]
    for stain in (0, 1):
        found = _end_of(pure, default, stain, min_pixels)
        if found is not None and _degrees(found, raw[stain]) <= max_degrees:
            raw[stain] = found
    apart = _degrees(raw[0], raw[1])
    return StainVectors.of(raw[0], raw[1]) if apart > LEAST_DEGREES_APART else default


def _end_of(
    pure: NDArray[np.float64], default: StainVectors, stain: int, min_pixels: int
) -> NDArray[np.float64] | None:
    """Median direction of the purest pixels of one stain, or None when there are too few."""
    amounts = pure @ default.inverse
    share = amounts[:, stain] / np.maximum(np.abs(amounts[:, :2]).sum(axis=1), 1e-6)
    candidates = share > 0.7
    if np.count_nonzero(candidates) < min_pixels:
        return None
    chosen = pure[candidates]
    purest = chosen[share[candidates] >= np.median(share[candidates])]
    return _unit(np.median(purest, axis=0))
