"""The classical estimate of the tumour area on H&E, tile by tile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.events import Progress, Steps
from napari_her2.geometry import Box
from napari_her2.threads import in_order
from napari_her2.tissue.ducts import FINE_UM, in_situ_probability
from napari_her2.tissue.focus import cell_means
from napari_her2.tissue.nests import HALO_UM, Measured, measure_nests, nest_probability, range_of
from napari_her2.tissue.raster import CLASSICAL, TumourRaster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.slides import Slide
    from napari_her2.tissue.mask import TissueMask
    from napari_her2.tissue.nests import Range

__all__ = ["tumour_region"]

_WORKING_UM_PER_PX: Final = 1.0
_NUCLEI_UM_PER_PX: Final = 1.5
_TILE_UM: Final = 1000.0
_SAMPLE_UM: Final = 200.0
_SAMPLES: Final = 40


def tumour_region(he: Slide, tissue: TissueMask, *, threads: int | None = 1) -> Steps[TumourRaster]:
    """Estimate the tumour area of an H&E slide from the amount and texture of haematoxylin.

    Parameters
    ----------
    he : Slide
        At 1 µm/px or finer; up to 4 µm/px it still works, but lymphocytes are no longer told apart.
    tissue : TissueMask
        Of that slide; only usable tissue of patient pieces is looked at.
    threads : int, optional
        That share the work; all cores where None. The estimate does not depend on it.

    Yields
    ------
    Progress

    Returns
    -------
    TumourRaster
        On the raster of ``tissue``; ``method`` is ``classical-nuclear-density``.
    """
    step, wanted = round(tissue.level0_px), tissue.counted
    um = max(_WORKING_UM_PER_PX, he.um_per_px)
    scale = range_of(_samples(he, wanted, step, um), he.white)
    tiles = [t for t in _tiles(wanted.shape, tissue.um_per_px) if wanted[t.slices].any()]
    fine = max(round(tissue.um_per_px / FINE_UM), 1)
    measured = Measured.empty(wanted.shape)
    amount = np.zeros((wanted.shape[0] * fine, wanted.shape[1] * fine), np.float16)
    parts = in_order(lambda tile: _measured(he, tile, step, fine, (um, scale)), tiles, threads)
    for done, (tile, part) in enumerate(zip(tiles, parts, strict=True), start=1):
        measured.put(tile.slices, part[0])
        amount[_scaled(tile, fine).slices] = part[1]
        yield Progress("tumour", done, len(tiles))
    single = um <= _NUCLEI_UM_PER_PX
    probability = nest_probability(measured, tissue.um_per_px, lymphoid=single) * wanted
    return TumourRaster(
        probability=probability,
        um_per_px=tissue.um_per_px,
        slide_um_per_px=tissue.slide_um_per_px,
        method=CLASSICAL,
        in_situ=_in_situ(amount, tissue.um_per_px / fine, wanted, threads) if single else None,
    )


def _in_situ(
    amount: NDArray[np.float16], um: float, wanted: NDArray[np.bool_], threads: int | None
) -> NDArray[np.float32]:
    """Round nests; a fine raster is first made as coarse as a duct's wall needs."""
    import cv2

    factor = max(int(FINE_UM / um), 1)
    size = (-(-amount.shape[1] // factor), -(-amount.shape[0] // factor))
    coarse = (
        amount if factor == 1 else cv2.resize(amount.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    )
    raster_px, coarse_um = wanted.shape[0] / coarse.shape[0], um * amount.shape[0] / coarse.shape[0]
    return in_situ_probability(coarse, coarse_um, wanted.shape, raster_px, threads) * wanted


def _scaled(tile: Box, factor: int) -> Box:
    return Box(tile.row * factor, tile.col * factor, tile.height * factor, tile.width * factor)


def _tiles(shape: tuple[int, ...], raster_um: float) -> Iterator[Box]:
    return Box.of_shape(shape).tiles(max(round(_TILE_UM / raster_um), 1))


def _measured(
    he: Slide, tile: Box, step: int, fine: int, how: tuple[float, Range]
) -> tuple[Measured, NDArray[np.floating[Any]]]:
    """One tile (and its fine amount), read with a margin of raster pixels that is cut off again."""
    um, scale = how
    margin = max(math.ceil(HALO_UM / (step * he.um_per_px)), 1)
    wide = tile.padded(margin)
    rgb = he.read_at(_scaled(wide, step), um)
    full = measure_nests(rgb, um, scale, (wide.height * fine, wide.width * fine))
    amount = full.fine_amount(step * he.um_per_px / fine)
    rough = full.reduced(fine)
    inner, cut = (slice(margin * k, -margin * k) for k in (1, fine))
    at = inner, inner
    return Measured(rough.weight[at], rough.amount[at], rough.dark[at], rough.grain[at]), amount[cut, cut]


def _samples(he: Slide, wanted: NDArray[np.bool_], step: int, um: float) -> NDArray[np.uint8]:
    """Blocks of tissue spread evenly over the slide."""
    side = max(round(_SAMPLE_UM / (step * he.um_per_px)), 1)
    filled = cell_means(wanted.astype(np.float32), side)
    places = np.argwhere(filled >= min(0.5, float(filled.max())))
    chosen = places[np.linspace(0, len(places) - 1, min(len(places), _SAMPLES)).astype(int)]
    block = side * step
    return np.stack([he.read_at(Box(r * block, c * block, block, block), um) for r, c in chosen.tolist()])
