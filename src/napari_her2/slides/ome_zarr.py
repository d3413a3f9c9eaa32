"""OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3): the first image of the folder, tile by tile."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.resolution import plausible, um_in
from napari_her2.slides.source import Facts, Grid, refuse_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

__all__ = ["OmeZarrSource", "is_zarr_folder"]

MARKERS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
MIN_TILE_PX = 256
DECODE_ERRORS = (ValueError, RuntimeError, KeyError, TypeError, OSError, EOFError, zlib.error)


def is_zarr_folder(path: Path) -> bool:
    """Whether a folder is the root of a zarr hierarchy."""
    return any((path / marker).is_file() for marker in MARKERS)


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """One level: the array, its folder, and the order of its axes, e.g. ``tczyx`` or ``yxc``."""

    array: zarr.Array[Any]
    folder: Path
    axes: str

    def size(self, axis: str) -> int:
        """Length along an axis; 1 for one that is absent."""
        return int(self.array.shape[self.axes.index(axis)]) if axis in self.axes else 1

    @property
    def blosc(self) -> bool:
        """Whether whole files are Blosc: its decoder does not notice that the end is missing."""
        last = [type(codec).__name__.lower() for codec in self.array.compressors][-1:]
        return not self.array.shards and last != [] and last[0].startswith("blosc")

    def chunk(self, axis: str) -> int:
        """Length of a chunk along an axis."""
        return int(self.array.chunks[self.axes.index(axis)])


class OmeZarrSource:
    """Arrays of one multiscale image; zarr decodes outside Python's lock and is safe for threads."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            self._images, um_per_px = self._open(path)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise SlideError(
                f"{self._name} is not an OME-Zarr image ({_short(error)}): write it as OME-Zarr 0.4 or 0.5"
            ) from error
        self._closed = False
        grids = tuple(Grid((image.size("y"), image.size("x")), _tile(image)) for image in self._images)
        self.facts = Facts(format="ome-zarr", grids=grids, um_per_px=um_per_px)

    def _open(self, path: Path) -> tuple[tuple[_Image, ...], tuple[float, float] | None]:
        import zarr

        group, folder = _image_group(zarr.open_group(str(path), mode="r"), path)
        multiscale = _ome(group)["multiscales"][0]
        axes = _axes(multiscale)
        paths = [str(dataset["path"]) for dataset in multiscale["datasets"]]
        images = tuple(_Image(_array(group, name), folder / name, axes) for name in paths)
        for image in images:
            self._check(image)
        return images, _um_per_px(multiscale, axes)

    def _check(self, image: _Image) -> None:
        if image.array.dtype != np.uint8:
            raise refuse_pixels(self._name, f"pixels of the type {image.array.dtype}")
        if len(image.axes) != image.array.ndim or not {"y", "x"} <= set(image.axes):
            raise refuse_pixels(self._name, f"axes {image.axes!r} for {image.array.ndim} dimensions")
        planes = image.size("t") * image.size("z")
        if planes != 1 or image.size("c") not in (1, 3, 4):
            raise refuse_pixels(self._name, f"{planes} planes and {image.size('c')} channels")

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile; see :class:`napari_her2.slides.source.Source`."""
        if self._closed:
            raise SlideError(f"{self._name} is closed: open it again to read from it")
        image, grid = self._images[level], self.facts.grids[level]
        spans = {"y": _span(row, grid, 0), "x": _span(col, grid, 1)}
        key = tuple(slice(*spans[axis]) if axis in spans else slice(None) for axis in image.axes)
        try:
            self._check_stored(image, key)
            pixels = np.asarray(image.array[key])
            if image.array.shards and not image.array.fill_value and not pixels.any():
                raise self._lacks(image, f"at {row}, {col} in its shard")
        except DECODE_ERRORS as error:
            raise SlideError(
                f"{self._name}: the tile at row {row}, column {col} of level {level} cannot be decoded "
                f"({_short(error)}): copy or export it again"
            ) from error
        return _as_rgb(pixels, image.axes)

    def _check_stored(self, image: _Image, key: tuple[slice, ...]) -> None:
        """Refuse chunks that are cut off, or not there: those read as black, and a lost one looks the same.

        Only a fill value other than 0 is a statement about empty glass.
        """
        for name in _chunk_names(image.array, key):
            file = image.folder / name
            if not file.is_file():
                if not image.array.fill_value:
                    raise self._lacks(image, name)
            elif image.blosc and _blosc_size(file) > file.stat().st_size:
                raise ValueError(f"the chunk {name} is cut off")

    def _lacks(self, image: _Image, name: str) -> SlideError:
        return SlideError(
            f"{self._name} lacks the chunk {image.folder.name}/{name}: copy it again, or write it "
            "with its empty chunks or with a white fill value"
        )

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """OME-Zarr has none."""
        raise SlideError(f"{self._name} has no associated image {name!r}")

    def icc(self) -> bytes | None:
        """OME-Zarr states no colour profile."""
        return None

    def close(self) -> None:
        """Forget the arrays; zarr holds no open files between reads."""
        self._closed = True


def _chunk_names(array: zarr.Array[Any], key: tuple[slice, ...]) -> Iterator[str]:
    """Names of the stored files, chunks or shards, under a selection."""
    sizes = array.shards or array.chunks
    spans = (part.indices(length) for part, length in zip(key, array.shape, strict=True))
    places = [
        range(start // size, -(-stop // size)) for (start, stop, _), size in zip(spans, sizes, strict=True)
    ]
    return (array.metadata.encode_chunk_key(place) for place in product(*places))


def _blosc_size(file: Path) -> int:
    """Length of a Blosc buffer as its 16-byte header states it."""
    with file.open("rb") as stream:
        head = stream.read(16)
    return int.from_bytes(head[12:16], "little") if len(head) == 16 else 2**63


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _ome(group: zarr.Group) -> dict[str, Any]:
    """Metadata of OME-Zarr: under ``ome`` since 0.5, at the top before."""
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, dict) else {}


def _image_group(root: zarr.Group, folder: Path) -> tuple[zarr.Group, Path]:
    """Return the group with the multiscale image: the root, or the first series of bioformats2raw."""
    import zarr

    if "multiscales" in _ome(root):
        return root, folder
    first = root.get("0")
    if isinstance(first, zarr.Group) and "multiscales" in _ome(first):
        return first, folder / "0"
    raise ValueError("no multiscales in its metadata")


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    import zarr

    node = group[name]
    if not isinstance(node, zarr.Array):
        raise TypeError(f"{name} is no array")
    return node


def _axes(multiscale: dict[str, Any]) -> str:
    """One letter per axis; 0.3 and older name them as strings."""
    axes = multiscale.get("axes") or list("tczyx")
    return "".join(str(axis["name"] if isinstance(axis, dict) else axis).lower() for axis in axes)


def _um_per_px(multiscale: dict[str, Any], axes: str) -> tuple[float, float] | None:
    """(rows, cols) of level 0 in µm; None where the unit is not stated."""
    described = [axis for axis in multiscale.get("axes", ()) if isinstance(axis, dict)]
    units = {str(axis["name"]): um_in(axis.get("unit")) for axis in described}
    scale = np.ones(len(axes))
    for step in (*multiscale["datasets"][0].get("coordinateTransformations", ()), *_outer(multiscale)):
        if step.get("type") == "scale":
            scale = scale * np.asarray(step["scale"], np.float64)
    row_um, col_um = units.get("y"), units.get("x")
    if row_um is None or col_um is None:
        return None
    return plausible(float(scale[axes.index("y")]) * row_um, float(scale[axes.index("x")]) * col_um)


def _outer(multiscale: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(multiscale.get("coordinateTransformations") or ())


def _tile(image: _Image) -> tuple[int, int]:
    """Whole chunks, joined to at least 256 px."""
    height, width = (
        chunk * max(1, -(-MIN_TILE_PX // chunk)) for chunk in (image.chunk("y"), image.chunk("x"))
    )
    return height, width


def _span(index: int, grid: Grid, axis: int) -> tuple[int, int]:
    start = index * grid.tile[axis]
    return start, min(start + grid.tile[axis], grid.shape[axis])


def _as_rgb(pixels: NDArray[np.uint8], axes: str) -> NDArray[np.uint8]:
    """Bring any order of axes to (y, x, c), and grey to three channels."""
    kept = [axis for axis in axes if axis in "yxc"]
    plane = pixels.reshape([size for size, axis in zip(pixels.shape, axes, strict=True) if axis in "yxc"])
    plane = (
        plane[..., None] if "c" not in kept else np.moveaxis(plane, [kept.index(a) for a in "yxc"], [0, 1, 2])
    )
    return np.ascontiguousarray(np.repeat(plane, 3, axis=2) if plane.shape[2] == 1 else plane)
