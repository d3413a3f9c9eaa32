"""Writers of napari's Save dialog: labels as OME-TIFF or OME-Zarr, shapes and points as GeoJSON or CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["write_labels", "write_points", "write_shapes"]

MICROMETRES: Final = frozenset({"micrometer", "micrometre", "um", "µm"})
CLOSED: Final = ("polygon", "rectangle", "ellipse")


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a layer of labels as a pyramid with names and colours of the HER2 classes.

    Parameters
    ----------
    path : str
        ``*.tif``, ``*.tiff`` or ``*.zarr``.
    data : array or list of arrays
        Two-dimensional, values 0 to 255.
    meta : dict
        The layer's attributes; its scale must be in µm.

    Raises
    ------
    UsageError
        If it is not such a layer.
    """
    from napari_her2.exchange import write_label_tiff, write_label_zarr
    from napari_her2.exchange.classes import RASTER_CLASSES
    from napari_her2.store import read_multiscale, write_multiscale

    name, um_per_px = str(meta.get("name", "labels")), _um_per_px_of_labels(meta)
    finest = np.asarray(data[0] if isinstance(data, list | tuple) else data)
    if finest.ndim != 2 or (finest.size and (finest.min() < 0 or finest.max() > 255)):
        raise UsageError(f"{name} is no layer of classes: it needs two dimensions and values 0 to 255")
    with TemporaryDirectory() as folder:
        pyramid = Path(folder) / "labels.zarr"
        write_multiscale(pyramid, finest.astype(np.uint8), um_per_px=um_per_px, labels=RASTER_CLASSES)
        raster = read_multiscale(pyramid)
        if path.lower().endswith(".zarr"):
            write_label_zarr(Path(path), raster)
        else:
            write_label_tiff(Path(path), raster.levels, um_per_px=um_per_px, name=name)
    return [path]


def write_shapes(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write closed shapes as GeoJSON in QuPath's dialect, in level-0 pixels of the slide.

    Raises
    ------
    UsageError
        If nothing is enclosed, or it is not known how large the slide's pixels are.
    """
    from napari_her2._napari.roi import ellipse_ring
    from napari_her2.exchange import Area, write_areas

    kinds = meta.get("shape_type", ["polygon"] * len(data))
    kinds = [kinds] * len(data) if isinstance(kinds, str) else kinds
    names = _column(meta, "class", len(data), "")
    areas = []
    for shape, kind, name in zip(data, kinds, names, strict=True):
        if str(kind) in CLOSED:
            corners = np.asarray(shape, np.float64)[:, -2:]
            corners = ellipse_ring(corners) if str(kind) == "ellipse" else corners
            areas.append(Area(outline=_level0(corners, meta), name=str(name)))
    if not areas:
        raise UsageError(f"{meta.get('name', 'the layer')} holds no closed shape: draw a polygon")
    write_areas(Path(path), areas)
    return [path]


def write_points(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write points as CSV (``x,y`` and the layer's features), in level-0 pixels of the slide.

    Raises
    ------
    UsageError
        If it is not known how large the slide's pixels are.
    """
    from napari_her2.exchange import write_csv

    places = _level0(np.asarray(data, np.float64).reshape(len(data), -1)[:, -2:], meta)
    features: Any = meta.get("features")
    columns: dict[str, Any] = {"x": places[:, 1], "y": places[:, 0]}
    for name in () if features is None else list(features):
        if name not in columns:
            columns[str(name)] = np.asarray(features[name])
    write_csv(Path(path), columns)
    return [path]


def _column(meta: Mapping[str, Any], name: str, n: int, default: str) -> Sequence[Any]:
    features: Any = meta.get("features")
    return [default] * n if features is None or name not in features else list(features[name])


def _in_um(meta: Mapping[str, Any]) -> bool:
    return any(str(unit) in MICROMETRES for unit in meta.get("units") or ())


def _um_per_px_of_labels(meta: Mapping[str, Any]) -> float:
    if not _in_um(meta):
        raise UsageError(f"{meta.get('name', 'the layer')} has no scale in µm: open it on a slide, or set it")
    return float(np.asarray(meta["scale"], np.float64)[-1])


def _level0(points: NDArray[np.float64], meta: Mapping[str, Any]) -> NDArray[np.float64]:
    """From the layer's data to level-0 pixels (row, col), corner-based."""
    _refuse_turned(meta)
    scale = np.asarray(meta.get("scale", (1.0, 1.0)), np.float64)[-2:]
    shift = np.asarray(meta.get("translate", (0.0, 0.0)), np.float64)[-2:]
    world = points * scale + shift
    if not _in_um(meta):
        return world + 0.5  # napari's pixels have their centres on whole numbers
    return world / _um_per_px(meta)


def _um_per_px(meta: Mapping[str, Any]) -> float:
    """Pixel size of the slide the layer lies on: stated by the layer, or by the one slide that is open."""
    own = (meta.get("metadata") or {}).get("napari_her2") or {}
    if own.get("um_per_px"):
        return float(own["um_per_px"])
    found = set(_open_slides())
    if len(found) != 1:
        raise UsageError(
            "it is not known on which slide the layer was drawn: open that slide alone, or save the case and "
            "use `export CASE --to geojson`"
        )
    return found.pop()


def _open_slides() -> list[float]:
    if "napari" not in sys.modules:
        return []
    import napari

    viewer = napari.current_viewer()
    about = [layer.metadata.get("napari_her2") or {} for layer in viewer.layers] if viewer else []
    return [float(facts["um_per_px"]) for facts in about if facts.get("um_per_px")]


def _refuse_turned(meta: Mapping[str, Any]) -> None:
    affine = np.asarray(meta.get("affine", np.eye(3)), np.float64)
    rotate = np.asarray(meta.get("rotate", np.eye(2)), np.float64)
    shear = np.asarray(meta.get("shear", 0.0), np.float64)
    turned = not np.allclose(affine, np.eye(len(affine))) if affine.ndim == 2 else False
    turned |= rotate.ndim == 2 and not np.allclose(rotate, np.eye(len(rotate)))
    if turned or np.any(shear):
        raise UsageError(
            f"{meta.get('name', 'the layer')} is shown turned or warped: save it as it lies on its own slide"
        )
