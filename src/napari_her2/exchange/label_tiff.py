"""Label rasters as pyramidal OME-TIFF: one 8-bit plane, halved levels, names and colours of the values."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.classes import RASTER_CLASSES
from napari_her2.geometry import Box
from napari_her2.store import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LabelRaster", "read_label_tiff", "write_label_tiff"]

TILE_PX: Final = 512
NAMESPACE: Final = "napari-her2/labels/1"
_ORIGIN: Final = uuid.UUID("6f2a6d5e-3a0c-5d0b-9f0e-2b8c5a1d7e44")
_BIG: Final = 2**31


@dataclass(frozen=True, slots=True, eq=False)
class LabelRaster:
    """A raster of class values.

    Attributes
    ----------
    labels : uint8 ndarray of shape (rows, cols)
        Values of ``vocabulary.RASTER_LABELS`` unless ``names`` says otherwise.
    um_per_px : float or None
        None where the file does not say.
    names : mapping of value to name
        Empty where the file does not say.
    slide : {"he", "ihc"} or None
    """

    labels: NDArray[np.uint8]
    um_per_px: float | None
    names: Mapping[int, str]
    slide: str | None = None


def write_label_tiff(
    path: Path,
    levels: Sequence[Any],
    *,
    um_per_px: float,
    name: str = "labels",
    classes: Mapping[int, tuple[str, str]] = RASTER_CLASSES,
    slide: str | None = None,
) -> None:
    """Write a pyramid of labels; one tile is in memory at a time.

    Parameters
    ----------
    path : Path
        By custom ``*.ome.tif``.
    levels : sequence of arrays of shape (rows, cols), uint8
        From fine to coarse, sliced lazily (zarr or numpy).
    um_per_px : float
        Of the finest level; its corner is the slide's corner.
    name : str
        Of the image and its channel.
    classes : mapping of value to (name, colour)
    slide : {"he", "ihc"}, optional
        Whose field it covers.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import tifffile

    big = sum(int(np.prod(level.shape)) for level in levels) > _BIG
    facts = _metadata(name, um_per_px, classes, slide)
    with replacing(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=big, ome=True) as tif:
        for k, level in enumerate(levels):
            tif.write(
                _tiles(level),
                shape=tuple(map(int, level.shape)),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                compression="zlib",
                predictor=False,
                photometric="minisblack",
                software="napari-her2",
                resolution=(1e4 / (um_per_px * 2**k), 1e4 / (um_per_px * 2**k)),
                resolutionunit="CENTIMETER",
                **({"subifds": len(levels) - 1, "metadata": facts} if k == 0 else {"subfiletype": 1}),
            )


def _metadata(
    name: str, um_per_px: float, classes: Mapping[int, tuple[str, str]], slide: str | None
) -> dict[str, Any]:
    words = {str(value): f"{label} {colour}" for value, (label, colour) in sorted(classes.items())}
    on = {"slide": slide} if slide else {}
    return {
        "axes": "YX",
        # Not the library's default, which holds the machine's address.
        "UUID": str(uuid.uuid5(_ORIGIN, name)),
        "Name": name,
        "PhysicalSizeX": um_per_px,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": um_per_px,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": name},
        "MapAnnotation": {"Namespace": NAMESPACE, **words, **on},
    }


def _tiles(level: Any) -> Iterator[NDArray[np.uint8]]:
    """Read tiles in the order of the file, padded to full size."""
    for box in Box.of_shape(level.shape).tiles(TILE_PX):
        block = np.asarray(level[box.slices], np.uint8)
        if block.shape != (TILE_PX, TILE_PX):
            block = np.pad(block, ((0, TILE_PX - block.shape[0]), (0, TILE_PX - block.shape[1])))
        yield block


def read_label_tiff(path: Path) -> LabelRaster:
    """Read the finest level of a TIFF of labels, ours or another's.

    Raises
    ------
    CaseError
        If it is no TIFF with one 8-bit plane.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            page = tif.series[0].levels[0]
            if page.ndim != 2 or page.dtype not in (np.dtype(np.uint8), np.dtype(bool)):
                raise CaseError(
                    f"{path.name} is no raster of labels ({page.shape}, {page.dtype}): "
                    "it needs one plane of 8 bits"
                )
            labels = page.asarray().astype(np.uint8)
            names, um_per_px, slide = _facts(tif.ome_metadata) if tif.ome_metadata else ({}, None, None)
            return LabelRaster(labels, um_per_px or _resolution(tif.pages.first), names, slide)
    except (OSError, tifffile.TiffFileError, ValueError, IndexError) as error:
        raise CaseError(f"{path.name} cannot be read as TIFF: export it again") from error


_UNITS: Final = {"µm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}


def _facts(xml: str) -> tuple[dict[int, str], float | None, str | None]:
    """Return names of values, µm/px and slide of an OME-XML."""
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - no entities are resolved from elsewhere
    except ElementTree.ParseError:
        return {}, None, None
    stored = {m.get("K"): m.text for m in root.iter() if m.tag.endswith("}M")}
    names = {int(k): (v or "").rpartition(" ")[0] for k, v in stored.items() if k and k.isdigit()}
    pixels = next((e for e in root.iter() if e.tag.endswith("}Pixels")), None)
    size = None if pixels is None else pixels.get("PhysicalSizeX")
    unit = "µm" if pixels is None else pixels.get("PhysicalSizeXUnit", "µm")
    um_per_px = float(size) * _UNITS[unit] if size and unit in _UNITS else None
    return names, um_per_px, stored.get("slide")


def _resolution(page: Any) -> float | None:
    """µm/px by the TIFF tags, where they are stated in real units."""
    per_unit = {2: 25_400.0, 3: 10_000.0}.get(int(page.resolutionunit or 1))
    along = float(page.resolution[0]) if page.resolution else 0.0
    return per_unit / along if per_unit and along > 0 else None
