"""What a picture shows at each place: how dense, how coloured, how rough, and of which hue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.stain import density_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.floating[Any]]

__all__ = ["Evidence", "box_mean", "grown", "keep_large", "local_std", "measure", "smooth"]

_HUE_UM: Final = 10.0
"""Ink and stain are told apart at this scale: below it single nuclei look like ink."""
_TEXTURE_UM: Final = 40.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Planes of shape (rows, cols), float32; densities are log10.

    Attributes
    ----------
    red, green, blue : ndarray
        Optical density per channel, smoothed at the scale of hue.
    dense : ndarray
        Sum of the three densities, hardly smoothed.
    texture : ndarray
        Local standard deviation of the density sum.
    total : ndarray
        Sum of ``red``, ``green`` and ``blue``.
    chroma : ndarray
        Largest less smallest of ``red``, ``green`` and ``blue``: 0 for grey.
    mottle : ndarray
        The same pixel by pixel, then smoothed: blue nuclei in brown cytoplasm are grey from afar only.
    um_per_px : float
    """

    red: Plane
    green: Plane
    blue: Plane
    dense: Plane
    texture: Plane
    total: Plane
    chroma: Plane
    mottle: Plane
    um_per_px: float

    def pixels(self, um: float, least: int = 1) -> int:
        """Length in raster pixels."""
        return max(round(um / self.um_per_px), least)

    def area_px(self, um2: float, least: int = 1) -> int:
        """Area in raster pixels."""
        return max(round(um2 / self.um_per_px**2), least)


def measure(rgb: NDArray[np.uint8], um_per_px: float, white: tuple[float, float, float]) -> Evidence:
    """Measure a picture; see :class:`Evidence`."""
    sigma = min(max(_HUE_UM / um_per_px, 0.7), 16.0)
    planes = [_density(rgb[..., i], white[i]) for i in range(3)]
    total = planes[0] + planes[1] + planes[2]
    window = min(max(round(_TEXTURE_UM / um_per_px) | 1, 5), 63)
    red, green, blue = (smooth(plane, sigma) for plane in planes)
    return Evidence(
        red=red,
        green=green,
        blue=blue,
        dense=smooth(total, min(sigma / 2, 4.0)),
        texture=local_std(total, window),
        total=red + green + blue,
        chroma=_spread(red, green, blue),
        mottle=smooth(_spread(*planes), sigma),
        um_per_px=um_per_px,
    )


def _spread(red: Plane, green: Plane, blue: Plane) -> Plane:
    return np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)


def _density(channel: NDArray[np.uint8], white: float) -> Plane:
    table = density_table((max(white, 1.0),) * 3)[:, 0]
    return table[channel]


def smooth(plane: Plane, sigma_px: float) -> Plane:
    """Gaussian blur; the border is mirrored."""
    import cv2

    blurred: Plane = cv2.GaussianBlur(plane, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return blurred


def box_mean(plane: Plane, window_px: int) -> Plane:
    """Mean in a square window of odd size; the border is mirrored."""
    import cv2

    mean: Plane = cv2.blur(plane, (window_px, window_px), borderType=cv2.BORDER_REFLECT)
    return mean


def local_std(plane: Plane, window_px: int) -> Plane:
    """Spread (standard deviation) in a square window of odd size."""
    mean = box_mean(plane, window_px)
    spread = box_mean(plane * plane, window_px) - mean * mean
    return np.sqrt(np.maximum(spread, 0), dtype=np.float32)


def keep_large(mask: NDArray[np.bool_], least_px: int) -> NDArray[np.bool_]:
    """Drop the connected components (of 8 neighbours) below ``least_px`` pixels."""
    import cv2

    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:n, cv2.CC_STAT_AREA] >= least_px
    keep[0] = False
    kept: NDArray[np.bool_] = keep[labels]
    return kept


def grown(sure: NDArray[np.bool_], maybe: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Components of ``maybe`` (8 neighbours) that hold a sure pixel (hysteresis)."""
    import cv2

    if not sure.any():
        return sure
    _, labels = cv2.connectedComponents((maybe | sure).astype(np.uint8), connectivity=8)
    hit = np.zeros(int(labels.max()) + 1, np.bool_)
    hit[labels[sure]] = True
    hit[0] = False
    found: NDArray[np.bool_] = hit[labels]
    return found
