"""A person's words laid on rasters: the tumour area of the H&E, and reach around what was painted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.pipeline.corrections import ARTEFACT, IN_SITU, OUT, TUMOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.tissue import TumourRaster

__all__ = ["corrected_tumour", "dilated"]


def corrected_tumour(tumour: TumourRaster, words: NDArray[np.uint8]) -> TumourRaster:
    """Return the tumour area of the H&E with what people said of it.

    Parameters
    ----------
    tumour : TumourRaster
    words : uint8 ndarray of shape (rows, cols)
        On the same raster.
    """
    kind = np.float32
    probability = np.where(np.isin(words, (TUMOUR, IN_SITU)), kind(1), tumour.probability)
    probability = np.where(np.isin(words, (OUT, ARTEFACT)), kind(0), probability)
    in_situ = tumour.in_situ
    if in_situ is not None or (words == IN_SITU).any():
        before = np.zeros(words.shape, kind) if in_situ is None else in_situ
        in_situ = np.where(words == TUMOUR, kind(0), np.where(words == IN_SITU, kind(1), before))
    return replace(tumour, probability=probability, in_situ=in_situ)


def dilated(region: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Return a region with all that lies within a radius of it."""
    from scipy import ndimage

    if not region.any():
        return region
    return np.asarray(ndimage.distance_transform_edt(~region) <= radius_px)
