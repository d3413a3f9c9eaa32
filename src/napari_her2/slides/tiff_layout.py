"""What is where in a TIFF: the images that form the slide, and the encoded pieces of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.held import HELD_TILE_PX
from napari_her2.slides.source import Grid, refuse_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tifffile
    from numpy.typing import NDArray

__all__ = ["Colours", "Plane", "TiffLevel", "check_chain", "main_series", "tiff_levels"]

STRIPS_PX = 2**20  # strips are joined to tiles of about this many pixels
MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
JPEG = 7
ASSOCIATED_ALPHA, UNASSOCIATED_ALPHA = 1, 2
MAX_STRIP_PX = 2**24  # an image in larger strips is decoded once, as a whole


@dataclass(frozen=True, slots=True)
class Colours:
    """How samples become RGB: ``grey`` and ``inverted`` for one channel; the kind of alpha of a fourth."""

    samples: int
    inverted: bool = False
    alpha: int = 0  # 0 none, 1 premultiplied, 2 straight


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plane:
    """The encoded pieces (segments) of the pixels of one page, or of one channel of it.

    Attributes
    ----------
    offsets, counts : ndarray of shape (n,), int64
        Place and length of the segments in the file, row by row.
    first : int
        Number that the decoder gives to segment 0.
    decode : callable or None
        ``decode(bytes, number, jpegtables=...)``; None for raw bytes.
    """

    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: int
    decode: Callable[..., Any] | None
    tables: bytes | None
    is_jpeg: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TiffLevel:
    """One image of the pyramid.

    Attributes
    ----------
    grid : Grid
        Tiles as the slide sees them; joined strips where the image is not tiled.
    strip_rows : int
        Rows per strip; 0 where the image is tiled.
    whole : bool
        The strips are too large to be decoded again and again: ``grid`` cuts the decoded image.
    planes : tuple of Plane
        One with all channels, or one for each channel.
    """

    grid: Grid
    strip_rows: int
    planes: tuple[Plane, ...]
    colours: Colours
    whole: bool = False


def check_chain(name: str, tiff: tifffile.TiffFile) -> None:
    """Refuse a file cut off before its last image: tifffile leaves out what it cannot reach.

    Raises
    ------
    SlideError
        If an image is announced beyond the end of the file.
    """
    size = int(tiff.filehandle.size)
    tiff.filehandle.seek(int(tiff.pages.next_page_offset or 0))
    announced = int.from_bytes(tiff.filehandle.read(tiff.tiff.offsetsize), _order(tiff))
    below = [int(offset) for page in tiff.pages for offset in page.subifds or ()]
    if announced or any(offset >= size for offset in below):
        raise SlideError(
            f"{name} is truncated, an image that it announces is missing: copy or export it again"
        )


def _order(tiff: tifffile.TiffFile) -> Literal["little", "big"]:
    return "little" if tiff.byteorder == "<" else "big"


def main_series(name: str, series: Sequence[tifffile.TiffPageSeries]) -> int:
    """Index of the series with the largest image."""
    areas = [int(np.prod(_rows_cols(one))) for one in series]
    if not areas or max(areas) == 0:
        raise SlideError(f"{name} holds no image: copy or export it again")
    return int(np.argmax(areas))


def _rows_cols(series: tifffile.TiffPageSeries) -> tuple[int, int]:
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return int(sizes.get("Y", 0)), int(sizes.get("X", 0))


def tiff_levels(name: str, tiff: tifffile.TiffFile, index: int) -> tuple[TiffLevel, ...]:
    """Levels of a series, level 0 first.

    A pyramid that states no sub-images (neither SubIFDs nor reduced pages) is found among the other
    tiled pages; what does not fit the aspect is dropped later.

    Raises
    ------
    SlideError
        If the pixels are of an unsupported kind or the file ends before its tiles do.
    """
    series = tiff.series[index]
    found = list(series.levels)
    if len(found) == 1 and not tiff.is_ome:
        found += [
            other
            for number, other in enumerate(tiff.series)
            if number != index and other.keyframe.is_tiled and other.axes == series.axes
        ]
    levels = tuple(_level(name, one) for one in found)
    for level in levels:
        _check_ends(name, level, int(tiff.filehandle.size))
    return levels


def _level(name: str, series: tifffile.TiffPageSeries) -> TiffLevel:
    page = series.keyframe
    channels = _check_axes(name, series)
    colours = _colours(name, page, channels)
    if channels > 1 and "S" not in series.axes:
        pages = list(series.pages)
        if len(pages) != channels or any(one is None for one in pages):
            raise refuse_pixels(name, f"{channels} channels in {len(pages)} pages")
        planes = tuple(_plane(page, one, 0, 1) for one in pages)
    else:
        n_planes = page.samplesperpixel if page.planarconfig == 2 else 1
        planes = tuple(_plane(page, series.pages[0], part, n_planes) for part in range(n_planes))
    shape = (int(page.imagelength), int(page.imagewidth))
    if page.is_tiled:
        return TiffLevel(
            grid=Grid(shape, (int(page.tilelength), int(page.tilewidth))),
            strip_rows=0,
            planes=planes,
            colours=colours,
        )
    return _striped(shape, page, planes, colours)


def _check_axes(name: str, series: tifffile.TiffPageSeries) -> int:
    """Return the number of channels of a series; refuse stacks and unsupported samples."""
    page = series.keyframe
    if page.dtype != np.uint8 or page.bitspersample != 8:
        raise refuse_pixels(name, f"{page.bitspersample}-bit pixels ({page.dtype})")
    sizes = dict(zip(series.axes, series.shape, strict=True))
    stacked = {axis: size for axis, size in sizes.items() if axis not in "YXSC" and size > 1}
    if stacked:
        raise refuse_pixels(name, f"{int(np.prod(list(stacked.values())))} planes (axes {series.axes})")
    channels = int(sizes.get("S", 1)) * int(sizes.get("C", 1))
    if channels not in (1, 3, 4) or ("S" in sizes and int(sizes.get("C", 1)) > 1):
        raise refuse_pixels(name, f"{channels} channels (axes {series.axes})")
    return channels


def _colours(name: str, page: tifffile.TiffPage, channels: int) -> Colours:
    if channels == 1:
        if page.photometric not in (MINISBLACK, MINISWHITE, RGB):
            raise refuse_pixels(name, "colours from a palette")
        return Colours(1, inverted=page.photometric == MINISWHITE)
    if page.samplesperpixel == 1:  # one page per channel
        return Colours(channels, alpha=UNASSOCIATED_ALPHA if channels == 4 else 0)
    if page.photometric not in (RGB, YCBCR, MINISBLACK):
        raise refuse_pixels(
            name, f"colours of the kind {getattr(page.photometric, 'name', page.photometric)}"
        )
    if page.photometric == YCBCR and page.compression != JPEG:
        raise refuse_pixels(name, "YCbCr colours without JPEG")
    extra = [int(kind) for kind in page.extrasamples]
    return Colours(channels, alpha=extra[0] if channels == 4 and extra and extra[0] in (1, 2) else 0)


def _plane(keyframe: tifffile.TiffPage, page: Any, part: int, n_parts: int) -> Plane:
    offsets = np.asarray(page.dataoffsets, np.int64)
    counts = np.asarray(page.databytecounts, np.int64)
    size = len(offsets) // n_parts
    mine = slice(part * size, (part + 1) * size)
    raw = keyframe.compression == 1 and keyframe.predictor == 1 and keyframe.fillorder == 1
    return Plane(
        offsets=offsets[mine],
        counts=counts[mine],
        first=part * size,
        decode=None if raw else keyframe.decode,
        tables=keyframe.jpegtables,
        is_jpeg=keyframe.compression == JPEG,
    )


def _striped(
    shape: tuple[int, int], page: tifffile.TiffPage, planes: tuple[Plane, ...], colours: Colours
) -> TiffLevel:
    """Join strips to tiles of full width; raw strips that touch may be cut at any row."""
    rows = min(int(page.rowsperstrip), shape[0])
    samples = int(page.samplesperpixel) if len(planes) == 1 else 1
    if planes[0].decode is None and all(_touch(plane) for plane in planes):
        rows, planes = 1, tuple(_by_row(plane, shape, samples) for plane in planes)
    if rows * shape[1] > MAX_STRIP_PX:
        grid = Grid(shape, (HELD_TILE_PX, HELD_TILE_PX))
        return TiffLevel(grid=grid, strip_rows=rows, planes=planes, colours=colours, whole=True)
    joined = max(STRIPS_PX // (rows * shape[1]), 1) * rows
    return TiffLevel(
        grid=Grid(shape, (min(joined, shape[0]), shape[1])), strip_rows=rows, planes=planes, colours=colours
    )


def _touch(plane: Plane) -> bool:
    return bool((plane.offsets[:-1] + plane.counts[:-1] == plane.offsets[1:]).all())


def _by_row(plane: Plane, shape: tuple[int, int], samples: int) -> Plane:
    size = shape[1] * samples
    return Plane(
        offsets=plane.offsets[0] + size * np.arange(shape[0], dtype=np.int64),
        counts=np.full(shape[0], size, np.int64),
        first=0,
        decode=None,
        tables=None,
        is_jpeg=False,
    )


def _check_ends(name: str, level: TiffLevel, size: int) -> None:
    needed = level.grid.counts if level.strip_rows == 0 else (-(-level.grid.shape[0] // level.strip_rows), 1)
    for plane in level.planes:
        if len(plane.offsets) < needed[0] * needed[1] or len(plane.counts) != len(plane.offsets):
            raise SlideError(f"{name} lists fewer tiles than its size needs: copy or export it again")
        if len(plane.offsets) and int((plane.offsets + plane.counts).max()) > size:
            raise SlideError(
                f"{name} is truncated, some of its tiles lie beyond its end: copy or export it again"
            )
