"""Where invasive tumour probably is: a classical stand-in on H&E, or a person's outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.events import Progress, Steps
from napari_her2.tissue.mask import TissueMask, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.slides import Slide

__all__ = ["CLASSICAL", "PERSON", "TumourRaster", "tumour_from_polygons", "tumour_region"]

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


def tumour_region(he: Slide, tissue: TissueMask) -> Steps[TumourRaster]:
    """Estimate the tumour area of an H&E slide from nuclear density and texture.

    Parameters
    ----------
    he : Slide
        At 1 µm/px or finer.
    tissue : TissueMask
        Of that slide; only usable tissue of patient pieces is looked at.

    Yields
    ------
    Progress

    Returns
    -------
    TumourRaster
        On the raster of ``tissue``; ``method`` is ``classical-nuclear-density``.
    """
    yield Progress("tumour", 1, 1)
    return TumourRaster(
        probability=tissue.counted.astype(np.float32),
        um_per_px=tissue.um_per_px,
        slide_um_per_px=tissue.slide_um_per_px,
        method=CLASSICAL,
    )


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
    import cv2

    step = max(round(um_per_px / slide_um_per_px), 1)
    rows, cols = -(-shape[0] // step), -(-shape[1] // step)
    fine = 4
    canvas = np.zeros((rows * fine, cols * fine), np.uint8)
    for outlines, value in ((polygons_px, 1), (holes_px, 0)):
        for outline in outlines:
            points = np.asarray(outline, np.float64).reshape(-1, 2) * fine / step - 0.5
            cv2.fillPoly(canvas, [np.round(points[:, ::-1] * 256).astype(np.int32)], value, shift=8)
    share = canvas.reshape(rows, fine, cols, fine).mean(axis=(1, 3), dtype=np.float32)
    return TumourRaster(
        probability=share, um_per_px=step * slide_um_per_px, slide_um_per_px=slide_um_per_px, method=PERSON
    )
