"""Stain planes of a tile: haematoxylin and DAB for nuclei, sharper DAB for membranes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.stain import H_DAB_CAMERA, StainVectors, density_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NUCLEUS_UM_PER_PX", "USUAL_NUCLEUS_OD", "Planes", "TileStain", "nucleus_scale", "stain_planes"]

NUCLEUS_UM_PER_PX: Final = 0.5
"""Pixel size at which nuclei are sought; membranes use the full resolution."""

USUAL_NUCLEUS_OD: Final = 0.3
"""Haematoxylin of DAB-free nuclei on the slides whose lines are taken as they are, log10 OD."""
SCALE_RANGE: Final = (1.0, 3.0)
"""A dark counterstain lowers nothing: of all errors a missed 3+ is the worst."""

BROWN_SMOOTH_UM: Final = 0.25

STRIP: Final = 64
"""Rows of the nucleus raster unmixed at once: the colour planes stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileStain:
    """Light and stain of one slide.

    Attributes
    ----------
    white : tuple of 3 floats
        Empty glass, 0..255.
    vectors : StainVectors
    nucleus_od : float
        Haematoxylin that parts nuclei from the rest, log10 OD.
    reference_od : float or None
        Median haematoxylin of the slide's DAB-free nuclei, log10 OD; None where it has too few.
    """

    white: tuple[float, float, float]
    vectors: StainVectors = H_DAB_CAMERA
    nucleus_od: float = 0.15
    reference_od: float | None = None

    @property
    def scale(self) -> float:
        """By which heights of lines are multiplied to be comparable with other slides, 1 to 3.

        Scanners differ in how dark they render the same glass, and the slide's own counterstain is
        rendered by the same one. 1 where no reference was found.
        """
        if self.reference_od is None:
            return 1.0
        low, high = SCALE_RANGE
        return min(max(USUAL_NUCLEUS_OD / self.reference_od, low), high)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planes:
    """Densities of one tile, log10 OD, float32.

    Attributes
    ----------
    blue, brown : ndarray
        Haematoxylin and DAB on the nucleus raster, ``scale`` times coarser than the pixels.
    sharp : ndarray
        DAB at full resolution, smoothed by 0.3 um.
    um_per_px : float
        Of ``sharp``.
    scale : int
    """

    blue: NDArray[np.float32]
    brown: NDArray[np.float32]
    sharp: NDArray[np.float32]
    um_per_px: float
    scale: int


def nucleus_scale(um_per_px: float) -> int:
    """Working pixels along the side of a pixel of the nucleus raster."""
    return max(1, round(NUCLEUS_UM_PER_PX / um_per_px))


def stain_planes(rgb: NDArray[np.uint8], um_per_px: float, stain: TileStain) -> Planes:
    """Unmix a tile.

    Parameters
    ----------
    rgb : ndarray of shape (rows, cols, 3), uint8
        Rows and columns are multiples of :func:`nucleus_scale`.
    um_per_px : float
    stain : TileStain
    """
    import cv2

    scale = nucleus_scale(um_per_px)
    table = np.ascontiguousarray(density_table(stain.white).reshape(1, 256, 3))
    to_stains = np.ascontiguousarray(stain.vectors.inverse.T[:2], dtype=np.float32)
    rows, cols = rgb.shape[0] // scale, rgb.shape[1] // scale
    brown = np.empty(rgb.shape[:2], np.float32)
    small = np.empty((rows, cols, 2), np.float32)
    for row in range(0, rows, STRIP):
        coarse, fine = slice(row, row + STRIP), slice(row * scale, (row + STRIP) * scale)
        amounts = cv2.transform(cv2.LUT(rgb[fine], table), to_stains)
        brown[fine] = amounts[..., 1]
        size = (cols, small[coarse].shape[0])
        small[coarse] = cv2.resize(amounts, size, interpolation=cv2.INTER_AREA) if scale > 1 else amounts
    return Planes(
        blue=cv2.extractChannel(small, 0),
        brown=cv2.extractChannel(small, 1),
        sharp=cv2.GaussianBlur(brown, (0, 0), BROWN_SMOOTH_UM / um_per_px),
        um_per_px=um_per_px,
        scale=scale,
    )
