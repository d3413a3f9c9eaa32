"""What a TIFF says of its pixel size, its objective and the program that wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_her2.slides.resolution import from_ome_pixels, from_resolution_tags, plausible, um_in

if TYPE_CHECKING:
    import tifffile

__all__ = ["Notes", "notes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the metadata state; ``um_per_px`` is (rows, cols), None where they are silent."""

    um_per_px: tuple[float, float] | None
    objective: float | None = None
    vendor: str | None = None


def notes_of(tiff: tifffile.TiffFile, series: int) -> Notes:
    """Read the metadata in the dialect of the file: Aperio, OME, ImageJ, or plain tags.

    Parameters
    ----------
    tiff : TiffFile
        Open.
    series : int
        The series whose pixels form the slide.
    """
    if tiff.is_svs:
        return _aperio(tiff.series[series].keyframe.description)
    if tiff.is_ome and tiff.ome_metadata:
        return _ome(tiff.ome_metadata, series)
    cols, rows = (float(value) for value in tiff.series[series].keyframe.resolution)
    if tiff.is_imagej:
        unit_um = um_in((tiff.imagej_metadata or {}).get("unit"))
        known = unit_um is not None and rows > 0 and cols > 0
        return Notes(um_per_px=plausible(unit_um / rows, unit_um / cols) if known and unit_um else None)
    unit = int(tiff.series[series].keyframe.resolutionunit)
    return Notes(um_per_px=from_resolution_tags(rows, cols, unit))


def _aperio(description: str) -> Notes:
    """Read ``... |AppMag = 20|MPP = 0.4990|...``."""
    values = dict(re.findall(r"\|\s*(MPP|AppMag)\s*=\s*([0-9.]+)", description))
    mpp, objective = (_number(values.get(key)) for key in ("MPP", "AppMag"))
    return Notes(um_per_px=None if mpp is None else plausible(mpp, mpp), objective=objective, vendor="aperio")


def _ome(xml: str, series: int) -> Notes:
    import tifffile

    root = _first(tifffile.xml2dict(xml).get("OME"))
    images = root.get("Image", [])
    images = images if isinstance(images, list) else [images]
    pixels = _first(images[series].get("Pixels")) if series < len(images) else {}
    objective = _first(_first(root.get("Instrument")).get("Objective"))
    return Notes(um_per_px=from_ome_pixels(pixels), objective=_number(objective.get("NominalMagnification")))


def _first(node: Any) -> dict[str, Any]:
    """First of repeated XML elements; empty where there is none."""
    node = node[0] if isinstance(node, list) and node else node
    return node if isinstance(node, dict) else {}


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
