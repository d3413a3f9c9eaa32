"""Rigid, similarity and affine maps through point pairs, plain and robust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_her2.geometry import Affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Form", "fit", "robust_fit"]

Form = Literal["rigid", "similarity", "affine"]

_STIFFNESS = 0.02
"""Pull of an affine fit towards the similarity, relative to the weight of the data."""


def fit(
    source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64], form: Form
) -> Affine:
    """Weighted least squares map of ``source`` (n, 2) to ``target`` (n, 2).

    Rigid and similarity maps by singular value decomposition (Umeyama 1991), mirrored where that
    fits better; affine maps are drawn a little towards the similarity.
    """
    share = weights / max(float(weights.sum()), 1e-12)
    from_mean, to_mean = share @ source, share @ target
    before, after = source - from_mean, target - to_mean
    spread = float((share * (before**2).sum(axis=1)).sum())
    left, stretch, right = np.linalg.svd((after * share[:, None]).T @ before)
    linear = left @ right
    if form != "rigid":
        linear = linear * (stretch.sum() / max(spread, 1e-12))
    if form == "affine":
        pull = _STIFFNESS * spread / 2 * np.eye(2)
        moments = (before * share[:, None]).T @ before + pull
        cross = (after * share[:, None]).T @ before + linear @ pull
        linear = cross @ np.linalg.inv(moments)
    return Affine(linear, to_mean - linear @ from_mean)


def robust_fit(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    form: Form,
    scales: tuple[float, ...],
) -> tuple[Affine, NDArray[np.float64]]:
    """Fit that disregards wild pairs, by re-weighting (Geman & McClure) with falling ``scales``.

    Returns
    -------
    tuple
        The map, and the weights (n,) that its pairs ended with, 0 to 1.
    """
    keep = np.ones(len(source))
    found = Affine.identity()
    for scale in scales:
        found = fit(source, target, weights * keep, form)
        miss = ((found(source) - target) ** 2).sum(axis=1)
        keep = (scale**2 / (scale**2 + miss)) ** 2
    return fit(source, target, weights * keep, form), keep
