"""Image features that two stains share.

Haematoxylin is in both slides, but eosin and DAB darken different things. So a pixel is described by
its darkness relative to its surroundings (weakly), by the direction of its edge whichever side is
darker (double-angle gradient, the ingredient of normalised gradient fields, Haber & Modersitzki
2006), and by whether there is an edge at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["describe"]


def describe(
    dark: NDArray[np.float32], seen: NDArray[np.bool_], *, surround_px: float = 8.0, smooth_px: float = 1.0
) -> NDArray[np.float32]:
    """Features (rows, cols, 4), zero where not seen.

    Parameters
    ----------
    dark : ndarray of shape (rows, cols)
        Optical density.
    seen : ndarray of shape (rows, cols), bool
    surround_px : float
        Reach of the surroundings that darkness is compared with.
    smooth_px : float
        Smoothing before gradients.
    """
    filled = np.where(seen, dark, np.float32(0))
    channels = [_relative(filled, surround_px), *_edges(filled, smooth_px)]
    features = np.dstack(channels).astype(np.float32)
    features[~_core(seen)] = 0
    return features


def _core(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return seen pixels whose neighbours were seen too: the border of a scan is no edge of tissue."""
    import cv2

    if seen.all():
        return seen
    return np.asarray(cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0)


def _relative(dark: NDArray[np.float32], surround_px: float) -> NDArray[np.float32]:
    import cv2

    mean = cv2.GaussianBlur(dark, (0, 0), surround_px)
    spread = cv2.GaussianBlur(dark * dark, (0, 0), surround_px) - mean * mean
    floor = 1e-5 + 0.05 * float(np.mean(spread))
    return np.asarray(0.5 * (dark - mean) / np.sqrt(np.maximum(spread, 0) + floor), np.float32)


def _edges(dark: NDArray[np.float32], smooth_px: float) -> list[NDArray[np.float32]]:
    import cv2

    # the root lifts pale tissue, as the noise of a photon count asks for
    root = cv2.GaussianBlur(np.sqrt(dark), (0, 0), smooth_px)
    across = cv2.Sobel(root, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(root, cv2.CV_32F, 0, 1)
    power = across * across + down * down
    strong = power[power > 1e-7]
    floor = float(np.median(strong)) if strong.size else 1e-6
    return [
        (across * across - down * down) / (power + floor),
        2 * across * down / (power + floor),
        np.sqrt(power / (power + floor)),
    ]
