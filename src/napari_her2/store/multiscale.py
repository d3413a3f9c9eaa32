"""Rasters as OME-Zarr 0.5 (zarr v3): written block by block, read lazily.

Level k is ``2**k`` times coarser than level 0; all levels share the image's corner, so level k is
shifted by ``(scale_k - scale_0) / 2`` to the centres of its pixels.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.store.files import replacing_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import DTypeLike, NDArray

    Labels = Mapping[int, tuple[str, str]]

__all__ = ["Multiscale", "MultiscaleWriter", "read_multiscale", "write_multiscale"]

CHUNK_PX: Final = 512
_SMALLEST_PX: Final = 64  # no further level once an image is this small

Kind = Literal["image", "labels"]
"""How levels shrink: images by the mean, labels by the commonest value of each 2 x 2 block."""


@dataclass(frozen=True, slots=True, eq=False)
class Multiscale:
    """A raster as it lies on disk.

    Attributes
    ----------
    levels : tuple of zarr.Array
        (rows, cols) each, from fine to coarse; slice them to read.
    um_per_px : float
        Pixel size of level 0.
    metadata : mapping
        The group's attributes, with ``ome`` among them.
    """

    levels: tuple[Any, ...]
    um_per_px: float
    metadata: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of level 0."""
        rows, cols = self.levels[0].shape
        return int(rows), int(cols)


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the shapes of a pyramid, halved (rounded up) until one chunk holds a level."""
    shapes = [shape]
    while max(shapes[-1]) > CHUNK_PX and min(shapes[-1]) > _SMALLEST_PX:
        rows, cols = shapes[-1]
        shapes.append(((rows + 1) // 2, (cols + 1) // 2))
    return shapes


def halved(block: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Return the block at half its resolution; an odd edge is repeated."""
    rows, cols = block.shape
    padded = np.pad(block, ((0, rows % 2), (0, cols % 2)), mode="edge")
    parts = np.stack([padded[0::2, 0::2], padded[0::2, 1::2], padded[1::2, 0::2], padded[1::2, 1::2]])
    if kind == "image":
        mean = parts.mean(axis=0, dtype=np.float64)
        return (np.rint(mean) if block.dtype.kind in "iu" else mean).astype(block.dtype)
    votes = (parts[:, None] == parts[None]).sum(axis=1)
    # Among equal votes the stronger label wins, so that thin structures do not vanish.
    best = np.argmax(votes.astype(np.int64) * 65536 + parts, axis=0)
    chosen: NDArray[Any] = np.take_along_axis(parts, best[None], axis=0)[0]
    return chosen


def _axes() -> list[dict[str, str]]:
    return [{"name": name, "type": "space", "unit": "micrometer"} for name in ("y", "x")]


def _dataset(level: int, um_per_px: float) -> dict[str, Any]:
    scale = um_per_px * 2**level
    shift = (scale - um_per_px) / 2
    transforms = [
        {"type": "scale", "scale": [scale, scale]},
        {"type": "translation", "translation": [shift, shift]},
    ]
    return {"path": str(level), "coordinateTransformations": transforms}


def _ome(name: str, levels: int, um_per_px: float, labels: Labels | None) -> dict[str, Any]:
    """Return the OME-Zarr 0.5 attributes."""
    datasets = [_dataset(k, um_per_px) for k in range(levels)]
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": _axes(), "datasets": datasets, "type": "2x2 blocks"}],
    }
    if labels is not None:
        ome["image-label"] = _image_label(labels)
    return ome


def _image_label(labels: Labels) -> dict[str, Any]:
    """Return names and colours of the values, as OME-Zarr writes them."""
    return {
        "colors": [{"label-value": v, "rgba": _rgba(colour)} for v, (_, colour) in labels.items()],
        "properties": [{"label-value": v, "name": name} for v, (name, _) in labels.items()],
    }


def _rgba(colour: str) -> list[int]:
    """``#RRGGBB`` or ``#RRGGBBAA`` → four numbers."""
    digits = colour.removeprefix("#").ljust(8, "F")
    return [int(digits[i : i + 2], 16) for i in range(0, 8, 2)]


def create_levels(
    folder: Path, shape: tuple[int, int], dtype: DTypeLike, about: Mapping[str, Any]
) -> list[Any]:
    """Make the empty arrays of a pyramid in a new folder and return them, finest first."""
    import zarr

    group = zarr.open_group(folder, mode="w", zarr_format=3, attributes=dict(about))
    return [
        group.create_array(
            str(k),
            shape=size,
            chunks=(min(CHUNK_PX, size[0]), min(CHUNK_PX, size[1])),
            dtype=np.dtype(dtype),
            dimension_names=("y", "x"),
            fill_value=0,
        )
        for k, size in enumerate(level_shapes(shape))
    ]


def pyramid_attributes(
    name: str,
    shape: tuple[int, int],
    um_per_px: float,
    labels: Labels | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the attributes of a pyramid's group: OME-Zarr 0.5 and our own."""
    levels = len(level_shapes(shape))
    return {"ome": _ome(name, levels, um_per_px, labels), "napari-her2": dict(attributes or {})}


class MultiscaleWriter:
    """Context manager that writes a raster block by block and its coarser levels at the end.

    The raster appears under its path only when the block ends without an error.

    Parameters
    ----------
    path : Path
        The raster's folder, by custom ending in ``.zarr``; one that is there is replaced.
    shape : tuple of int
        (rows, cols).
    um_per_px : float
        Pixel size.
    dtype : dtype
        Of the pixels; the fill value is 0.
    labels : mapping of int to (name, colour), optional
        For label rasters: what each value means and its ``#RRGGBB``.
    attributes : mapping, optional
        Further attributes of the group, kept under ``napari-her2``.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        *,
        um_per_px: float,
        dtype: DTypeLike = np.uint8,
        labels: Labels | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self._path, self._shape, self._um_per_px = path, shape, um_per_px
        self._dtype, self._labels, self._attributes = np.dtype(dtype), labels, dict(attributes or {})
        self._undo = ExitStack()
        self._levels: list[Any] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._create(undo.enter_context(replacing_folder(self._path)))
            self._undo = undo.pop_all()
        return self

    def _create(self, folder: Path) -> None:
        name, labels = self._path.stem, self._labels
        about = pyramid_attributes(name, self._shape, self._um_per_px, labels, self._attributes)
        self._levels = create_levels(folder, self._shape, self._dtype, about)

    def write(self, row: int, col: int, block: NDArray[Any]) -> None:
        """Write a block (rows, cols) at that place of level 0; blocks of zeros cost nothing."""
        if block.any():
            rows, cols = block.shape
            self._levels[0][row : row + rows, col : col + cols] = block

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo.__exit__(kind, value, trace)
            return
        with self._undo:
            self._write_levels()

    def _write_levels(self) -> None:
        fill_levels(self._levels, "image" if self._labels is None else "labels")


def fill_levels(levels: Sequence[Any], how: Kind) -> None:
    """Make the coarser levels of a pyramid from the finest."""
    for fine, coarse in pairwise(levels):
        rows, cols = coarse.shape
        for row in range(0, rows, CHUNK_PX):
            for col in range(0, cols, CHUNK_PX):
                block = fine[2 * row : 2 * (row + CHUNK_PX), 2 * col : 2 * (col + CHUNK_PX)]
                if block.any():
                    small = halved(block, how)
                    coarse[row : row + small.shape[0], col : col + small.shape[1]] = small


def write_multiscale(
    path: Path,
    raster: NDArray[Any],
    *,
    um_per_px: float,
    labels: Labels | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write a raster (rows, cols) that is in memory; see :class:`MultiscaleWriter`."""
    rows, cols = raster.shape
    writer = MultiscaleWriter(
        path, (rows, cols), um_per_px=um_per_px, dtype=raster.dtype, labels=labels, attributes=attributes
    )
    with writer:
        writer.write(0, 0, raster)


def read_multiscale(path: Path, *, mode: Literal["r", "r+"] = "r") -> Multiscale:
    """Open a raster written by this module, for reading unless ``mode`` says otherwise.

    Raises
    ------
    CaseError
        If the folder holds no such raster.
    """
    import zarr

    try:
        group = zarr.open_group(path, mode=mode)
        metadata = dict(group.attrs)
        ome: Any = metadata.get("ome", metadata)  # OME-Zarr 0.4 keeps its keys one step higher
        datasets = ome["multiscales"][0]["datasets"]
        levels = tuple(group[dataset["path"]] for dataset in datasets)
        scale = datasets[0]["coordinateTransformations"][0]["scale"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CaseError(f"{path.name} is not a raster of this program: run the case again") from error
    return Multiscale(levels, float(scale[0]), metadata)
