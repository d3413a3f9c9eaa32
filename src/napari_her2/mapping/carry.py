"""Boxes, outlines and rasters carried from one slide to the other, and the gate with its unsure band."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_her2.geometry import Box
from napari_her2.mapping.dense import dense

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_her2.mapping.slide_mapping import Side, SlideMapping

__all__ = ["UNSURE", "carry_box", "carry_mask", "carry_polygon", "carry_raster", "gate"]

UNSURE = 255
"""Value of the gate's band in which the local error leaves it open."""

Value = TypeVar("Value", np.float32, np.uint8)


def carry_polygon(
    mapping: SlideMapping, points_px: ArrayLike, side: Side, *, step_um: float = 50.0
) -> NDArray[np.float64]:
    """Carry a closed outline from ``side`` to the other slide.

    Parameters
    ----------
    mapping : SlideMapping
    points_px : array-like of shape (n, 2)
        Level-0 pixels (row, col); the first point need not be repeated.
    side : {"he", "ihc"}
        The slide the outline lies on.
    step_um : float
        Long edges are cut so that they bend with the map.

    Returns
    -------
    ndarray of shape (m, 2), m >= n
    """
    frame = mapping.he if side == "he" else mapping.ihc
    points = np.asarray(points_px, np.float64).reshape(-1, 2)
    if len(points) < 2:
        return mapping.carry(points, side)
    ends = np.roll(points, -1, axis=0)
    pieces = np.maximum(1, np.ceil(np.linalg.norm(ends - points, axis=1) * frame.um_per_px / step_um))
    parts = [
        start + (end - start) * np.linspace(0, 1, int(count), endpoint=False)[:, None]
        for start, end, count in zip(points, ends, pieces, strict=True)
    ]
    return mapping.carry(np.concatenate(parts), side)


def carry_box(mapping: SlideMapping, box: Box, side: Side) -> Box:
    """Return the upright box on the other slide that holds the carried one; it may reach off the slide."""
    corners = [
        (box.row, box.col),
        (box.row, box.col_stop),
        (box.row_stop, box.col_stop),
        (box.row_stop, box.col),
    ]
    outline = carry_polygon(mapping, corners, side)
    # a millionth of a pixel is rounding, not extent
    low = np.floor(outline.min(axis=0) + 1e-6).astype(int)
    high = np.ceil(outline.max(axis=0) - 1e-6).astype(int)
    height, width = np.maximum(high - low, 1)
    return Box(int(low[0]), int(low[1]), int(height), int(width))


def carry_raster(
    mapping: SlideMapping,
    raster: NDArray[Value],
    um_per_px: float,
    side: Side,
    *,
    smooth: bool = True,
    outside: float = 0.0,
) -> NDArray[Value]:
    """Redraw a raster of ``side`` on the other slide, at the same µm/px.

    Parameters
    ----------
    mapping : SlideMapping
    raster : ndarray of shape (rows, cols)
        Pixel (r, c) covers µm [r, r + 1) * um_per_px from the slide's corner; uint8 or float32.
    um_per_px : float
    side : {"he", "ihc"}
        The slide the raster lies on.
    smooth : bool
        Interpolate between pixels; False for labels.
    outside : float
        Value where the source slide ends.
    """
    import cv2

    other = mapping.ihc if side == "he" else mapping.he
    shape = tuple(max(1, int(np.ceil(size / um_per_px - 1e-6))) for size in other.size_um)
    pull = mapping.ihc_to_he_um if side == "he" else mapping.he_to_ihc_um
    rows, cols = dense(lambda px: pull(px * um_per_px) / um_per_px - 0.5, (shape[0], shape[1]))
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    drawn = cv2.remap(raster, cols, rows, how, borderMode=cv2.BORDER_CONSTANT, borderValue=outside)
    return np.asarray(drawn, raster.dtype)


def carry_mask(
    mapping: SlideMapping, mask: NDArray[np.bool_], um_per_px: float, side: Side
) -> NDArray[np.bool_]:
    """Redraw a mask of ``side`` on the other slide, at the same µm/px."""
    drawn = carry_raster(mapping, mask.astype(np.float32), um_per_px, side)
    return np.asarray(drawn >= 0.5)


def gate(
    mapping: SlideMapping, mask: NDArray[np.bool_], um_per_px: float, side: Side = "he"
) -> NDArray[np.uint8]:
    """Carry a region, less what the local error leaves open.

    Returns
    -------
    ndarray of shape (rows, cols), uint8
        On the other slide: 1 surely inside, 0 surely outside, :data:`UNSURE` within the local error
        (p90) of the region's edge, or inside it but outside the tissue that both slides share.
    """
    import cv2

    carried = carry_mask(mapping, mask, um_per_px, side)
    error, shared = _trust_on(mapping, carried.shape, um_per_px, "ihc" if side == "he" else "he")
    # the distance to the nearest pixel centre of the other kind, less half a pixel, is that to the edge
    depth = cv2.distanceTransform(carried.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    away = cv2.distanceTransform((~carried).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    from_edge = (np.where(carried, depth, away) - 0.5) * um_per_px
    open_ = (from_edge < error) & shared | (carried & ~shared)
    return np.where(open_, UNSURE, carried).astype(np.uint8)


def _trust_on(
    mapping: SlideMapping, shape: tuple[int, ...], um_per_px: float, side: Side
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Local error (µm) and shared tissue on a raster of ``side``."""
    zoom = um_per_px / (mapping.he if side == "he" else mapping.ihc).um_per_px

    def both(px: NDArray[np.float64]) -> NDArray[np.float64]:
        points = px * zoom
        return np.stack([mapping.local_error_um(points, side), mapping.inside(points, side)], axis=1)

    error, shared = dense(both, (shape[0], shape[1]))
    return error, shared >= 0.5
