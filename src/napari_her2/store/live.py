"""A label raster that is looked at while it grows and that a later run can go on with."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_her2.geometry import Box
from napari_her2.store.files import replacing_folder
from napari_her2.store.journal import cannot_keep
from napari_her2.store.label_pyramid import LabelPyramid
from napari_her2.store.multiscale import CHUNK_PX, fill_levels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LiveRaster"]


class LiveRaster:
    """Labels (uint8) written block by block, all levels at once, in a folder of unfinished work.

    A chunk is replaced by rename, so that readers and later runs find the old or the new one.

    Parameters
    ----------
    path : Path
        Where it is kept while it is unfinished.
    shape : tuple of int
        (rows, cols).
    um_per_px : float
    labels : mapping of int to (name, colour)
    attributes : mapping
    fresh : bool
        Whether to begin anew; else the one that is there is taken up.

    Raises
    ------
    OutputError
        If it cannot be written.
    CaseError
        If the one that is there is damaged.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        *,
        um_per_px: float,
        labels: Mapping[int, tuple[str, str]],
        attributes: Mapping[str, Any],
        fresh: bool,
    ) -> None:
        self._path = path
        self._touched: set[tuple[int, int]] = set()
        if fresh or not path.is_dir():
            with self._told():
                LabelPyramid.create(path, shape, um_per_px=um_per_px, labels=labels, attributes=attributes)
        self._pyramid = LabelPyramid.open(path)

    def write(self, row: int, col: int, block: NDArray[np.uint8]) -> None:
        """Write a block (rows, cols) at that place; blocks of zeros cost nothing."""
        if not block.any():
            return
        rows, cols = block.shape
        with self._told():
            self._pyramid.write([(Box(row, col, rows, cols), block)])
        self._touched |= {
            (r, c)
            for r in range(row // CHUNK_PX, (row + rows - 1) // CHUNK_PX + 1)
            for c in range(col // CHUNK_PX, (col + cols - 1) // CHUNK_PX + 1)
        }

    def sync(self) -> None:
        """See that all blocks are on the disk; coarser levels can be made again."""
        level: Any = self._pyramid.levels[0]
        with self._told():
            for row, col in sorted(self._touched):
                chunk = level.store.root / level.path / "c" / str(row) / str(col)
                if chunk.is_file():
                    with chunk.open("rb") as file:
                        os.fsync(file.fileno())
        self._touched.clear()

    def finish(self, path: Path) -> None:
        """Make the coarser levels by majority and put a copy in its place, at once."""
        with self._told():
            fill_levels(self._pyramid.levels, "labels")
            for left in self._path.rglob("*.partial"):
                left.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(path) as folder:
            shutil.copytree(self._path, folder, dirs_exist_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_keep(self._path.parent, error) from error
