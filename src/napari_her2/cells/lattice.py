"""Cells where DAB drowns the nucleus: the holes that stained membranes leave.

Saturated DAB drives the unmixed haematoxylin of a nucleus below zero, so that dense 3+ tissue has no
nuclei to be found. Its membranes form a lattice of DAB instead, and each closed hole of it is a cell: a
place away from lines, with a line in most directions at a cell's distance, and not as pale as glass
(lumens, vacuoles, fat, cracks). Holes count only where they outnumber the nuclei nearby, and none counts
that already holds a nucleus.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.nuclei import Nuclei, merge_seeds, peaks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["lines_of", "with_lattice_cells"]

LINE_UM: Final = (0.4, 1.5)
WEAK_LINE: Final = 0.5
"""Share of a weak membrane's height from which a pixel belongs to the lattice; both are blurred here."""
SATURATED_OD: Final = 1.1
SECTORS: Final = 16
LEAST_RING: Final = 0.6
RING_UM: Final = (1.5, 9.0)
RADIUS_UM: Final = (2.2, 7.5)
DEPTH_UM: Final = (1.4, 6.0)
GLASS_OD: Final = 0.15
NEAR_UM: Final = 20.0
SAME_UM: Final = 12.0
"""Nearer than this, two places with no line between them lie in one cell."""
DISC_UM: Final = 2.0


def with_lattice_cells(
    nuclei: Nuclei,
    planes: tuple[NDArray[np.float32], NDArray[np.float32]],
    um_per_px: float,
    weak_od: float,
    scale: float,
) -> Nuclei:
    """Add the cells of the lattice to the nuclei of a tile.

    Parameters
    ----------
    nuclei : Nuclei
    planes : pair of float32 ndarrays of shape (rows, cols)
        Haematoxylin and DAB on the nucleus raster, log10 OD.
    um_per_px : float
        Of the raster.
    weak_od : float
        Height of a weak membrane on this slide, log10 OD.
    scale : float
        By which densities of this slide are multiplied to be comparable with other slides.

    Returns
    -------
    Nuclei
        The given ones, then those of holes: discs in ``labels``, without measurements (NaN).
    """
    blue, brown = planes
    lines = lines_of(brown, um_per_px, weak_od)
    if not lines.any():
        return nuclei
    seeds = _seeds(lines, um_per_px)
    seeds = seeds[_ringed(lines, seeds, um_per_px) & ~_pale(blue + brown, seeds, um_per_px, scale)]
    return _added(nuclei, _unread(nuclei, lines, seeds, um_per_px), um_per_px)


def lines_of(
    brown: NDArray[np.float32], um_per_px: float, weak_od: float, *, strict: bool = False
) -> NDArray[np.bool_]:
    """Pixels that look like lines of DAB, or are dense with it.

    Parameters
    ----------
    brown : float32 ndarray of shape (rows, cols)
        DAB, log10 OD.
    um_per_px : float
    weak_od : float
        Height of a weak membrane on this slide, log10 OD.
    strict : bool
        Ask for a weak membrane's whole height; half of it links the lattice where it is thin.
    """
    import cv2

    fine, broad = (cv2.GaussianBlur(brown, (0, 0), sigma / um_per_px) for sigma in LINE_UM)
    share = 1.0 if strict else WEAK_LINE
    return np.asarray((fine - broad > share * weak_od) | (fine > SATURATED_OD))


def _seeds(lines: NDArray[np.bool_], um_per_px: float) -> NDArray[np.int64]:
    """Middles of the holes, (n, 2) pixels, the deepest first."""
    import cv2

    depth = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(um_per_px)
    height = cv2.GaussianBlur(np.minimum(depth, np.float32(DEPTH_UM[1])), (0, 0), 0.5 / um_per_px)
    points = peaks_of(height, height > DEPTH_UM[0], um_per_px)
    points = merge_seeds(points, height, um_per_px)
    return points[np.argsort(-height[points[:, 0], points[:, 1]], kind="stable")]


def _ringed(lines: NDArray[np.bool_], seeds: NDArray[np.int64], um_per_px: float) -> NDArray[np.bool_]:
    """Whether most directions meet a line, at a cell's distance."""
    steps = np.arange(RING_UM[0], RING_UM[1], um_per_px) / um_per_px
    angle = np.arange(SECTORS) * (2 * np.pi / SECTORS)
    rows = np.rint(seeds[:, 0, None, None] + np.sin(angle)[:, None] * steps).astype(np.int64)
    cols = np.rint(seeds[:, 1, None, None] + np.cos(angle)[:, None] * steps).astype(np.int64)
    high, wide = lines.shape
    met = lines[np.clip(rows, 0, high - 1), np.clip(cols, 0, wide - 1)]
    found = met.any(axis=2)
    first_um = np.where(found, met.argmax(axis=2) * um_per_px + RING_UM[0], np.nan)
    ring = found.mean(axis=1) >= LEAST_RING
    radius = np.full(len(seeds), np.inf)
    radius[ring] = np.nanmedian(first_um[ring], axis=1)
    return np.asarray((radius >= RADIUS_UM[0]) & (radius <= RADIUS_UM[1]))


def _pale(
    density: NDArray[np.float32], seeds: NDArray[np.int64], um_per_px: float, scale: float
) -> NDArray[np.bool_]:
    """Whether the middle is as pale as glass."""
    import cv2

    size = 2 * round(1.5 / um_per_px) + 1
    middle = cv2.blur(density, (size, size))
    return np.asarray(scale * middle[seeds[:, 0], seeds[:, 1]] < GLASS_OD)


def _unread(
    nuclei: Nuclei, lines: NDArray[np.bool_], seeds: NDArray[np.int64], um_per_px: float
) -> NDArray[np.int64]:
    """Holes without a nucleus, where holes outnumber nuclei; of two that no line parts, the deeper one."""
    from scipy.spatial import cKDTree

    if not len(seeds):
        return seeds
    known = np.rint(nuclei.centres() - 0.5).astype(np.int64).reshape(-1, 2)
    places = np.concatenate([known, seeds])
    pairs = cKDTree(places).query_pairs(SAME_UM / um_per_px, output_type="ndarray")
    pairs = pairs[pairs[:, 1] >= len(known)]
    pairs = pairs[~_parted(lines, places[pairs[:, 0]], places[pairs[:, 1]])]
    keep = nuclei.labels[seeds[:, 0], seeds[:, 1]] == 0
    keep[pairs[:, 1] - len(known)] = False
    seeds = seeds[keep]
    if not len(known) or not len(seeds):
        return seeds
    near = NEAR_UM / um_per_px
    holes = cKDTree(seeds).query_ball_point(seeds, near, return_length=True)
    return seeds[holes > cKDTree(known).query_ball_point(seeds, near, return_length=True)]


def _parted(lines: NDArray[np.bool_], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a line crosses the way from each place to another."""
    t = np.linspace(0, 1, 33)[None, :, None]
    way = np.rint(one[:, None] + (other - one)[:, None] * t).astype(np.int64)
    return np.asarray(lines[way[..., 0], way[..., 1]].any(axis=1))


def _added(nuclei: Nuclei, seeds: NDArray[np.int64], um_per_px: float) -> Nuclei:
    if not len(seeds):
        return nuclei
    radius = round(DISC_UM / um_per_px)
    offsets = np.argwhere(np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius) - radius
    labels = nuclei.labels.copy()
    names = np.arange(len(nuclei) + 1, len(nuclei) + len(seeds) + 1, dtype=np.int32)
    places = np.clip(seeds[:, None] + offsets, 0, np.asarray(labels.shape) - 1)
    free = labels[places[..., 0], places[..., 1]] == 0
    labels[places[..., 0][free], places[..., 1][free]] = np.broadcast_to(names[:, None], free.shape)[free]
    unknown = np.full(len(seeds), np.nan, np.float32)
    measured = {
        f.name: np.concatenate([getattr(nuclei, f.name), unknown])
        for f in fields(Nuclei)
        if f.name not in ("labels", "anchor", "shift")
    }
    return Nuclei(
        labels=labels,
        anchor=np.concatenate([nuclei.anchor, seeds]),
        shift=np.concatenate([nuclei.shift, np.zeros((len(seeds), 2))]),
        **measured,
    )
