"""Carcinoma in situ, as far as its outline tells: round, smooth nests with stroma all about them.

A duct keeps its wall: seen from its middle, the edge between haematoxylin-rich cells and the pale cuff
lies at nearly the same distance in every direction, and nowhere is the cuff broken. Invasive nests of the
same size are crooked or run into each other. A solid invasive nest can be as round, and a duct cut along
its length is not, so a person has the last word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.threads import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

    Kernels = dict[tuple[int, int], list[tuple[float, NDArray[np.complexfloating[Any, Any]]]]]

__all__ = ["FINE_UM", "Duct", "find_ducts", "in_situ_probability"]

FINE_UM: Final = 4.0
"""The pale cuff is 10 to 20 µm wide: it must be resolved."""
_RADII_UM: Final = tuple(float(r) for r in 45 * 1.13 ** np.arange(15))
_BLOCK_UM: Final = 2600.0
_RAYS: Final = 48
_LEAST_CONTRAST: Final = 0.34
"""Amount of haematoxylin (0..1) inside the wall less that of the cuff, mean over the circle."""
_RAY_CONTRAST: Final = 0.18
_CLOSED: Final = 0.93
"""Least share of the rays that meet the wall; a neighbouring nest may touch it."""
_CROOKED: Final = 0.165
"""Greatest sum of the radius's relative standard deviation and twice its mean relative change from one
ray to the next: 31 of 38 ducts and 1 of 75 other round places lay below it on sixteen phantoms."""


@dataclass(frozen=True, slots=True, eq=False)
class Duct:
    """A round nest: middle (row, col) in fine pixels, radius (µm) in each direction, belief 0.5..0.9."""

    row: float
    col: float
    radii_um: Floats
    belief: float

    def outline(self, um_per_px: float) -> Floats:
        """Corners (n, 2), (row, col) in fine pixels."""
        angles = np.arange(len(self.radii_um)) * 2 * np.pi / len(self.radii_um)
        reach = self.radii_um / um_per_px
        return np.column_stack([self.row + np.sin(angles) * reach, self.col + np.cos(angles) * reach])


def in_situ_probability(
    amount: Floats, um_per_px: float, shape: tuple[int, int], raster_px: float, threads: int | None = 1
) -> NDArray[np.float32]:
    """Draw the round nests on a raster.

    Parameters
    ----------
    amount : ndarray of shape (rows, cols)
        Amount of haematoxylin, 0..1, on pixels of ``um_per_px`` (about :data:`FINE_UM`).
    um_per_px : float
    shape : (rows, cols)
        Of the raster.
    raster_px : float
        Raster pixels per fine pixel (1 or less).
    threads : int, optional
        That share the work; all cores where None.

    Returns
    -------
    float32 ndarray of shape ``shape``
        0 outside round nests, 0.5..0.9 inside.
    """
    import cv2

    canvas = np.zeros(shape, np.float32)
    for duct in find_ducts(amount, um_per_px, threads):
        corners = np.rint(duct.outline(um_per_px)[:, ::-1] * raster_px * 16 - 8).astype(np.int32)
        star = np.zeros(shape, np.uint8)
        cv2.fillPoly(star, [corners], 1, shift=4)
        np.maximum(canvas, np.float32(duct.belief) * star, out=canvas)
    return canvas


def find_ducts(amount: Floats, um_per_px: float, threads: int | None = 1) -> list[Duct]:
    """Find round nests with an unbroken pale cuff; see :func:`in_situ_probability`."""
    margin = round(1.3 * (_RADII_UM[-1] + 20) / um_per_px)
    size = max(round(_BLOCK_UM / um_per_px), 2 * margin)
    whole = Box.of_shape(amount.shape)
    kernels: Kernels = {}

    def look(block: Box) -> list[Duct]:
        wide = block.padded(margin).intersect(whole) or block
        part = amount[wide.slices].astype(np.float32)
        if (part > 0.3).mean() <= 0.005:
            return []
        return [d for d in _in_block(part, um_per_px, kernels, wide) if _belongs(d, block)]

    return [duct for ducts in in_order(look, list(whole.tiles(size)), threads) for duct in ducts]


def _belongs(duct: Duct, block: Box) -> bool:
    return block.row <= duct.row < block.row_stop and block.col <= duct.col < block.col_stop


def _in_block(part: Floats, um: float, kernels: Kernels, at: Box) -> list[Duct]:
    contrast, radius = _best_circles(part, um, kernels)
    kept: list[Duct] = []
    for row, col in _peaks(contrast):
        if all(np.hypot(row - d.row, col - d.col) * um > 0.8 * d.radii_um.mean() for d in kept):
            duct = _judged(part, (row, col), float(radius[row, col]), um)
            kept += [] if duct is None else [duct]
    return [Duct(d.row + at.row, d.col + at.col, d.radii_um, d.belief) for d in kept]


def _best_circles(part: Floats, um: float, kernels: Kernels) -> tuple[Floats, Floats]:
    """For each pixel the radius about it whose wall stands out most, and by how much."""
    from scipy import fft

    reach = round((_RADII_UM[-1] + 16) / um)
    padded = tuple(fft.next_fast_len(max(n, reach + 1) + reach, real=True) for n in part.shape)
    shape = padded[0], padded[1]
    if shape not in kernels:
        kernels[shape] = [(r, fft.rfft2(_ring(r, um, shape))) for r in _RADII_UM]
    spectrum = fft.rfft2(part, s=shape)
    best, radius = np.full(part.shape, -1.0, np.float32), np.zeros(part.shape, np.float32)
    for r, kernel in kernels[shape]:
        value = fft.irfft2(spectrum * kernel, s=shape)[: part.shape[0], : part.shape[1]]
        better = value > best
        best[better], radius[better] = value[better], r
    return best, radius


def _ring(radius_um: float, um: float, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Mean inside the wall less mean of the cuff, as a kernel about (0, 0) that wraps round."""
    reach = math.ceil((radius_um + 12) / um)
    at = np.arange(-reach, reach + 1)
    far = np.hypot(at[:, None], at[None, :]) * um - radius_um
    wall, cuff = (far < -2) & (far > -14), (far > 2) & (far < 12)
    kernel = np.zeros(shape, np.float32)
    kernel[np.ix_(at % shape[0], at % shape[1])] = wall / wall.sum() - cuff / cuff.sum()
    return kernel


def _peaks(contrast: Floats) -> list[tuple[int, int]]:
    import cv2

    top = contrast >= cv2.dilate(contrast, np.ones((9, 9), np.uint8))
    rows, cols = np.nonzero(top & (contrast > _LEAST_CONTRAST))
    order = np.argsort(-contrast[rows, cols], kind="stable")
    return list(zip(rows[order].tolist(), cols[order].tolist(), strict=True))


def _judged(part: Floats, middle: tuple[float, float], radius_um: float, um: float) -> Duct | None:
    """Follow the wall round the circle, twice, the second time from its own middle; None if it is no duct."""
    wall, drop = _wall(part, middle, radius_um, um)
    first = Duct(middle[0], middle[1], wall, 0.0)
    row, col = first.outline(um).mean(axis=0).tolist()
    wall, drop = _wall(part, (row, col), float(wall.mean()), um)
    spread = float(wall.std() / wall.mean())
    jump = float(np.abs(wall - np.roll(wall, 1)).mean() / wall.mean())
    crooked = spread + 2 * jump
    if np.mean(drop > _RAY_CONTRAST) < _CLOSED or crooked > _CROOKED:
        return None
    belief = 0.5 + 0.4 * float(np.clip((_CROOKED - crooked) / 0.06, 0, 1))
    return Duct(row, col, wall + 3.0, belief)


def _wall(
    part: Floats, middle: tuple[float, float], radius_um: float, um: float
) -> tuple[NDArray[np.float64], Floats]:
    """Distance of the steepest fall near a radius in each direction (µm), and its depth."""
    radii = np.arange(0.75 * radius_um, 1.3 * radius_um, 2.0)
    inside = (_along(part, middle, radii - 6, um) + _along(part, middle, radii - 11, um)) / 2
    outside = np.minimum(_along(part, middle, radii + 5, um), _along(part, middle, radii + 8, um))
    step = inside - outside
    step = (step + np.roll(step, 1, axis=0) + np.roll(step, -1, axis=0)) / 3
    place = step.argmax(axis=1)
    return radii[place], step[np.arange(_RAYS), place]


def _along(part: Floats, middle: tuple[float, float], radii_um: Floats, um: float) -> NDArray[np.float32]:
    """Values (rays, radii) on circles about a pixel's middle."""
    import cv2

    angles = (np.arange(_RAYS) * 2 * np.pi / _RAYS)[:, None]
    rows = (middle[0] + np.sin(angles) * radii_um / um).astype(np.float32)
    cols = (middle[1] + np.cos(angles) * radii_um / um).astype(np.float32)
    values: NDArray[np.float32] = cv2.remap(part, cols, rows, cv2.INTER_LINEAR, borderValue=0)
    return values
