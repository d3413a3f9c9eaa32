"""Where invasive tumour is said to be: a probability raster, estimated or drawn by a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.tissue.mask import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CLASSICAL", "PERSON", "TumourRaster", "tumour_from_polygons"]

CLASSICAL: Final = "classical-nuclear-density"
PERSON: Final = "person"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TumourRaster:
    """Probability of invasive tumour; raster pixel (r, c) covers level-0 pixels [r*s, (r+1)*s).

    Attributes
    ----------
    probability : float32 ndarray of shape (rows, cols)
        0..1; 0 where there is no usable tissue.
    um_per_px : float
        Of a raster pixel.
    slide_um_per_px : float
        Of a level-0 pixel.
    method : str
        ``classical-nuclear-density`` (an estimate, to be confirmed), ``person``, or a model's name.
    threshold : float
        At and above it a place belongs to the tumour area.
    in_situ : float32 ndarray of shape (rows, cols) or None
        Probability that the tumour lies in a duct, where it was estimated.
    """

    probability: NDArray[np.float32]
    um_per_px: float
    slide_um_per_px: float
    method: str
    threshold: float = 0.5
    in_situ: NDArray[np.float32] | None = None

    @property
    def level0_px(self) -> float:
        """Level-0 pixels along the side of a raster pixel (``s``)."""
        return self.um_per_px / self.slide_um_per_px

    @property
    def region(self) -> NDArray[np.bool_]:
        """The tumour area."""
        return self.probability >= self.threshold

    @property
    def area_mm2(self) -> float:
        """Size of the tumour area."""
        return float(np.count_nonzero(self.region)) * self.um_per_px**2 / 1e6

    @property
    def confirmed(self) -> bool:
        """Whether a person drew it."""
        return self.method == PERSON

    def at(self, points_px: ArrayLike, slide_um_per_px: float | None = None) -> NDArray[np.float32]:
        """Probability under each point (n, 2), (row, col) in level-0 pixels; 0 outside."""
        um = self.slide_um_per_px if slide_um_per_px is None else slide_um_per_px
        return sample(self.probability, points_px, self.um_per_px / um)


def tumour_from_polygons(
    polygons_px: Sequence[ArrayLike],
    shape: tuple[int, int],
    *,
    slide_um_per_px: float,
    um_per_px: float = 8.0,
    holes_px: Sequence[ArrayLike] = (),
) -> TumourRaster:
    """Make the tumour area that a person drew.

    Parameters
    ----------
    polygons_px : sequence of (n, 2) arrays
        Outlines, (row, col) in level-0 pixels.
    shape : (rows, cols)
        Of level 0.
    slide_um_per_px : float
        Of a level-0 pixel.
    um_per_px : float
        Of the raster, about.
    holes_px : sequence of (n, 2) arrays
        Outlines of what is left out.

    Returns
    -------
    TumourRaster
        ``probability`` is the share of each raster pixel inside the outlines; ``method`` is ``person``.
    """
    from skimage.draw import polygon2mask

    step = max(round(um_per_px / slide_um_per_px), 1)
    rows, cols = -(-shape[0] // step), -(-shape[1] // step)
    fine = 4
    canvas = np.zeros((rows * fine, cols * fine), np.bool_)
    for outlines, value in ((polygons_px, True), (holes_px, False)):
        for outline in outlines:
            points = np.asarray(outline, np.float64).reshape(-1, 2) * fine / step - 0.5
            canvas[polygon2mask(canvas.shape, points)] = value
    share = canvas.reshape(rows, fine, cols, fine).mean(axis=(1, 3), dtype=np.float32)
    return TumourRaster(
        probability=share, um_per_px=step * slide_um_per_px, slide_um_per_px=slide_um_per_px, method=PERSON
    )
