"""Nuclei from the haematoxylin of one tile, at about 0.5 um/px.

Every step looks only a few micrometres around, so that a tile with a halo gives the same nuclei as
the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Nuclei", "find_nuclei", "merge_seeds", "nuclear_signal", "peaks_of"]

SMOOTH_UM: Final = 0.5
LOCAL_UM: Final = (5.0, 12.0)
"""Sigma and reach of the mean about a pixel that its threshold follows."""
SEED_SMOOTH_UM: Final = 0.5
SEED_APART_UM: Final = 2.0
MERGE_WITHIN_UM: Final = 8.0
SADDLE: Final = 0.95
DEEPEST_UM: Final = 7.0
HOLE_UM2: Final = 10.0
AREA_UM2: Final = (10.0, 400.0)
DAB_WEIGHT: Final = 0.35
DAB_FREE_OD: Final = 0.25
RIDGE_UM: Final = (0.4, 1.5)
RIDGE_WEIGHT: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nuclei:
    """Nuclei of one tile, in the pixels of the nucleus raster.

    Attributes
    ----------
    labels : int32 ndarray
        0 outside, i + 1 on nucleus i.
    anchor : int64 (n, 2)
        Pixel (row, col) of the seed.
    shift : float64 (n, 2)
        Centroid minus the centre of that pixel.
    area_um2, length_um, breadth_um, density_od, spread_od, contrast_od : float32
        Area; axes of the ellipse with the same moments; mean haematoxylin and its standard
        deviation inside; mean minus the surrounding.
    """

    labels: NDArray[np.int32]
    anchor: NDArray[np.int64]
    shift: NDArray[np.float64]
    area_um2: NDArray[np.float32]
    length_um: NDArray[np.float32]
    breadth_um: NDArray[np.float32]
    density_od: NDArray[np.float32]
    spread_od: NDArray[np.float32]
    contrast_od: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.anchor)

    def centres(self, corner: tuple[int, int] = (0, 0)) -> NDArray[np.float64]:
        """Centroids (n, 2), corner-based, on a raster in which this one's corner lies at ``corner``.

        Whole numbers are added first, so that two tiles that see the same nucleus give the same
        number to the last bit.
        """
        return (self.anchor + (np.asarray(corner) + 0.5)) + self.shift


def nuclear_signal(
    blue: NDArray[np.float32], brown: NDArray[np.float32], um_per_px: float
) -> NDArray[np.float32]:
    """Smoothed haematoxylin, less what dense DAB adds to it, and cut along thin lines of DAB.

    Membranes are then no nuclei, and they part the nuclei on their two sides.
    """
    import cv2

    fine, broad = (cv2.GaussianBlur(brown, (0, 0), s / um_per_px) for s in RIDGE_UM)
    line = np.maximum(fine - broad, 0)
    bare = blue - np.float32(DAB_WEIGHT) * np.maximum(brown - np.float32(DAB_FREE_OD), 0)
    smooth = cv2.GaussianBlur(bare, (0, 0), SMOOTH_UM / um_per_px)
    return np.asarray(smooth - np.float32(RIDGE_WEIGHT) * line, np.float32)


def find_nuclei(
    blue: NDArray[np.float32], brown: NDArray[np.float32], um_per_px: float, nucleus_od: float
) -> Nuclei:
    """Find the nuclei of a tile.

    Parameters
    ----------
    blue, brown : ndarray of shape (rows, cols), float32
        Haematoxylin and DAB, log10 OD.
    um_per_px : float
        Of these arrays, about 0.5.
    nucleus_od : float
        Haematoxylin that parts nuclei from cytoplasm on this slide.

    Returns
    -------
    Nuclei
    """
    smooth = nuclear_signal(blue, brown, um_per_px)
    local = _local_mean(smooth, um_per_px)
    foreground = _foreground(smooth, local, nucleus_od, um_per_px)
    seeds = _seeds(foreground, um_per_px)
    labels = _grow(foreground, seeds)
    return _measure(labels, seeds, blue, local, um_per_px)


def _local_mean(values: NDArray[np.float32], um_per_px: float) -> NDArray[np.float32]:
    import cv2

    rows, cols = values.shape
    small = cv2.resize(values, (max(cols // 8, 1), max(rows // 8, 1)), interpolation=cv2.INTER_AREA)
    sigma, reach = (length / (8 * um_per_px) for length in LOCAL_UM)
    size = 2 * round(reach) + 1
    small = cv2.GaussianBlur(small, (size, size), sigma)
    return np.asarray(cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _foreground(
    smooth: NDArray[np.float32], local: NDArray[np.float32], nucleus_od: float, um_per_px: float
) -> NDArray[np.uint8]:
    import cv2

    threshold = 0.5 * (nucleus_od + np.clip(local, 0.5 * nucleus_od, 1.8 * nucleus_od))
    mask = _filled((smooth > threshold).astype(np.uint8), HOLE_UM2 / um_per_px**2)
    size = 2 * round(0.75 / um_per_px) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc))


def _filled(mask: NDArray[np.uint8], most_px: float) -> NDArray[np.uint8]:
    """Fill holes of up to ``most_px`` pixels: pale middles of vesicular nuclei."""
    import cv2

    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4, ltype=cv2.CV_32S)
    small = stats[:, cv2.CC_STAT_AREA] <= most_px
    small[0] = True
    return small[parts].astype(np.uint8)


def _seeds(mask: NDArray[np.uint8], um_per_px: float) -> NDArray[np.int64]:
    """Middles of the foreground's blobs, (n, 2) pixels."""
    import cv2

    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    depth = np.minimum(depth * np.float32(um_per_px), np.float32(DEEPEST_UM))
    height = cv2.GaussianBlur(depth, (0, 0), SEED_SMOOTH_UM / um_per_px)
    return merge_seeds(peaks_of(height, (mask > 0) & (height > 0.6), um_per_px), height, um_per_px)


def peaks_of(height: NDArray[np.float32], where: NDArray[np.bool_], um_per_px: float) -> NDArray[np.int64]:
    """Local maxima at least 2 um apart, (n, 2) pixels; the first pixel of a plateau."""
    import cv2

    size = 2 * round(SEED_APART_UM / um_per_px) + 1
    peak = cv2.dilate(height, np.ones((size, size), np.uint8))
    return _first_of_each(((height >= peak) & where).astype(np.uint8))


def _first_of_each(peaks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """First pixel (n, 2) of each connected peak: a wide, flat blob would give thousands of equal seeds."""
    import cv2

    points = np.argwhere(peaks)
    parts = cv2.connectedComponents(peaks, connectivity=8, ltype=cv2.CV_32S)[1]
    first = np.unique(parts[points[:, 0], points[:, 1]], return_index=True)[1]
    return points[np.sort(first)]


def merge_seeds(
    points: NDArray[np.int64], height: NDArray[np.float32], um_per_px: float
) -> NDArray[np.int64]:
    """Drop a seed when a higher one lies near with no valley between them."""
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return points
    pairs = cKDTree(points).query_pairs(MERGE_WITHIN_UM / um_per_px, output_type="ndarray")
    if not len(pairs):
        return points
    level = height[points[:, 0], points[:, 1]]
    order = np.lexsort((points[:, 1], points[:, 0], -level))
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points))
    low = np.where(rank[pairs[:, 0]] > rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    t = np.linspace(0, 1, 17)[None, :, None]
    a, b = points[pairs[:, 0], None, :], points[pairs[:, 1], None, :]
    line = np.rint(a + (b - a) * t).astype(np.int64)
    valley = height[line[..., 0], line[..., 1]].min(axis=1)
    keep = np.ones(len(points), bool)
    keep[low[valley > SADDLE * level[low]]] = False
    return points[keep]


def _grow(mask: NDArray[np.uint8], seeds: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give each foreground pixel to its nearest seed, if it hangs together with it."""
    import cv2

    if not len(seeds):
        return np.zeros(mask.shape, np.int32)
    nearest = nearest_label(mask.shape, seeds)
    own = np.where(mask > 0, nearest, 0).astype(np.int32)
    inner = mask.copy()
    inner[:, 1:][own[:, 1:] != own[:, :-1]] = 0
    inner[1:][own[1:] != own[:-1]] = 0
    parts = cv2.connectedComponents(inner, connectivity=4, ltype=cv2.CV_32S)[1]
    hold = np.zeros(parts.max() + 1, np.int32)
    at = parts[seeds[:, 0], seeds[:, 1]]
    hold[at] = np.arange(1, len(seeds) + 1)
    hold[0] = 0
    return hold[parts]


def nearest_label(shape: tuple[int, ...], seeds: NDArray[np.int64]) -> NDArray[np.int32]:
    """Index + 1 of the nearest seed for each pixel."""
    import cv2

    canvas = np.ones(shape, np.uint8)
    canvas[seeds[:, 0], seeds[:, 1]] = 0
    labels = cv2.distanceTransformWithLabels(canvas, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    of = np.zeros(labels.max() + 1, np.int32)
    of[labels[seeds[:, 0], seeds[:, 1]]] = np.arange(1, len(seeds) + 1)
    return of[labels]


def _measure(
    labels: NDArray[np.int32],
    seeds: NDArray[np.int64],
    signal: NDArray[np.float32],
    local: NDArray[np.float32],
    um_per_px: float,
) -> Nuclei:
    """Moments per nucleus; nuclei outside the range of areas are dropped."""
    rows, cols = np.nonzero(labels)
    of = labels[rows, cols] - 1
    n = np.maximum(np.bincount(of, minlength=len(seeds)), 1).astype(np.float64)

    def mean(weights: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        return np.bincount(of, weights, minlength=len(seeds)) / n

    inside = signal[rows, cols]
    density = mean(inside)
    spread = np.sqrt(np.maximum(mean(inside * inside) - density**2, 0))
    shift, length, breadth = _ellipse(rows - seeds[of, 0], cols - seeds[of, 1], mean)
    area = n * um_per_px**2
    keep = (area >= AREA_UM2[0]) & (area <= AREA_UM2[1])
    renumber = np.zeros(len(seeds) + 1, np.int32)
    renumber[1:][keep] = np.arange(1, np.count_nonzero(keep) + 1)
    columns = {
        "area_um2": area,
        "length_um": length * um_per_px,
        "breadth_um": breadth * um_per_px,
        "density_od": density,
        "spread_od": spread,
        "contrast_od": density - mean(local[rows, cols]),
    }
    return Nuclei(
        labels=renumber[labels],
        anchor=seeds[keep],
        shift=shift[keep],
        **{name: values[keep].astype(np.float32) for name, values in columns.items()},
    )


def _ellipse(
    down: NDArray[np.int64],
    right: NDArray[np.int64],
    mean: Callable[[NDArray[np.integer]], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centroid from the seed, and the axes of the ellipse with the same second moments, in pixels."""
    dr, dc = mean(down), mean(right)
    rr, cc = mean(down * down) - dr * dr + 1 / 12, mean(right * right) - dc * dc + 1 / 12
    rc = mean(down * right) - dr * dc
    half, root = (rr + cc) / 2, np.sqrt(((rr - cc) / 2) ** 2 + rc**2)
    return np.column_stack([dr, dc]), 4 * np.sqrt(half + root), 4 * np.sqrt(np.maximum(half - root, 0))
