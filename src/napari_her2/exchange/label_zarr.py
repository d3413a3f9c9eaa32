"""Label rasters as OME-Zarr image-labels, version 0.5 (zarr v3) or 0.4 (zarr v2), with colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.classes import RASTER_CLASSES
from napari_her2.exchange.label_tiff import LabelRaster
from napari_her2.geometry import Box
from napari_her2.store import read_multiscale, replacing_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_her2.store import Multiscale

__all__ = ["Ngff", "read_label_zarr", "write_label_zarr"]

Ngff = Literal["0.4", "0.5"]
CHUNK_PX: Final = 512


def write_label_zarr(
    path: Path,
    raster: Multiscale,
    *,
    ngff: Ngff = "0.5",
    classes: Mapping[int, tuple[str, str]] = RASTER_CLASSES,
    slide: str | None = None,
) -> None:
    """Write a label raster with all its levels, one chunk at a time.

    Parameters
    ----------
    path : Path
        Folder, by custom ``*.zarr``; one that is there is replaced.
    raster : Multiscale
        What to write, read lazily.
    ngff : {"0.4", "0.5"}
    classes : mapping of value to (name, colour)
    slide : {"he", "ihc"}, optional

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    import zarr

    levels = [np.shape(level) for level in raster.levels]
    attributes = _attributes(path.stem, len(levels), raster.um_per_px, classes, ngff)
    if slide:
        attributes["napari-her2"] = {"slide": slide}
    with replacing_folder(path) as folder:
        group = zarr.open_group(
            folder, mode="w", zarr_format=3 if ngff == "0.5" else 2, attributes=attributes
        )
        for k, level in enumerate(raster.levels):
            _copy(level, group, str(k), ngff)


def _copy(level: Any, group: Any, name: str, ngff: Ngff) -> None:
    shape = tuple(map(int, level.shape))
    # 0.4 asks for chunks in nested folders, 0.5 for names of the axes.
    how: dict[str, Any] = (
        {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        if ngff == "0.4"
        else {"dimension_names": ("y", "x")}
    )
    chunks = (min(CHUNK_PX, shape[0]), min(CHUNK_PX, shape[1]))
    made = group.create_array(name, shape=shape, chunks=chunks, dtype=np.uint8, fill_value=0, **how)
    for box in Box.of_shape(shape).tiles(CHUNK_PX):
        block = np.asarray(level[box.slices], np.uint8)
        if block.any():
            made[box.slices] = block


def _attributes(
    name: str, levels: int, um_per_px: float, classes: Mapping[int, tuple[str, str]], ngff: Ngff
) -> dict[str, Any]:
    scales = [um_per_px * 2**k for k in range(levels)]
    datasets = [
        {
            "path": str(k),
            "coordinateTransformations": [
                {"type": "scale", "scale": [scale, scale]},
                {"type": "translation", "translation": [(scale - um_per_px) / 2] * 2},
            ],
        }
        for k, scale in enumerate(scales)
    ]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in ("y", "x")]
    label: dict[str, Any] = {
        "colors": [{"label-value": v, "rgba": _rgba(colour)} for v, (_, colour) in sorted(classes.items())],
        "properties": [{"label-value": v, "name": word} for v, (word, _) in sorted(classes.items())],
    }
    image: dict[str, Any] = {"name": name, "axes": axes, "datasets": datasets}
    if ngff == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [image], "image-label": label}}
    return {
        "multiscales": [{**image, "version": "0.4"}],
        "image-label": {**label, "version": "0.4"},
    }


def _rgba(colour: str) -> list[int]:
    digits = colour.removeprefix("#").ljust(8, "F")
    return [int(digits[k : k + 2], 16) for k in range(0, 8, 2)]


def read_label_zarr(path: Path) -> LabelRaster:
    """Read the finest level of an OME-Zarr of labels, ours or another's, 0.4 or 0.5.

    Raises
    ------
    CaseError
        If the folder holds none, or one with more than one plane.
    """
    if not path.is_dir():
        raise CaseError(f"{path.name} is no OME-Zarr folder: give the folder that holds the labels")
    found = read_multiscale(path)
    metadata: Any = found.metadata
    level = found.levels[0]
    planes = int(np.prod(level.shape[:-2], dtype=np.int64))
    if level.ndim < 2 or planes != 1 or level.dtype.kind not in "uib":
        raise CaseError(
            f"{path.name} is no raster of labels ({level.shape}, {level.dtype}): it needs one plane of values"
        )
    labels = np.asarray(level[:]).reshape(level.shape[-2:])
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise CaseError(f"{path.name} holds values beyond 0 to 255: classes, not objects, can be read")
    said = metadata.get("ome", metadata).get("image-label", {}).get("properties") or []
    names = {int(p["label-value"]): str(p["name"]) for p in said if "label-value" in p and "name" in p}
    slide = (metadata.get("napari-her2") or {}).get("slide")
    scale = metadata.get("ome", metadata)["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]
    return LabelRaster(labels.astype(np.uint8), float(scale["scale"][-1]), names, slide)
