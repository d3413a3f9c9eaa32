"""Where the H&E lies in the world of the IHC: over it, or beside it but turned alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_her2.geometry import Affine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Arrangement", "he_place"]

Arrangement = Literal["side", "over"]

GAP = 0.04
"""Space between the slides side by side, as a fraction of the wider one."""

SizeUm = tuple[float, float]


def he_place(how: Arrangement, he_um: SizeUm, ihc_um: SizeUm | None, he_to_ihc: Affine) -> Affine:
    """Return the map from H&E µm to the world, which is the IHC's µm.

    Parameters
    ----------
    how : {"side", "over"}
        Side by side, the H&E is turned, mirrored and scaled as the mapping says and stands left of the
        IHC, both middles level, so that the same tissue is found at the same height.
    he_um, ihc_um : tuple of float
        Height and width; ``ihc_um`` None where there is no IHC.
    he_to_ihc : Affine
        Affine part of the mapping, or the identity while it is unknown.
    """
    if how == "over" or ihc_um is None:
        return he_to_ihc
    low, high = _bounds(he_um, he_to_ihc)
    gap = GAP * max(high[1] - low[1], ihc_um[1])
    shift = ihc_um[0] / 2 - (low[0] + high[0]) / 2, -gap - high[1]
    return Affine.translation(*shift) @ he_to_ihc


def _bounds(size_um: SizeUm, place: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and greatest (row, col) of a placed image."""
    rows, cols = size_um
    corners = place([(0, 0), (0, cols), (rows, 0), (rows, cols)])
    return corners.min(axis=0), corners.max(axis=0)
