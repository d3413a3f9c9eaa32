"""Vendors' formats (SVS, NDPI, MRXS, SCN, BIF, ...) through OpenSlide."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.resolution import plausible
from napari_her2.slides.source import Facts, Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import openslide
    from numpy.typing import NDArray

__all__ = ["OpenSlideSource", "openslide_vendor"]

DENSE_VENDORS = {"aperio", "dicom"}  # every tile is stored (of DICOM: in those that are read here)
TILE_PX = 512  # where the file names no tile, or one that is too small or large
OWN_CACHE_BYTES = 32 * 2**20  # of OpenSlide, for all slides: its tiles may overlap ours


def openslide_vendor(path: Path) -> str | None:
    """Name of the format as OpenSlide detects it; None where it knows none."""
    import openslide

    try:
        return openslide.OpenSlide.detect_format(str(path))
    except openslide.OpenSlideError:
        return None


@cache
def _shared_cache() -> openslide.OpenSlideCache:
    import openslide

    return openslide.OpenSlideCache(OWN_CACHE_BYTES)


class OpenSlideSource:
    """One OpenSlide handle; OpenSlide itself is safe for threads and decodes without the GIL."""

    def __init__(self, path: Path) -> None:
        import openslide

        self._name, self._path, self._error = path.name, path, openslide.OpenSlideError
        try:
            self._handle: openslide.OpenSlide | None = openslide.OpenSlide(str(path))
            self._handle.set_cache(_shared_cache())
        except openslide.OpenSlideError as error:
            raise self._unreadable(error) from error
        self.properties = properties = dict(self._handle.properties)
        self._background_is_stored = properties.get("openslide.vendor") in DENSE_VENDORS
        self._downsamples = tuple(self._handle.level_downsamples)
        self.facts = Facts(
            format="openslide",
            grids=tuple(_grid(self._handle, level) for level in range(self._handle.level_count)),
            um_per_px=_um_per_px(properties),
            vendor=properties.get("openslide.vendor"),
            objective=_number(properties.get("openslide.objective-power")),
            associated=tuple(sorted(self._handle.associated_images)),
        )

    def _unreadable(self, error: Exception) -> SlideError:
        detail = str(error).replace(str(self._path), self._name)[:200]
        return SlideError(f"{self._name} is damaged or cannot be decoded ({detail}): copy or export it again")

    def _open_handle(self) -> openslide.OpenSlide:
        handle = self._handle
        if handle is None:
            raise SlideError(f"{self._name} is closed: open it again to read from it")
        return handle

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile; see :class:`napari_her2.slides.source.Source`."""
        grid, factor = self.facts.grids[level], self._downsamples[level]
        height, width = grid.tile
        size = (min(width, grid.shape[1] - col * width), min(height, grid.shape[0] - row * height))
        place = (round(col * width * factor), round(row * height * factor))
        try:
            image = self._open_handle().read_region(place, level, size)
        except self._error as error:
            raise self._unreadable(error) from error
        tile = np.asarray(image)
        if self._background_is_stored and tile[..., 3].min() < 255:
            raise SlideError(
                f"{self._name} lacks pixels at x {place[0]}, y {place[1]}: copy or export it again"
            )
        return tile

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Return label, macro or thumbnail over white."""
        try:
            image = self._open_handle().associated_images[name]
        except self._error as error:
            raise self._unreadable(error) from error
        rgba = np.asarray(image).astype(np.float32)
        weight = rgba[..., 3:] / 255
        return np.rint(rgba[..., :3] * weight + 255 * (1 - weight)).astype(np.uint8)

    def icc(self) -> bytes | None:
        """Return the embedded colour profile."""
        try:
            profile = self._open_handle().color_profile
        except self._error:
            return None
        return None if profile is None else profile.tobytes()

    def close(self) -> None:
        """Release the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _um_per_px(properties: Mapping[str, str]) -> tuple[float, float] | None:
    rows, cols = (_number(properties.get(f"openslide.mpp-{axis}")) for axis in "yx")
    return None if rows is None or cols is None else plausible(rows, cols)


def _grid(handle: openslide.OpenSlide, level: int) -> Grid:
    cols, rows = handle.level_dimensions[level]
    height, width = (
        _number(handle.properties.get(f"openslide.level[{level}].tile-{side}")) or 0
        for side in ("height", "width")
    )
    fits = min(height, width) >= 128 and max(height, width) <= 1024
    return Grid((rows, cols), (int(height), int(width)) if fits else (TILE_PX, TILE_PX))
