"""Folds: strips where the section lies double, so that every stain is doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.tissue.evidence import box_mean, grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.tissue.evidence import Evidence, Plane

    Mask = NDArray[np.bool_]

__all__ = ["find_folds"]

_BROWN: Final = 5.5
"""Density sum of DAB per unit of its blue-over-green excess, (.35 .49 .80): (1.64) / (.31)."""
_AROUND_UM: Final = 600.0
_AREA_UM2: Final = 8_000.0
_LENGTH_UM: Final = 200.0
_WIDEST_UM: Final = 400.0
_SLIMNESS: Final = 3.0
_BRANCHED: Final = 2.2
"""A net of dense cells is longer, all its strands together, than its extent."""
_SURE_SHARE: Final = 0.3
_OTHER_HUE: Final = 0.05


def find_folds(seen: Evidence, tissue: NDArray[np.bool_], *, ihc: bool = False) -> NDArray[np.bool_]:
    """Find folds: slim, far darker than their surroundings and the slide, and of the same hue.

    Brown is left out of the density, so that a strongly stained (3+) nest is no fold, and the same hue
    is asked for, so that a cord of lymphocytes in pink stroma is none either.

    Parameters
    ----------
    seen : Evidence
    tissue : bool ndarray of shape (rows, cols)
    ihc : bool
        DAB and haematoxylin: then only what absorbs red at least as much as blue can be a fold.

    Returns
    -------
    bool ndarray of shape (rows, cols)
    """
    if not tissue.any():
        return np.zeros_like(tissue)
    layers = seen.dense - _BROWN * np.maximum(seen.blue - seen.green, 0)
    values = layers[tissue]
    middle, high = np.percentile(values, [50, 90])
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    around = _Around(tissue, seen)
    local = around.mean(layers)
    alike = around.hue_distance(seen) < _OTHER_HUE
    if ihc:
        alike &= seen.red >= seen.blue
    sure = tissue & alike & (layers > max(middle + 3 * spread, 1.5 * high)) & (layers > 1.5 * local)
    maybe = tissue & alike & (layers > middle + 2 * spread) & (layers > 1.3 * local)
    return _slim(grown(sure, maybe), sure, seen)


class _Around:
    """Means over the tissue about each pixel."""

    def __init__(self, tissue: Mask, seen: Evidence) -> None:
        self._weight = tissue.astype(np.float32)
        self._window = min(seen.pixels(_AROUND_UM, 7), max(min(tissue.shape) // 2, 3)) | 1
        self._share = np.maximum(box_mean(self._weight, self._window), np.float32(1e-3))

    def mean(self, plane: Plane) -> Plane:
        return box_mean(plane * self._weight, self._window) / self._share

    def hue_distance(self, seen: Evidence) -> Plane:
        """Largest difference of a channel's share of the density, here and around."""
        total = np.maximum(seen.total, np.float32(0.02))
        all_around = np.maximum(self.mean(total), np.float32(0.02))
        far = np.zeros_like(total)
        for plane in (seen.red, seen.green, seen.blue):
            np.maximum(far, np.abs(plane / total - self.mean(plane) / all_around), out=far)
        return far


def _slim(mask: Mask, sure: Mask, seen: Evidence) -> Mask:
    """Components that are long, narrow, unbranched and mostly sure."""
    import cv2

    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    deep = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    area = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    width = np.maximum(4.0 * np.bincount(labels.ravel(), weights=deep.ravel(), minlength=n) / area, 1.0)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = (area >= seen.area_px(_AREA_UM2, 4)) & (length >= seen.pixels(_LENGTH_UM, 3))
    keep &= (length >= _SLIMNESS * width) & (width <= seen.pixels(_WIDEST_UM, 2))
    keep &= area <= _BRANCHED * length * width
    keep &= np.bincount(labels[sure], minlength=n) >= _SURE_SHARE * area
    keep[0] = False
    found: Mask = keep[labels]
    return found
