"""OME-TIFF, pyramidal, tiled and striped TIFF: single tiles, decoded one by one, by any thread."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.files import FileBytes
from napari_her2.slides.held import Held, check_size
from napari_her2.slides.source import Facts
from napari_her2.slides.tiff_layout import (
    ASSOCIATED_ALPHA,
    Colours,
    Plane,
    TiffLevel,
    check_chain,
    main_series,
    tiff_levels,
)
from napari_her2.slides.tiff_notes import notes_of

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile
    from numpy.typing import NDArray

__all__ = ["TiffSource", "reads_exactly"]

# tifffile logs what it skips; without a handler Python would print that beside our one sentence.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

ICC_TAG = 34675
JPEG_START, J2K_START, JPEG_END = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd9"
EXACT_CODES = (1, 5, 7, 8, 33005)  # raw, LZW, JPEG, deflate, JPEG 2000 in RGB
ASSOCIATED = ("label", "macro", "thumbnail", "overview")


class TiffSource:
    """Reads what tifffile lays out; the file is parsed once, pixels come by position afterwards."""

    def __init__(self, path: Path) -> None:
        import tifffile

        self._path, self._name = path, path.name
        try:
            with tifffile.TiffFile(path) as tiff:
                self._parse(tiff)
        except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError) as error:
            what = f"is a damaged TIFF ({_short(error)})"
            raise SlideError(f"{self._name} {what}: copy or export it again") from error
        self._bytes = FileBytes(path)
        self._held = {
            number: Held(partial(self._whole, level))
            for number, level in enumerate(self._levels)
            if level.whole
        }

    def _parse(self, tiff: tifffile.TiffFile) -> None:
        check_chain(self._name, tiff)
        index = main_series(self._name, tiff.series)
        self._levels = tiff_levels(self._name, tiff, index)
        for level in self._levels:
            if level.whole:
                check_size(self._name, level.grid.shape)
        first = tiff.series[index].keyframe
        profile = first.tags.get(ICC_TAG)
        self._icc = None if profile is None else bytes(profile.value)
        self._associated = {
            series.name.lower(): number
            for number, series in enumerate(tiff.series)
            if number != index and series.name.lower() in ASSOCIATED
        }
        notes = notes_of(tiff, index)
        plain = len(self._levels) == 1 and not first.is_tiled
        self.facts = Facts(
            format="field" if plain else "tiff",
            grids=tuple(level.grid for level in self._levels),
            um_per_px=notes.um_per_px,
            vendor=notes.vendor,
            objective=notes.objective,
            associated=tuple(sorted(self._associated)),
        )

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile; see :class:`napari_her2.slides.source.Source`."""
        if level in self._held:
            return self._held[level].tile(row, col)
        one = self._levels[level]
        planes = [self._samples(one, plane, row, col) for plane in one.planes]
        samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
        return to_rgb(samples, one.colours)

    def _samples(self, level: TiffLevel, plane: Plane, row: int, col: int) -> NDArray[np.uint8]:
        if level.strip_rows == 0:
            return self._segment(level, plane, row * level.grid.counts[1] + col)
        (rows, _), (tile_rows, width) = level.grid.shape, level.grid.tile
        start, stop = row * tile_rows, min((row + 1) * tile_rows, rows)
        if plane.decode is None and level.strip_rows == 1:  # raw rows lie one after the other
            data = self._bytes.read(int(plane.offsets[start]), int(plane.counts[start:stop].sum()))
            return np.frombuffer(data, np.uint8).reshape(stop - start, width, -1)
        strips = range(start // level.strip_rows, -(-stop // level.strip_rows))
        return np.concatenate([self._segment(level, plane, strip) for strip in strips])

    def _whole(self, level: TiffLevel) -> NDArray[np.uint8]:
        """All strips of an image."""
        strips = range(-(-level.grid.shape[0] // level.strip_rows))
        planes = [np.concatenate([self._segment(level, plane, i) for i in strips]) for plane in level.planes]
        return to_rgb(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2), level.colours)

    def _segment(self, level: TiffLevel, plane: Plane, index: int) -> NDArray[np.uint8]:
        offset, count = int(plane.offsets[index]), int(plane.counts[index])
        if offset == 0 or count == 0:
            raise self._broken(index, "it is missing")
        data = self._bytes.read(offset, count)
        if _cut_off(data, plane.is_jpeg):
            raise self._broken(index, "its JPEG data are cut off")
        return self._decoded(level, plane, index, data)

    def _decoded(self, level: TiffLevel, plane: Plane, index: int, data: bytes) -> NDArray[np.uint8]:
        try:
            if plane.decode is None:
                height, width = (
                    level.grid.tile if level.strip_rows == 0 else (level.strip_rows, level.grid.shape[1])
                )
                samples = level.colours.samples if len(level.planes) == 1 else 1
                return np.frombuffer(data, np.uint8).reshape(-1, width, samples)[:height]
            tables = {"jpegtables": plane.tables} if plane.is_jpeg else {}
            segment, _, _ = plane.decode(data, plane.first + index, **tables)
        except (ValueError, RuntimeError, NotImplementedError, ImportError) as error:
            raise self._broken(index, _short(error)) from error
        return np.asarray(segment[0], np.uint8)

    def _broken(self, index: int, why: str) -> SlideError:
        return SlideError(
            f"{self._name}: tile {index} cannot be decoded, {why}: copy or export the file again"
        )

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Decode a whole small image."""
        import tifffile

        with tifffile.TiffFile(self._path) as tiff:
            pixels = np.asarray(tiff.series[self._associated[name]].asarray())
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
            raise SlideError(f"{self._name}: the image {name!r} has no 8-bit colours to show")
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        return np.ascontiguousarray(np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3)))

    def icc(self) -> bytes | None:
        """Return the profile of the first page."""
        return self._icc

    def close(self) -> None:
        """Release the file and what was decoded as a whole."""
        self._bytes.close()
        self._held = {number: Held(partial(self._whole, self._levels[number])) for number in self._held}


def reads_exactly(path: Path) -> bool:
    """Whether a vendor's TIFF has tiles that can be decoded without knowing the vendor.

    Aperio's JPEG 2000 in YCbCr (33003) cannot: its tags do not say so.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return int(tiff.pages[0].compression) in EXACT_CODES
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError):
        return False


def to_rgb(samples: NDArray[np.uint8], colours: Colours) -> NDArray[np.uint8]:
    """Turn grey, RGB or RGBA samples (h, w, n) into (h, w, 3), or (h, w, 4) with straight alpha."""
    if colours.samples == 1:
        grey = 255 - samples if colours.inverted else samples
        return np.repeat(grey, 3, axis=2)
    if colours.samples == 3:
        return samples if samples.flags.owndata else np.ascontiguousarray(samples)
    if colours.alpha == 0:
        return np.ascontiguousarray(samples[..., :3])
    return _straight(samples) if colours.alpha == ASSOCIATED_ALPHA else samples


def _straight(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo premultiplied alpha."""
    alpha = samples[..., 3:].astype(np.float32)
    rgb = np.minimum(samples[..., :3] * (255 / np.maximum(alpha, 1)), 255)
    return np.concatenate([np.rint(rgb).astype(np.uint8), samples[..., 3:]], axis=2)


def _cut_off(data: bytes, is_jpeg: bool) -> bool:
    """Whether JPEG or JPEG 2000 data lack their end: the decoders would fill up with grey."""
    if data.startswith((JPEG_START, J2K_START)):
        return not data.rstrip(b"\0").endswith(JPEG_END)
    return is_jpeg


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
