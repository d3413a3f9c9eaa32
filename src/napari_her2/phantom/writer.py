"""Write a slide tile by tile: pyramidal OME-TIFF with JPEG tiles, one pass, bounded memory.

Level 0 streams into the file as it is drawn. Coarser levels are averaged on the way: each keeps
one row of tiles in memory and its finished tiles, compressed, in a temporary file until their turn.
"""

from __future__ import annotations

import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_her2.phantom.glass import TILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Draw = Callable[[int, int], Pixels | None]
    Drawn = tuple[Pixels | None, bytes | None]

__all__ = ["SlideFile", "write_slide"]

_SMALLEST_PX = 512
_END = b""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlideFile:
    """How a slide is to be stored.

    Attributes
    ----------
    path : Path
        Where to write.
    name : str
        Name of the image in the OME-XML.
    shape_px : (rows, cols)
    um_per_px : float
    quality : int
        JPEG quality.
    white : ndarray of shape (3,), uint8
        Colour of empty tiles.
    """

    path: Path
    name: str
    shape_px: tuple[int, int]
    um_per_px: float
    quality: int
    white: Pixels

    @property
    def level_shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each level, each half of the finer one; corners stay together."""
        shapes = [self.shape_px]
        while max(shapes[-1]) > _SMALLEST_PX and min(shapes[-1]) > 1:
            shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
        return shapes

    @property
    def blank(self) -> Pixels:
        """A tile of empty glass."""
        return np.tile(self.white, (TILE, TILE, 1))

    def encoded(self, pixels: Pixels) -> bytes:
        """Compress one tile."""
        import imagecodecs

        how: dict[str, Any] = {"colorspace": "rgb", "outcolorspace": "ycbcr", "subsampling": "444"}
        return bytes(imagecodecs.jpeg8_encode(pixels, level=self.quality, **how))

    def ome_xml(self) -> str:
        """Return the description of the image, with the pixel size."""
        rows, cols = self.shape_px
        name = quoteattr(self.name)
        size = f'PhysicalSizeX="{self.um_per_px}" PhysicalSizeY="{self.um_per_px}"'
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="napari-her2 phantom">'
            f'<Image ID="Image:0" Name={name}><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" '
            f'SizeX="{cols}" SizeY="{rows}" SizeC="3" SizeZ="1" SizeT="1" Interleaved="true" {size} '
            'PhysicalSizeXUnit="&#181;m" PhysicalSizeYUnit="&#181;m">'
            '<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1"/>'
            "</Pixels></Image></OME>"
        )


@dataclass(slots=True, eq=False)
class _Level:
    """One coarser level while it grows: a row of tiles, and the finished tiles in a spool."""

    file: SlideFile
    shape: tuple[int, int]
    blank: bytes
    spool: BinaryIO
    coarser: _Level | None = None
    lengths: list[int] = field(default_factory=list)
    band: dict[int, Pixels] = field(default_factory=dict)
    pending: int = 0

    @property
    def across(self) -> int:
        return -(-self.shape[1] // TILE)

    @property
    def rows(self) -> int:
        return -(-self.shape[0] // TILE)

    def take(self, tiles: list[Pixels | None]) -> None:
        """Average one row of tiles of the finer level into half of our row."""
        import cv2

        half, top = TILE // 2, self.pending * (TILE // 2)
        for col, pixels in enumerate(tiles):
            if pixels is None or col // 2 >= self.across:
                continue
            tile = self.band.setdefault(col // 2, self.file.blank)
            left = col % 2 * half
            tile[top : top + half, left : left + half] = cv2.resize(
                pixels, (half, half), interpolation=cv2.INTER_AREA
            )
        self.pending += 1
        if self.pending == 2:
            self.close()

    def close(self) -> None:
        """Compress our row of tiles and hand it on."""
        if self.pending == 0 or len(self.lengths) >= self.rows * self.across:
            return
        tiles = [self.band.get(col) for col in range(self.across)]
        for pixels in tiles:
            data = b"" if pixels is None else self.file.encoded(pixels)
            self.lengths.append(len(data))
            self.spool.write(data)
        self.band, self.pending = {}, 0
        if self.coarser is not None:
            self.coarser.take(tiles)

    def stored(self) -> Iterator[bytes]:
        """Compressed tiles in order."""
        self.spool.seek(0)
        for length in self.lengths:
            yield self.spool.read(length) if length else self.blank


def write_slide(file: SlideFile, draw: Draw, workers: int = 1) -> Iterator[int]:
    """Write a slide; yields the number of tiles that are done after each row of tiles.

    Parameters
    ----------
    file : SlideFile
    draw : callable
        Pixels (512, 512, 3) of the tile with that corner (row, col in px), None on empty glass.
        Called from ``workers`` threads.
    workers : int

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    blank = file.encoded(file.blank)
    feed: Queue[bytes | None] = Queue(maxsize=256)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        pool = stack.enter_context(ThreadPoolExecutor(workers + 1))
        levels = _chain(file, blank, Path(folder))
        for level in levels:
            stack.enter_context(level.spool)
        writing = pool.submit(_store, file, feed, levels)
        stack.callback(_put, feed, None, writing)  # lets the writer go if the drawing was stopped
        for row, tiles in enumerate(_rows(file, draw, pool, 2 * workers)):
            for level in levels[:1]:
                level.take([pixels for pixels, _ in tiles])
            for _, data in tiles:
                _put(feed, data or blank, writing)
            if writing.done():
                break  # it failed: its result says why
            yield (row + 1) * len(tiles)
        for level in levels:
            level.close()
        _put(feed, _END, writing)
        writing.result()


def _rows(file: SlideFile, draw: Draw, pool: ThreadPoolExecutor, ahead: int) -> Iterator[list[Drawn]]:
    """Draw and compress row after row of tiles, ``ahead`` tiles at once."""

    def work(row: int, col: int) -> Drawn:
        pixels = draw(row * TILE, col * TILE)
        return pixels, None if pixels is None else file.encoded(pixels)

    down, across = (-(-side // TILE) for side in file.shape_px)
    waiting: deque[Future[Drawn]] = deque()
    places = ((row, col) for row in range(down) for col in range(across))
    for _ in range(down):
        ready: list[Drawn] = []
        while len(ready) < across:
            waiting.extend(pool.submit(work, *place) for place in islice(places, ahead - len(waiting)))
            ready.append(waiting.popleft().result())
        yield ready


def _put(feed: Queue[bytes | None], data: bytes | None, writing: Future[None]) -> None:
    """Hand data to the writing thread unless that has ended."""
    while not writing.done():
        try:
            feed.put(data, timeout=0.2)
        except Full:
            continue
        return


class _Cancelled(Exception):
    """The drawing stopped before the last tile."""


def _fed(feed: Queue[bytes | None]) -> Iterator[bytes]:
    """Tiles as they come; None means that the drawing was stopped."""
    while True:
        data = feed.get()
        if data is None:
            raise _Cancelled
        yield data


def _ended(feed: Queue[bytes | None]) -> None:
    """Wait for the mark after the last tile: by then the coarser levels are complete."""
    if feed.get() is not _END:
        raise _Cancelled


def _store(file: SlideFile, feed: Queue[bytes | None], levels: list[_Level]) -> None:
    """Write level 0 as it comes, then the coarser levels from their spools."""
    import tifffile

    how: dict[str, Any] = {
        "tile": (TILE, TILE),
        "compression": "jpeg",
        "photometric": "ycbcr",
        "subsampling": (1, 1),
    }
    how |= {"dtype": np.uint8, "metadata": None, "resolutionunit": "CENTIMETER"}
    rows, cols = file.shape_px
    dots = 1e4 / file.um_per_px
    with tifffile.TiffWriter(file.path, bigtiff=rows * cols > 2**31) as tif:
        tif.write(
            _fed(feed), shape=(rows, cols, 3), subifds=len(levels), description=file.ome_xml(),
            resolution=(dots, dots), software="napari-her2", **how,
        )  # fmt: skip
        _ended(feed)
        for k, level in enumerate(levels, 1):
            resolution = dots / 2**k, dots / 2**k
            tif.write(level.stored(), shape=(*level.shape, 3), subfiletype=1, resolution=resolution, **how)


def _chain(file: SlideFile, blank: bytes, folder: Path) -> list[_Level]:
    """Coarser levels, finest first, each knowing the next."""
    levels: list[_Level] = []
    for k, shape in reversed(list(enumerate(file.level_shapes[1:]))):
        spool = (folder / f"level-{k}").open("w+b")
        levels.insert(0, _Level(file, shape, blank, spool, levels[0] if levels else None))
    return levels
