"""From rasters to outlines: areas with holes, smoothed to the raster's own precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.exchange.geojson import Area

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["areas_of_mask"]


def areas_of_mask(
    mask: NDArray[np.bool_], level0_px: float, *, name: str = "", slide: str | None = None, **properties: Any
) -> tuple[Area, ...]:
    """Outline the connected parts of a mask.

    Parameters
    ----------
    mask : bool ndarray of shape (rows, cols)
        Pixel (r, c) covers level-0 pixels [r * s, (r + 1) * s).
    level0_px : float
        Level-0 pixels along a mask pixel (``s``).
    name, slide, properties
        See :class:`Area`.

    Returns
    -------
    tuple of Area
        Largest first; parts that are one pixel wide keep an area.
    """
    import cv2

    # Doubled so that an outline runs along the pixels' edges and a single pixel still has an area.
    doubled = np.kron(mask.astype(np.uint8), np.ones((2, 2), np.uint8))
    found, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return ()
    rings = [_ring(contour) * (level0_px / 2) for contour in found]
    outer = [k for k, (_, _, _, parent) in enumerate(tree[0]) if parent < 0 and len(rings[k]) >= 3]
    areas = [
        Area(
            outline=rings[k],
            holes=tuple(rings[h] for h, node in enumerate(tree[0]) if node[3] == k and len(rings[h]) >= 3),
            name=name,
            slide=slide,
            properties=properties or None,
        )
        for k in outer
    ]
    return tuple(sorted(areas, key=lambda area: -abs(_signed_area(area.outline))))


def _ring(contour: NDArray[np.int32]) -> NDArray[np.float64]:
    """Contour (n, 1, 2) of x, y pixel indices → (n, 2) corner-based (row, col)."""
    return contour[:, 0, ::-1].astype(np.float64) + 0.5


def _signed_area(ring: NDArray[np.float64]) -> float:
    row, col = ring.T
    return float(np.dot(row, np.roll(col, -1)) - np.dot(col, np.roll(row, -1))) / 2
