"""How much a place on H&E looks like a tumour nest: the transparent core of the classical estimate.

Three measurements per raster pixel, all of haematoxylin relative to the slide's own range:

- **amount**: how much of the area holds haematoxylin, each point clipped at about a third of a nucleus, so
  that crowded pale nuclei with purple cytoplasm count fully and a few dark spindle nuclei hardly;
- **dark**: haematoxylin above three quarters of the range, which lymphocytes have and pale nuclei lack;
- **grain**: fine contrast (1 to 2.5 µm), high where small dark nuclei lie in pale ground.

It knows nothing of glands, of basement membranes or of malignancy: dense benign epithelium scores too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.stain import H_E, StainVectors, density_table, estimate_vectors, optical_density

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.floating[Any]]

__all__ = ["HALO_UM", "Measured", "Range", "measure_nests", "nest_probability", "range_of"]

HALO_UM: Final = 20.0
"""What a tile needs around it for results that do not depend on tiling."""
_WINDOW_UM: Final = 12.0
"""Standard deviation of the neighbourhood that is judged."""
_FINE_UM: Final = 4.0
_SLOPE: Final = 16.0
_CUT: Final = (0.36, 0.5)
_LYMPHOID: Final = 0.06
_LYMPHOID_SLOPE: Final = 60.0
_GRAINY: Final = 0.38
_GRAINY_SLOPE: Final = 25.0
_UNLIT: Final = 28
_CLIP: Final = 0.35
_DARK: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What haematoxylin means on one slide.

    Attributes
    ----------
    white : (red, green, blue)
    vectors : StainVectors
    low, high : float
        Haematoxylin of the ground and of well-stained nuclei, log10 OD.
    """

    white: tuple[float, float, float]
    vectors: StainVectors
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Sums over raster pixels, float32 (rows, cols): divide by ``weight`` (share of tissue)."""

    weight: Plane
    amount: Plane
    dark: Plane
    grain: Plane

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Measured:
        """Return a canvas of zeros."""
        return cls(*(np.zeros(shape, np.float32) for _ in range(4)))

    def put(self, where: tuple[slice, slice], part: Measured) -> None:
        """Write a part in its place."""
        for name in ("weight", "amount", "dark", "grain"):
            getattr(self, name)[where] = getattr(part, name)

    def reduced(self, side: int) -> Measured:
        """Return means over squares of ``side`` pixels, which must divide both sides."""
        if side == 1:
            return self
        rows, cols = self.weight.shape[0] // side, self.weight.shape[1] // side
        planes = (self.weight, self.amount, self.dark, self.grain)
        return Measured(*(p.reshape(rows, side, cols, side).mean(axis=(1, 3)) for p in planes))

    def fine_amount(self, um_per_px: float) -> Plane:
        """Amount of haematoxylin (0..1) per tissue, hardly smoothed: 0 off tissue."""
        weight, amount = (_blur(p, _FINE_UM / um_per_px) for p in (self.weight, self.amount))
        return amount / np.maximum(weight, np.float32(0.05))


def range_of(samples: NDArray[np.uint8], white: tuple[float, float, float]) -> Range:
    """Find the slide's stain vectors and the range of its haematoxylin.

    Parameters
    ----------
    samples : uint8 ndarray of shape (n, side, side, 3)
        Blocks of tissue at about 1 µm/px.
    white : (red, green, blue)

    Returns
    -------
    Range
        ``high`` is the 98th percentile of smoothed haematoxylin in tissue (0.15 at least), ``low`` the
        10th, but no more than a quarter of ``high``: a slide may be all tumour.
    """
    density = optical_density(samples, white)
    tissue = (density.sum(axis=-1) > 0.15) & (samples.max(axis=-1) > _UNLIT)
    if np.count_nonzero(tissue) < 100:
        return Range(white=white, vectors=H_E, low=0.0, high=0.5)
    vectors = estimate_vectors(density[tissue][::7], H_E)
    table = _stain_table(white, vectors)
    smoothed = np.stack([_blur(_looked_up(block, table), 1.2) for block in samples])
    ground, high = np.percentile(smoothed[tissue], [10, 98])
    high = max(float(high), 0.15)
    return Range(white=white, vectors=vectors, low=min(max(float(ground), -0.05), 0.25 * high), high=high)


def measure_nests(rgb: NDArray[np.uint8], um_per_px: float, scale: Range, cells: tuple[int, int]) -> Measured:
    """Measure one tile.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
        At about 1 µm/px.
    um_per_px : float
    scale : Range
    cells : (rows, cols)
        Raster pixels that the tile spans exactly.

    Returns
    -------
    Measured
        Of shape ``cells``.
    """
    import cv2

    stained = _looked_up(rgb, _stain_table(scale.white, scale.vectors))
    dense = _looked_up(rgb, density_table(scale.white))
    tissue = (_blur(dense, 2.0 / um_per_px) > 0.12).astype(np.float32)
    level = (_blur(stained, 1.0 / um_per_px) - scale.low) / (scale.high - scale.low)
    fine = level - _blur(level, 2.5 / um_per_px)
    planes = (
        tissue,
        tissue * np.clip(level, 0, _CLIP) / _CLIP,
        tissue * np.clip(level - _DARK, 0, 1),
        tissue * fine * fine,
    )
    size = (cells[1], cells[0])
    return Measured(*(cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes))


def nest_probability(measured: Measured, um_per_px: float, *, lymphoid: bool = True) -> NDArray[np.float32]:
    """Turn measurements into a probability.

    Parameters
    ----------
    measured : Measured
    um_per_px : float
        Of a raster pixel.
    lymphoid : bool
        Whether dark places count as lymphocytes; pixels must be fine enough to show single nuclei.

    Returns
    -------
    float32 ndarray of shape (rows, cols)
        0..1. The cut on the amount is the slide's own (Otsu), within limits, so that a slide that is
        all tumour or all stroma is not split in two.
    """
    weight, amount, dark, grain = (
        _blur(p, _WINDOW_UM / um_per_px)
        for p in (measured.weight, measured.amount, measured.dark, measured.grain)
    )
    judged = weight > 0.05
    weight = np.maximum(weight, np.float32(0.05))
    amount, dark, contrast = amount / weight, dark / weight, np.sqrt(np.maximum(grain / weight, 0))
    logit = _SLOPE * (amount - _cut(amount[judged]))
    if lymphoid:
        grainy = contrast / np.maximum(amount, np.float32(0.1))
        logit -= _LYMPHOID_SLOPE * np.maximum(dark - _LYMPHOID, 0)
        logit -= _GRAINY_SLOPE * np.maximum(grainy - _GRAINY, 0)
    probability: NDArray[np.float32] = np.where(judged, 1 / (1 + np.exp(-logit)), 0).astype(np.float32)
    return probability


def _cut(amounts: Plane) -> float:
    from skimage.filters import threshold_otsu

    low, high = _CUT
    if amounts.size < 16 or float(np.ptp(amounts)) < 1e-3:
        return high
    return min(max(float(threshold_otsu(amounts)), low), high)


def _stain_table(white: tuple[float, float, float], vectors: StainVectors) -> NDArray[np.float32]:
    """Haematoxylin of each 8-bit value and channel: unmixing is a sum of three look-ups."""
    return (density_table(white) * vectors.inverse[:, 0]).astype(np.float32)


def _looked_up(rgb: NDArray[np.uint8], table: NDArray[np.float32]) -> Plane:
    return table[:, 0][rgb[..., 0]] + table[:, 1][rgb[..., 1]] + table[:, 2][rgb[..., 2]]


def _blur(plane: Plane, sigma_px: float) -> Plane:
    import cv2

    if sigma_px < 0.3:
        return plane
    blurred: Plane = cv2.GaussianBlur(plane, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return blurred
