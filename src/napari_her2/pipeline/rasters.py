"""What is seen on the slides: HER2 classes of cell territories, tumour probability, mapping error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.store import MultiscaleWriter, write_multiscale
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping
    from napari_her2.pipeline.gate import Gate
    from napari_her2.slides import Slide

__all__ = ["write_her2", "write_mapping_error", "write_tumour"]

HER2_UM_PER_PX: Final = 1.0
REACH_UM: Final = 10.0
TILE_PX: Final = 1024
ERROR_UM_PER_PX: Final = 32.0

LABELS: Final[dict[int, tuple[str, str]]] = {
    **{RASTER_LABELS[name]: (name, COLOURS[name]) for name in ("0", "1+", "2+", "3+")},
    RASTER_LABELS["unusual"]: ("unusual", COLOURS["unusual"]),
    RASTER_LABELS["unsure"]: ("unsure or excluded", "#80808080"),
}


def write_her2(path: Path, slide: Slide, cells: CellTable) -> dict[str, float]:
    """Write the class of each tumour cell over its territory: what is nearest to it, up to 10 µm away.

    Returns
    -------
    dict
        Area in mm² of the evaluable cells of each class.
    """
    um = max(HER2_UM_PER_PX, slide.um_per_px)
    scale = um / slide.um_per_px
    shape = (int(np.ceil(slide.shape[0] / scale)), int(np.ceil(slide.shape[1] / scale)))
    places = np.floor(cells.points_px / scale).astype(np.int64)
    values = _values(cells)
    pixels = np.zeros(256, np.int64)
    with MultiscaleWriter(path, shape, um_per_px=um, labels=LABELS, attributes={"slide": "ihc"}) as raster:
        for tile in Box.of_shape(shape).tiles(TILE_PX):
            block = territories(places, values, tile, REACH_UM / um)
            raster.write(tile.row, tile.col, block)
            pixels += np.bincount(block.ravel(), minlength=256)
    return {name: float(pixels[RASTER_LABELS[name]]) * um**2 / 1e6 for name in CELL_CLASSES}


def _values(cells: CellTable) -> NDArray[np.uint8]:
    """Raster value of each cell: its class where it counts, 255 where it does not, 0 outside the tumour."""
    of_class = np.array([RASTER_LABELS[name] for name in CELL_CLASSES], np.uint8)
    excluded = np.uint8(RASTER_LABELS["unsure"])
    inside = np.where(cells.evaluable, of_class[cells.class_code], excluded)
    return np.where(cells.in_tumour, inside, 0).astype(np.uint8)


def territories(
    places: NDArray[np.int64], values: NDArray[np.uint8], tile: Box, reach_px: float
) -> NDArray[np.uint8]:
    """Value of the nearest place within reach of each pixel of a tile; places are sorted by row.

    Parameters
    ----------
    places : int64 ndarray of shape (n, 2)
        (row, col) raster pixels.
    values : uint8 ndarray of shape (n,)
    tile : Box
        Raster pixels.
    reach_px : float
    """
    import cv2

    halo = int(np.ceil(reach_px)) + 1
    wide = tile.padded(halo)
    first, last = np.searchsorted(places[:, 0], [wide.row, wide.row_stop])
    near = np.arange(first, last)
    near = near[(places[near, 1] >= wide.col) & (places[near, 1] < wide.col_stop)]
    block = np.zeros((wide.height, wide.width), np.uint8)
    if not len(near):
        return block[halo:-halo, halo:-halo]
    row, col = (places[near] - (wide.row, wide.col)).T
    free = np.ones(block.shape, np.uint8)
    free[row, col] = 0
    far, source = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_source = np.zeros(int(source.max()) + 1, np.uint8)
    of_source[source[row, col]] = values[near]
    block = np.where(far <= reach_px, of_source[source], np.uint8(0))
    return np.ascontiguousarray(block[halo:-halo, halo:-halo])


def write_tumour(path: Path, gate: Gate) -> None:
    """Write the probability of tumour on the H&E; without H&E, where cells may count on the IHC.

    It is the program's word: what people painted over it lies in their own masks.
    """
    tumour = gate.tumour if gate.found is None else gate.found
    if tumour is not None:
        facts = {"slide": "he", "method": tumour.method, "threshold": tumour.threshold}
        write_multiscale(path, tumour.probability, um_per_px=tumour.um_per_px, attributes=facts)
        return
    tissue = gate.tissue
    shown = tissue.counted.astype(np.float32)
    facts = {"slide": "ihc", "method": "tissue", "threshold": 0.5}
    if gate.roi is not None:
        centres = (np.argwhere(shown > 0) + 0.5) * tissue.level0_px
        shown[shown > 0] = gate.roi.inside(centres)
        facts["method"] = "person"
    write_multiscale(path, shown, um_per_px=tissue.um_per_px, attributes=facts)


def write_mapping_error(path: Path, mapping: SlideMapping) -> None:
    """Write the local error (µm, p90) of the mapping over the IHC."""
    step = ERROR_UM_PER_PX / mapping.ihc.um_per_px
    rows, cols = (max(int(np.ceil(n / step)), 1) for n in mapping.ihc.shape)
    centres = (np.argwhere(np.ones((rows, cols), bool)) + 0.5) * step
    error = mapping.error_um(centres, "ihc").reshape(rows, cols).astype(np.float32)
    write_multiscale(
        path, error, um_per_px=ERROR_UM_PER_PX, attributes={"slide": "ihc", "unit": "micrometer"}
    )
