"""Faults of the stain on a tile: DAB that drowns haematoxylin, grains, stroma where glass would show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from napari_her2.phantom.textures import SIDE, grain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.faults import Faults

    Field = NDArray[np.float32]

__all__ = ["grained", "saturated", "stain_margin_px"]

_SPREAD_PX: Final = 12.0
_FULL_OD: Final = 0.28
_GRAIN_OD: Final = 0.55


def stain_margin_px(faults: Faults) -> int:
    """Pixels that must be drawn around a tile for DAB that spreads."""
    return 48 if faults.saturated > 0 else 0


def saturated(stains: Field, strength: float) -> None:
    """Spread strong DAB over cell and nucleus, and drown the haematoxylin beneath, in place.

    Only cells whose surroundings are strongly brown take part, so that a slide without strong
    membranes stays as it is.
    """
    around = cv2.GaussianBlur(stains[1], (0, 0), _SPREAD_PX)
    share = np.clip((around - 0.1) / _FULL_OD, 0.0, 1.0) * np.float32(strength)
    stains[1] = (1 + 0.5 * share) * stains[1] + share * (0.6 * around + 0.12)
    stains[0] *= 1 - 0.93 * share


def grained(stains: Field, epithelium: NDArray[np.bool_], corner: tuple[int, int], strength: float) -> None:
    """Put brown grains of about 0.7 µm into the cytoplasm of carcinoma, in place."""
    rows = (np.arange(stains.shape[1]) + corner[0]) % SIDE
    cols = (np.arange(stains.shape[2]) + corner[1]) % SIDE
    dots = np.clip(grain(7, 12, 3.2)[np.ix_(rows, cols)] - 1.1, 0.0, 1.0)
    patches = np.clip(0.5 + grain(8, 160, 40)[np.ix_(rows, cols)], 0.0, 1.5)
    stains[1] += np.float32(_GRAIN_OD * strength) * dots * patches * epithelium
