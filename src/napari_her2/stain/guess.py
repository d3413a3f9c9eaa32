"""Which stain a picture has: haematoxylin and eosin, or haematoxylin and DAB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_her2.stain.density import optical_density

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["StainGuess", "guess_stain"]

StainGuess = Literal["he", "ihc", "unknown"]


def guess_stain(rgb: NDArray[np.uint8], white: ArrayLike) -> StainGuess:
    """Guess the stain of a thumbnail or a picture from the hue of its densities.

    Eosin absorbs green most; DAB absorbs blue most; haematoxylin alone absorbs red most or as much
    as green. Pale counterstain without brown is "ihc" or "unknown", never "he".

    Parameters
    ----------
    rgb : ndarray of shape (rows, cols, 3), uint8
    white : array_like of 3 floats
        Empty glass, 0..255.

    Returns
    -------
    str
        "he", "ihc" or "unknown".
    """
    density = optical_density(rgb, white).reshape(-1, 3)
    tissue = density[density.sum(axis=1) > 0.2]
    if len(tissue) < 100:
        return "unknown"
    hue = tissue / np.linalg.norm(tissue, axis=1, keepdims=True)
    pink = float(np.mean(hue[:, 1] - np.maximum(hue[:, 0], hue[:, 2]) > 0.1))
    brown = float(np.mean(hue[:, 2] - hue[:, 1] > 0.1))
    blue = float(np.mean((hue[:, 0] > hue[:, 1]) & (hue[:, 1] > hue[:, 2])))
    return _verdict(pink, brown, blue)


def _verdict(pink: float, brown: float, blue: float) -> StainGuess:
    if pink > max(0.09, brown, 0.4 * blue):
        return "he"
    return "ihc" if brown > 0.02 or blue > 0.4 else "unknown"
