"""One tile, from pixels to measured cells: a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.lattice import with_lattice_cells
from napari_her2.cells.membrane import Borders, Rays, borders_of, measure_rays
from napari_her2.cells.nuclei import Nuclei, find_nuclei
from napari_her2.cells.planes import nucleus_scale, stain_planes
from napari_her2.cells.polar import Rasters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells.planes import TileStain
    from napari_her2.cells.settings import CellSettings
    from napari_her2.geometry import Box

__all__ = ["HALO_UM", "OUTLINE_COLUMNS", "Measured", "align_px", "cells_in_tile"]

HALO_UM: Final = 44.0
"""Around a tile: the reach of a cell (15), its neighbour's nucleus (13), what its threshold looks at (16)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Cells of one or more tiles before they are classified; columns of one entry per cell.

    Attributes
    ----------
    row, col : float64
        Centroids in working pixels of the slide, corner-based.
    area_um2, length_um, breadth_um, density_od, spread_od, contrast_od : float32
        Of the nucleus, see :class:`~napari_her2.cells.nuclei.Nuclei`; NaN for a cell of the lattice.
    line_od, arc_od, height_od, bright_od, level_od : float32
        Of the outline: upper quartile and best arc of its response, upper quartile of its strength,
        response of the best bright line, DAB of the cytoplasm beside it; see
        :class:`~napari_her2.cells.membrane.Rays`.
    borders : Borders
        ``borders.cell`` counts rows of this value; neighbours are given by ``far``.
    far : complex128
        Centroid of each border's neighbour, ``row + 1j * col``; nan where nobody is beyond.
    """

    row: NDArray[np.float64]
    col: NDArray[np.float64]
    area_um2: NDArray[np.float32]
    length_um: NDArray[np.float32]
    breadth_um: NDArray[np.float32]
    density_od: NDArray[np.float32]
    spread_od: NDArray[np.float32]
    contrast_od: NDArray[np.float32]
    line_od: NDArray[np.float32]
    arc_od: NDArray[np.float32]
    height_od: NDArray[np.float32]
    bright_od: NDArray[np.float32]
    level_od: NDArray[np.float32]
    borders: Borders
    far: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.row)


NUCLEUS_COLUMNS: Final = ("area_um2", "length_um", "breadth_um", "density_od", "spread_od", "contrast_od")
OUTLINE_COLUMNS: Final = ("line_od", "arc_od", "height_od", "bright_od", "level_od")

ARC_RAYS: Final = 16
THIN_LINE: Final = 2.0


def align_px(um_per_px: float) -> int:
    """Corners of tiles are multiples of this, so that coarser rasters fall on one grid."""
    return 8 * nucleus_scale(um_per_px)


def cells_in_tile(
    rgb: NDArray[np.uint8],
    um_per_px: float,
    stain: TileStain,
    settings: CellSettings,
    *,
    box: Box,
    own: Box,
) -> Measured:
    """Measure the cells of a tile whose nucleus has its centre in ``own``.

    Parameters
    ----------
    rgb : ndarray of shape (box.height, box.width, 3), uint8
    um_per_px : float
        Size of a pixel.
    stain : TileStain
    settings : CellSettings
    box, own : Box
        What ``rgb`` shows and which part of it this tile answers for, in working pixels of the
        slide; the corner of ``box`` is a multiple of :func:`align_px`.

    Returns
    -------
    Measured
        Independent of ``box`` as long as it reaches :data:`HALO_UM` beyond ``own``.
    """
    planes = stain_planes(rgb, um_per_px, stain)
    scale = planes.scale
    weak_od = settings.weak_od / stain.scale
    nuclei = find_nuclei(planes.blue, planes.brown, um_per_px * scale, stain.nucleus_od)
    nuclei = with_lattice_cells(nuclei, (planes.blue, planes.brown), um_per_px * scale, weak_od, stain.scale)
    centres = nuclei.centres((box.row // scale, box.col // scale)) * scale
    inside = _within(centres, own)
    names = np.flatnonzero(inside).astype(np.int32) + 1
    rasters = Rasters(
        brown=planes.sharp,
        nuclei=nuclei.labels,
        territory=_territory(nuclei.labels, settings.max_growth_um / (um_per_px * scale)),
        um_per_px=um_per_px,
        scale=scale,
    )
    local = nuclei.anchor * scale + np.rint((nuclei.shift + 0.5) * scale * 32) / 32
    rays = measure_rays(rasters, local[inside], names, settings.max_growth_um)
    return _measured(nuclei, centres, inside, rays, borders_of(rays, weak_od))


def _within(centres: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    low, high = (box.row, box.col), (box.row_stop, box.col_stop)
    return np.asarray(((centres >= low) & (centres < high)).all(axis=1))


def _best_arc(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Greatest mean over ``ARC_RAYS`` neighbouring rays, (cells,)."""
    closed = np.concatenate([values, values[:, : ARC_RAYS - 1]], axis=1)
    upto = np.cumsum(np.pad(closed, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    means = (upto[:, ARC_RAYS:] - upto[:, :-ARC_RAYS]) / ARC_RAYS
    return means.max(axis=1, initial=-1.0).astype(np.float32)


def _strength(rays: Rays) -> NDArray[np.float32]:
    """Upper quartile over the outline of the line's height, or of twice its response where that is more.

    The height is right for broad, dense lines; where neighbours crowd, their lines raise its flanks, and
    the response of a dense line, about half its height, is the better witness.
    """
    both = np.maximum(rays.height_od, THIN_LINE * rays.response_od)
    return np.percentile(both, 75, axis=1).astype(np.float32)


def _measured(
    nuclei: Nuclei, centres: NDArray[np.float64], inside: NDArray[np.bool_], rays: Rays, borders: Borders
) -> Measured:
    place = np.concatenate([[np.nan + 0j], centres[:, 0] + 1j * centres[:, 1]])
    return Measured(
        row=centres[inside, 0],
        col=centres[inside, 1],
        **{name: getattr(nuclei, name)[inside] for name in NUCLEUS_COLUMNS},
        line_od=np.percentile(rays.response_od, 75, axis=1).astype(np.float32),
        arc_od=_best_arc(rays.response_od),
        height_od=_strength(rays),
        bright_od=rays.bright_od,
        level_od=rays.level_od,
        borders=borders,
        far=place[borders.neighbour],
    )


def _territory(labels: NDArray[np.int32], reach_px: float) -> NDArray[np.int32]:
    """Nearest nucleus within reach of each pixel; 0 beyond."""
    import cv2

    empty = (labels == 0).astype(np.uint8)
    if empty.all():
        return np.zeros_like(labels)
    far, source = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of = np.zeros(int(source.max()) + 1, np.int32)
    on = labels != 0
    of[source[on]] = labels[on]
    owner = of[source]
    owner[far > reach_px] = 0
    return owner
