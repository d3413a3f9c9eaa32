"""Values → napari layer data: the only place that knows how napari wants them.

The world is µm from the slide's top left corner. napari counts from the centre of the first pixel, so
each image is shifted by half its pixel (contracts.md §1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._napari.roi import AREA_CLASSES
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_her2._napari.case_view import CellsView
    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.roi import Ring

__all__ = [
    "CELLS",
    "OUTLINE",
    "ROLE_NAMES",
    "TUMOUR",
    "LayerData",
    "carried_layer",
    "cells_layer",
    "class_colours",
    "drawing_layer",
    "fit_lines",
    "heat_colours",
    "heat_layer",
    "outline_layer",
    "pyramid_of",
    "rgba",
    "set_area_class",
    "slide_layer",
    "warm_up",
]

LayerData = tuple[Any, dict[str, Any], str]

TUMOUR = "tumour"
"""Name of the Shapes layer in which a person draws the tumour area."""

ROLE_NAMES = {"he": "H&E", "ihc": "IHC"}

CELLS = "cells"
OUTLINE = "tumour area"
CARRIED = "tumour, carried"
HEAT = "tumour heat map"
CELL_UM = 6.0
"""Drawn size of a cell: the nucleus is covered, the membrane is not."""

LEAST_LINE_UM, LINE_PER_EXTENT = 1.0, 0.003
"""Lines are at least this wide, and wide enough to be seen when the whole area is in view."""
LINE_PX, LINE_SLACK = 2.0, 1.3
"""On the screen, once the view is at rest; widths that are off by less stay."""


_UM: dict[str, Any] = {"units": ("um", "um"), "axis_labels": ("y", "x")}


def slide_layer(pyramid: TilePyramid, name: str, um_per_px: float | None, **more: Any) -> LayerData:
    """Return a slide as a multiscale image; in pixels where no pixel size is known."""
    meta: dict[str, Any] = {
        "name": name,
        "multiscale": True,
        "rgb": True,
        "cache": False,
        "interpolation2d": "linear",
        **placement(um_per_px),
        **more,
    }
    return pyramid.data, meta, "image"


def placement(um_per_px: float | None) -> dict[str, Any]:
    """Return scale, shift, units and names of the axes for an image of that pixel size."""
    if um_per_px is None:
        return {
            "scale": (1.0, 1.0),
            "translate": (0.5, 0.5),
            "units": ("pixel", "pixel"),
            "axis_labels": ("y", "x"),
        }
    return {"scale": (um_per_px, um_per_px), "translate": (um_per_px / 2, um_per_px / 2), **_UM}


def pyramid_of(layer: Any) -> TilePyramid | None:
    """Return the pyramid behind a layer, or None where it shows something else."""
    first = layer.data[0] if getattr(layer, "multiscale", False) else None
    return getattr(first, "pyramid", None)


def heat_layer(pyramid: TilePyramid, um_per_px: float, **more: Any) -> LayerData:
    """Return the tumour probability as a heat map: clear where there is none."""
    meta: dict[str, Any] = {
        "name": HEAT,
        "multiscale": True,
        "cache": False,
        "colormap": heat_colours(),
        "contrast_limits": (0, 255) if pyramid.source.dtype.kind in "iu" else (0.0, 1.0),
        "interpolation2d": "linear",
        "opacity": 0.5,
        "blending": "translucent_no_depth",
        **placement(um_per_px),
        **more,
    }
    return pyramid.data, meta, "image"


def heat_colours() -> dict[str, Any]:
    """Clear to full in the tumour's green: one hue, so that nothing is mistaken for a HER2 class."""
    red, green, blue, _ = rgba(COLOURS["tumour"])
    return {"name": "tumour", "colors": [[red, green, blue, 0.0], [red, green, blue, 1.0]]}


def class_colours(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the colour (n, 4) of each cell class."""
    table = np.array([rgba(COLOURS[name]) for name in CELL_CLASSES], np.float32)
    return table[codes]


def rgba(colour: str) -> tuple[float, float, float, float]:
    """Return a ``#rrggbb`` colour as napari wants it."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, 1.0


def cells_layer(cells: CellsView, **more: Any) -> LayerData:
    """Return the cells that count, as points in µm coloured by class."""
    colours = class_colours(cells.class_code)
    meta: dict[str, Any] = {
        "name": CELLS,
        "features": cells.features,
        "size": CELL_UM,
        "face_color": colours,
        "border_color": colours,
        "border_width": 0.0,
        "opacity": 0.75,
        "symbol": "disc",
        "canvas_size_limits": (2, 40),
        "metadata": {"class_code": cells.class_code},
        **_UM,
        **more,
    }
    return cells.points_um, meta, "points"


def outline_layer(rings_um: Sequence[NDArray[np.float64]], role: str, **more: Any) -> LayerData:
    """Return the outline of the tumour area that was scored, in µm of one slide.

    Closed paths instead of polygons: nothing is filled, so nothing has to be triangulated.
    """
    closed = [np.vstack([ring, ring[:1]]) for ring in rings_um]
    meta = _shapes(f"{OUTLINE}, {ROLE_NAMES[role]}", "transparent", **more)
    width = line_um(float(np.ptp(np.vstack(closed), axis=0).max()))
    return closed, {**meta, "shape_type": "path", "edge_width": width}, "shapes"


def line_um(extent_um: float) -> float:
    """Return how wide a line must be to be seen when that extent is in view."""
    return max(LEAST_LINE_UM, LINE_PER_EXTENT * extent_um)


def fit_lines(layers: Iterable[Any], zoom: float) -> None:
    """Draw the lines of layers of shapes equally wide on the screen at any zoom (screen pixels per µm).

    napari's lines have a width in the layer's own unit: made for the whole slide they hide cells at 20 times,
    made for cells they cannot be seen on the whole slide.
    """
    wanted = LINE_PX / zoom
    for layer in layers:
        if not hasattr(layer, "shape_type"):
            continue
        widths = [*layer.edge_width, layer.current_edge_width]
        if max(max(widths) / wanted, wanted / max(min(widths), 1e-9)) > LINE_SLACK:
            layer.edge_width = wanted
            layer.current_edge_width = wanted
            layer.refresh()


def drawing_layer(rings_um: Sequence[NDArray[np.float64]] = ()) -> LayerData:
    """Return the layer in which a person draws the tumour area.

    The feature ``class`` says what an area is: invasive tumour counts, in situ and necrosis are taken out.
    """
    meta = _shapes(TUMOUR, "#1B783722", ndim=2)
    classes = np.array([AREA_CLASSES[0]] * len(rings_um), object)
    return list(rings_um) or None, {**meta, "features": {"class": classes}}, "shapes"


AREA_COLOURS = dict(zip(AREA_CLASSES, (COLOURS["tumour"], "#E08214", "#4D4D4D"), strict=True))
"""Invasive green, in situ orange, necrosis grey: apart for colour-blind readers, too, by their lightness."""


def set_area_class(layer: Any, name: str) -> None:
    """Let shapes that are drawn from now on be of a class."""
    layer.selected_data = set()
    if "class" not in layer.features:  # made by the person
        layer.features = {"class": np.array([AREA_CLASSES[0]] * len(layer.data), object)}
    layer.feature_defaults = {"class": [name]}
    layer.current_edge_color = AREA_COLOURS[name]
    layer.current_face_color = f"{AREA_COLOURS[name]}22"


def carried_layer(rings_um: Sequence[NDArray[np.float64]], rings: Sequence[Ring]) -> LayerData:
    """Return what was drawn on one slide as it lies on the other; in its µm."""
    closed = [np.vstack([ring, ring[:1]]) for ring in rings_um]
    meta = {
        **_shapes(CARRIED, "transparent"),
        "shape_type": "path",
        "edge_color": [AREA_COLOURS[ring.name] for ring in rings],
        "opacity": 0.7,
    }
    return closed, meta, "shapes"


def warm_up() -> None:
    """Let napari import what its first overlays need (pandas, pint, numba), on the calling thread.

    That takes seconds; paid for in the background, the window does not stop for it.
    """
    from napari.layers import Layer

    corner = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
    cells = {"class": np.array(["0"]), "completeness": np.zeros(1)}
    for entry in (
        outline_layer([corner], "ihc"),
        drawing_layer([corner]),
        (
            np.zeros((1, 2)),
            {"features": cells, "face_color": class_colours(np.zeros(1, np.uint8)), **_UM},
            "points",
        ),
    ):
        Layer.create(*entry)


def _shapes(name: str, face: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "shape_type": "polygon",
        "edge_color": COLOURS["tumour"],
        "face_color": face,
        "opacity": 0.9,
        **_UM,
        **more,
    }
