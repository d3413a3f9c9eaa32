"""What is in view, and how closely: from the camera and the size of the canvas, never from a layer. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.geometry import Affine, Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAGNIFICATIONS", "magnification", "visible_box", "visible_um", "zoom_of"]

UM_PER_PX_AT_1X: Final = 10.0
"""A 40x scan has 0.25 µm/px, so that at 1x a pixel of the screen is 10 µm wide (the scanners' convention)."""

MAGNIFICATIONS: Final = (2.5, 5.0, 10.0, 20.0, 40.0)


def magnification(zoom: float) -> float:
    """Return the magnification that a zoom (screen pixels per µm) amounts to."""
    return zoom * UM_PER_PX_AT_1X


def zoom_of(wanted: float) -> float:
    """Return the zoom (screen pixels per µm) of a magnification."""
    return wanted / UM_PER_PX_AT_1X


def visible_um(viewer: Any) -> NDArray[np.float64]:
    """Return the corners (4, 2) of the view in world µm (row, col), clockwise from the upper left."""
    camera, (rows, cols) = viewer.scene.camera, viewer.canvas.size
    half = np.array([rows, cols]) / (2 * camera.zoom)
    middle = np.asarray(camera.center[-2:], np.float64)
    signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    return np.asarray(middle + signs * half)


def visible_box(
    corners_um: NDArray[np.float64], place: Affine, um_per_px: float, shape: tuple[int, int]
) -> Box | None:
    """Return the level-0 box of a slide that holds the view; None where the slide is out of view.

    Parameters
    ----------
    corners_um : ndarray of shape (n, 2)
        World µm.
    place : Affine
        The slide's µm → world.
    um_per_px : float
    shape : tuple of int
        (rows, cols) of level 0.
    """
    px = place.inverse(corners_um) / um_per_px
    low, high = np.floor(px.min(axis=0)).astype(int), np.ceil(px.max(axis=0)).astype(int)
    size = np.maximum(high - low, 1)
    whole = Box(int(low[0]), int(low[1]), int(size[0]), int(size[1]))
    return whole.intersect(Box.of_shape(shape))
