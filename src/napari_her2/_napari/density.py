"""Cells from afar: how many there are, and of which class; near by they are points. No Qt.

From afar a cell is smaller than a pixel, and a million points say less than their density.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari import layers as data
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_her2._napari.case_view import CellsView
    from napari_her2._napari.cell_index import CellIndex

__all__ = ["NEAR", "cells_of", "density_layer", "painted"]

NEAR: Final = 0.2
"""Screen pixels per µm from which on cells are points: at twice magnification a cell is two pixels wide."""
STRONGEST: Final = 0.9
FULL_AT: Final = 98.0
"""Percentile of the squares with cells that is painted at full strength."""


def painted(counts: NDArray[np.float32], codes: Iterable[int]) -> NDArray[np.uint8]:
    """Return densities (rows, cols, classes) as a picture (rows, cols, 4).

    The colour is the mean of the classes' colours, the strength grows with the square root of the number:
    a square with a quarter of the cells is half as strong.
    """
    shown = np.zeros(len(CELL_CLASSES), np.float32)
    shown[list(codes)] = 1.0
    colours = np.array([data.rgba(COLOURS[name])[:3] for name in CELL_CLASSES], np.float32)
    total = counts @ shown
    full = np.percentile(total[total > 0], FULL_AT) if (total > 0).any() else 1.0
    picture = np.zeros((*total.shape, 4), np.float32)
    picture[..., :3] = (counts * shown) @ colours / np.maximum(total, 1.0)[..., None]
    picture[..., 3] = STRONGEST * np.sqrt(np.minimum(total / full, 1.0))
    return np.rint(255 * picture).astype(np.uint8)


def density_layer(counts: NDArray[np.float32], um: float) -> data.LayerData:
    """Return the layer of densities; it keeps the counts, so that classes can be hidden at once."""
    meta: dict[str, Any] = {
        "name": "cells, density",
        "rgb": True,
        "opacity": 0.85,
        "blending": "translucent_no_depth",
        "interpolation2d": "linear",
        "visible": False,
        "metadata": {"counts": counts},
        **data.placement(um),
    }
    return painted(counts, range(len(CELL_CLASSES))), meta, "image"


def cells_of(index: CellIndex, low: Any, high: Any, limit: int) -> CellsView:
    """Return the cells in a box as they are drawn: all of them, or of more than ``limit`` an even sample."""
    from napari_her2._napari.case_view import CellsView, features_of

    chosen = index.within(low, high)
    total = len(chosen)
    chosen = chosen[:: max(1, -(-total // limit))]
    return CellsView(
        points_um=index.points_um[chosen],
        class_code=index.table.class_code[chosen],
        features=features_of(index.table, chosen),
        total=total,
    )
