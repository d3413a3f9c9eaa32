"""A sparse pyramid of label codes that is changed in place, chunk by chunk, on every level.

Only chunks that hold something are stored, so a pyramid over a slide of 100 000 x 100 000 pixels costs
what was painted on it. A chunk is replaced by rename: whoever reads meanwhile gets the old or the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.geometry import Box
from napari_her2.store.files import replacing_folder
from napari_her2.store.multiscale import (
    CHUNK_PX,
    Multiscale,
    create_levels,
    pyramid_attributes,
    read_multiscale,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Codes = NDArray[np.uint8]
    Patch = tuple[Box, Codes]

__all__ = ["LabelPyramid", "halve_codes"]


def halve_codes(block: Codes) -> Codes:
    """Return a block (rows, cols) at half its resolution: the commonest code of those that are not 0.

    Of equally common codes the higher one wins. What is painted never vanishes at low power, it only
    grows; figures are taken from level 0.
    """
    rows, cols = block.shape
    padded = np.pad(block, ((0, rows % 2), (0, cols % 2)), mode="edge")
    parts = np.stack([padded[0::2, 0::2], padded[0::2, 1::2], padded[1::2, 0::2], padded[1::2, 1::2]])
    best = parts.max(axis=0)
    if (parts.min(axis=0) == best).all():
        return np.ascontiguousarray(best)
    votes = np.zeros(parts.shape, np.int32)
    for part in parts:
        votes += part == parts
    rank = np.where(parts == 0, 0, votes * 256 + parts)
    chosen: Codes = np.take_along_axis(parts, np.argmax(rank, axis=0)[None], axis=0)[0]
    return chosen


class LabelPyramid:
    """Codes (uint8, 0 = nothing said) over a slide, on levels that halve: :meth:`create`, :meth:`open`.

    Parameters
    ----------
    raster : Multiscale
        Opened for writing.
    """

    def __init__(self, raster: Multiscale) -> None:
        self._raster = raster

    @classmethod
    def create(
        cls,
        path: Path,
        shape: tuple[int, int],
        *,
        um_per_px: float,
        labels: Mapping[int, tuple[str, str]],
        attributes: Mapping[str, Any],
    ) -> LabelPyramid:
        """Make an empty one (OME-Zarr 0.5), in place of what is at ``path``.

        Parameters
        ----------
        path : Path
        shape : tuple of int
            (rows, cols) of level 0.
        um_per_px : float
        labels : mapping of int to (name, colour)
            What each code means.
        attributes : mapping
            Kept under ``napari-her2``.

        Raises
        ------
        OutputError
            If the place cannot be written.
        """
        with replacing_folder(path) as folder:
            about = pyramid_attributes(path.stem, shape, um_per_px, labels, attributes)
            create_levels(folder, shape, np.uint8, about)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> LabelPyramid:
        """Open one for reading and writing.

        Raises
        ------
        CaseError
            If the folder holds none.
        """
        raster = read_multiscale(path, mode="r+")
        if any(level.dtype != np.uint8 for level in raster.levels):
            raise CaseError(f"{path.name} holds no labels of 8 bits: it was not written by this program")
        return cls(raster)

    @property
    def levels(self) -> tuple[Any, ...]:
        """The arrays, finest first; slice them to read."""
        return self._raster.levels

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, cols) of each level."""
        return tuple((int(level.shape[0]), int(level.shape[1])) for level in self.levels)

    @property
    def um_per_px(self) -> float:
        """Pixel size of level 0."""
        return self._raster.um_per_px

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What was noted when it was made."""
        found: Mapping[str, Any] = self._raster.metadata.get("napari-her2", {})
        return found

    def read(self, box: Box, level: int = 0) -> Codes:
        """Return the codes of a box in the pixels of ``level``; 0 outside the image."""
        out = np.zeros((box.height, box.width), np.uint8)
        inside = box.intersect(Box.of_shape(self.shapes[level]))
        if inside is not None:
            out[inside.shifted(-box.row, -box.col).slices] = self.levels[level][inside.slices]
        return out

    def write(self, patches: Iterable[Patch]) -> None:
        """Write blocks at level 0 and bring every coarser level up to date.

        Parameters
        ----------
        patches : iterable of (Box, uint8 ndarray (rows, cols))
            Boxes inside the image, in level-0 pixels.
        """
        boxes = []
        for box, codes in patches:
            self.levels[0][box.slices] = codes
            boxes.append(box)
        for fine, coarse in zip(self.levels, self.levels[1:], strict=False):
            boxes = _by_chunk([_halved(box) for box in boxes])
            for box in boxes:
                doubled = slice(2 * box.row, 2 * box.row_stop), slice(2 * box.col, 2 * box.col_stop)
                coarse[box.slices] = halve_codes(fine[doubled])

    def chunks(self) -> Iterable[Box]:
        """Boxes of the chunks of level 0 that hold something; only names are read."""
        bounds = Box.of_shape(self.shapes[0])
        size = self.levels[0].chunks
        for row, col in sorted(_stored(self.levels[0])):
            box = Box(row * size[0], col * size[1], size[0], size[1]).intersect(bounds)
            if box is not None:
                yield box


def _stored(level: Any) -> list[tuple[int, int]]:
    """Return (row, col) of the chunks that exist on disk."""
    folder = level.store.root / level.path / "c"
    return [
        (int(row.name), int(col.name))
        for row in (folder.iterdir() if folder.is_dir() else ())
        for col in row.iterdir()
        if col.name.isdecimal()
    ]


def _halved(box: Box) -> Box:
    """Return the box of the next coarser level that covers this one."""
    row, col = box.row // 2, box.col // 2
    return Box(row, col, (box.row_stop + 1) // 2 - row, (box.col_stop + 1) // 2 - col)


def _by_chunk(boxes: Iterable[Box]) -> list[Box]:
    """Return boxes that cover the same, one for each chunk that is touched: a chunk is written once."""
    bounds: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for box in boxes:
        for row in range(box.row // CHUNK_PX, (box.row_stop - 1) // CHUNK_PX + 1):
            for col in range(box.col // CHUNK_PX, (box.col_stop - 1) // CHUNK_PX + 1):
                part = Box(row * CHUNK_PX, col * CHUNK_PX, CHUNK_PX, CHUNK_PX).intersect(box)
                if part is not None:
                    before = bounds.get((row, col), (part.row, part.col, part.row_stop, part.col_stop))
                    bounds[row, col] = (
                        min(before[0], part.row),
                        min(before[1], part.col),
                        max(before[2], part.row_stop),
                        max(before[3], part.col_stop),
                    )
    return [Box(top, left, bottom - top, right - left) for top, left, bottom, right in bounds.values()]
