"""The colour of empty glass: what the scanner calls white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["estimate_white"]

PLAIN_WHITE = (255.0, 255.0, 255.0)
MIN_BRIGHTNESS = 190  # mean of the channels
MAX_SPREAD = 30  # largest minus smallest channel
MIN_FRACTION = 0.005  # of the image, to be believed
MIN_PEAK = 0.25  # of the highest peak: how high the brightest one must be


def estimate_white(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None
) -> tuple[float, float, float]:
    """Colour of the background: the brightest marked peak among the bright, nearly grey pixels.

    Empty glass is the brightest thing on a slide and nearly constant, so that pale tissue, though it
    may cover more, stands as a separate and darker peak.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
        The whole slide at low magnification.
    alpha : ndarray of shape (h, w), uint8, optional
        Only opaque pixels count.

    Returns
    -------
    tuple of three floats
        0 to 255 per channel; plain white where fewer than 0.5 % of the pixels qualify.
    """
    pixels = rgb.reshape(-1, 3) if alpha is None else rgb[alpha == 255]
    brightness = pixels.mean(axis=1, dtype=np.float32)
    spread = pixels.max(axis=1) - pixels.min(axis=1)
    bright = (brightness >= MIN_BRIGHTNESS) & (spread <= MAX_SPREAD)
    if bright.sum() <= MIN_FRACTION * rgb.shape[0] * rgb.shape[1]:
        return PLAIN_WHITE
    pixels, brightness = pixels[bright], brightness[bright]
    peak = _brightest_peak(brightness)
    red, green, blue = np.median(pixels[np.abs(brightness - peak) <= 4], axis=0)
    return float(red), float(green), float(blue)


def _brightest_peak(brightness: NDArray[np.float32]) -> int:
    """Brightest local maximum of the smoothed histogram that is at least a quarter as high as the highest."""
    counts = np.bincount(np.rint(brightness).astype(np.intp), minlength=256).astype(np.float64)
    smooth = np.convolve(counts, np.ones(5) / 5, mode="same")
    smooth[-2:] *= 5 / np.array([4, 3])  # fewer bins lie under the window at the clipped end
    candidates = np.flatnonzero(smooth >= MIN_PEAK * smooth.max())
    top = int(candidates[-1])
    while top > 0 and smooth[top - 1] > smooth[top]:
        top -= 1
    return top
