"""What can lie over the slides, in which order, and how a class or a threshold is shown or hidden at once.

Rasters of classes are images whose colours are a table: to hide a class is to change one colour, no pixel is
read again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari import layers as data
from napari_her2._napari.sources import ArraySource
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2.store import Multiscale

    Makers = dict[str, Callable[[], data.LayerData]]

__all__ = [
    "MAPS",
    "NAMES",
    "OVERLAYS",
    "class_table",
    "heat_table",
    "outline_overlays",
    "overlays",
]

OVERLAYS: Final = (
    "error", "heat", "her2", "pixels", "disagreement", "density", "outline_he", "outline", "cells",
)  # fmt: skip
"""Keys, from the lowest to the highest."""

MAPS: Final = OVERLAYS[:5]
"""Those that cover an area, whose opacity is set together."""

NAMES: Final = {
    "error": "alignment error",
    "heat": data.HEAT,
    "her2": "HER2 class map",
    "pixels": "MaskFormer classes",
    "disagreement": "disagreement",
    "outline": data.OUTLINE,
    "cells": data.CELLS,
}

UNSURE: Final = RASTER_LABELS["unsure"]
CLEAR: Final = (0.0, 0.0, 0.0, 0.0)
GREY: Final = (0.5, 0.5, 0.5, 0.5)
LEVELS: Final = 256


def overlays(view: CaseView, make_pyramid: Callable[[Any], TilePyramid]) -> Makers:
    """Return what makes each overlay of a case; all but the cells are hidden at first."""
    found: Makers = {"cells": lambda: data.cells_layer(view.cells)}
    if view.tumour is not None:
        found["heat"] = partial(_heat, view.tumour, make_pyramid)
    for key, name in (("her2", "her2"), ("pixels", "segmentation")):
        if name in view.rasters:
            found[key] = partial(_classes, NAMES[key], view.rasters[name], make_pyramid)
    if "mapping_error" in view.rasters:
        found["error"] = partial(_error, view.rasters["mapping_error"], make_pyramid)
    if view.disagreement is not None:
        found["disagreement"] = partial(_disagreement, *view.disagreement)
    return found


def outline_overlays(outlines: Mapping[str, tuple[NDArray[np.float64], ...]]) -> Makers:
    """Return what makes the outline of the tumour area on each slide."""
    keys = (("outline_he", "he"), ("outline", "ihc"))
    return {
        key: partial(data.outline_layer, outlines[role], role) for key, role in keys if outlines.get(role)
    }


def _heat(raster: Multiscale, make_pyramid: Callable[[Any], TilePyramid]) -> data.LayerData:
    return data.heat_layer(make_pyramid(ArraySource(raster.levels)), raster.um_per_px, visible=False)


def _classes(name: str, raster: Multiscale, make_pyramid: Callable[[Any], TilePyramid]) -> data.LayerData:
    pyramid = make_pyramid(ArraySource(raster.levels))
    return _image(name, pyramid.data, raster.um_per_px, colormap=class_table(), contrast_limits=(0, 255))


def _error(raster: Multiscale, make_pyramid: Callable[[Any], TilePyramid]) -> data.LayerData:
    pyramid = make_pyramid(ArraySource(raster.levels))
    return _image(
        NAMES["error"], pyramid.data, raster.um_per_px, colormap="cividis", contrast_limits=(0.0, 100.0)
    )


def _disagreement(raster: NDArray[np.uint8], um_per_px: float) -> data.LayerData:
    """Return the steps between two scorers: clear where they agree, then ever stronger."""
    return _image(
        NAMES["disagreement"], raster, um_per_px, colormap=steps_table(), contrast_limits=(0, LEVELS - 1)
    )


def _image(name: str, pixels: Any, um_per_px: float, **more: Any) -> data.LayerData:
    meta: dict[str, Any] = {
        "name": name,
        "multiscale": isinstance(pixels, list),
        "cache": False,
        "interpolation2d": "nearest",
        "opacity": 0.6,
        "blending": "translucent_no_depth",
        "visible": False,
        **data.placement(um_per_px),
        **more,
    }
    return pixels, meta, "image"


def class_table(shown: Iterable[str] = CELL_CLASSES) -> Any:
    """Return the colours of a raster of HER2 classes; classes that are not ``shown`` are clear.

    The table has a step for each value of a byte, so that the picture shows exactly what the raster holds.
    """
    colours = np.tile(CLEAR, (LEVELS, 1))
    for name in shown:
        colours[RASTER_LABELS[name]] = data.rgba(COLOURS[name])
    colours[UNSURE] = GREY
    return stepped("HER2 classes", colours)


def steps_table() -> Any:
    """Return the colours of a difference of 0 to 3 classes."""
    colours = np.tile(CLEAR, (LEVELS, 1))
    for step, alpha in ((1, 0.35), (2, 0.7), (3, 1.0)):
        colours[step] = (*data.rgba("#E7298A")[:3], alpha)
    return stepped("classes apart", colours)


def heat_table(least: float) -> Any:
    """Return the colours of the tumour heat map: clear below a probability, then ever stronger."""
    colours = np.tile(data.rgba(COLOURS["tumour"]), (LEVELS, 1))
    values = np.linspace(0.0, 1.0, LEVELS)
    colours[:, 3] = np.where(values >= least, values, 0.0)
    return stepped("tumour", colours)


def stepped(name: str, colours: NDArray[np.float64]) -> Any:
    """Return a napari colormap of one flat colour for each of its equal steps."""
    from napari.utils.colormaps import Colormap

    controls = np.linspace(0.0, 1.0, len(colours) + 1)
    return Colormap(colours, name=name, controls=controls, interpolation="zero")
