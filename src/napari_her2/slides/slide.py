"""The slide: one face for every format."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_her2.errors import NoResolutionError, SlideError
from napari_her2.geometry import Box
from napari_her2.slides.hashing import files_of, sha256_of
from napari_her2.slides.levels import Level
from napari_her2.slides.mosaic import Mosaic, composite
from napari_her2.slides.resample import resample
from napari_her2.slides.white import White, find_white

if TYPE_CHECKING:
    from pathlib import Path

    import dask.array as da
    from numpy.typing import NDArray

    from napari_her2.slides.source import Source

__all__ = ["Slide", "SlideRef"]

FINE_ENOUGH = 1.02  # a level may be this much coarser than wanted
WHITE_FROM_PX = 1024  # longest side of the picture that glass is looked for on, at least


@dataclass(frozen=True, slots=True)
class SlideRef:
    """How to open the same slide again, in another process too.

    Attributes
    ----------
    path : Path
        File or folder.
    um_per_px : float or None
        As given by the user; None if the file states it.
    white : White or None
        As given by a person or taken from another slide; None if it is to be found on this one.
    """

    path: Path
    um_per_px: float | None = None
    white: White | None = None

    def open(self) -> Slide:
        """Open it; close it after use."""
        from napari_her2.slides.opening import open_slide

        return open_slide(self.path, um_per_px=self.um_per_px, white=self.white)


class Slide:
    """A lazily read pyramid; a context manager; every method may be called from several threads.

    Made by :func:`napari_her2.slides.open_slide`. Regions are boxes in level-0 pixels, corner-based;
    what lies outside the scanned area has the colour ``white``.

    Attributes
    ----------
    path : Path
    name : str
        Name of the file or folder, without the path.
    format : str
        ``openslide``, ``tiff``, ``ome-zarr``, ``dicom`` or ``field`` (a plain picture).
    vendor : str or None
    objective : float or None
        Magnification of the objective, e.g. 40.
    associated : tuple of str
        Names of further images (label, macro, thumbnail); they may show identifying text, so they
        are read only on request and never exported.
    levels : tuple of Level
    shape : tuple of int
        (rows, cols) of level 0.
    """

    def __init__(
        self, path: Path, source: Source, um_per_px: float | None, option: str, white: White | None = None
    ) -> None:
        facts = source.facts
        self.path, self.name = path, facts.name or path.name
        self.format, self.vendor, self.objective = facts.format, facts.vendor, facts.objective
        self.associated = facts.associated
        self._source, self._option, self._given, self._given_white = source, option, um_per_px, white
        self._mosaic = Mosaic(source)
        self._um_per_px = (
            um_per_px if um_per_px is not None else _one_size(self.name, facts.um_per_px, option)
        )
        self.levels = _levels(self._mosaic, self._um_per_px)
        self.shape = self.levels[0].shape
        self._finalizer = weakref.finalize(self, _release, source, self._mosaic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        size = "no um/px" if self._um_per_px is None else f"{self._um_per_px:g} um/px"
        return f"<Slide {self.name}: {self.format}, {self.shape[0]} x {self.shape[1]} px, {size}>"

    @property
    def closed(self) -> bool:
        """Whether the files have been released."""
        return not self._finalizer.alive

    @property
    def ref(self) -> SlideRef:
        """What another process needs to open this slide."""
        return SlideRef(self.path, self._given, self._given_white)

    @property
    def has_um_per_px(self) -> bool:
        """Whether a pixel size is stated or was given."""
        return self._um_per_px is not None

    @property
    def um_per_px(self) -> float:
        """Size of a level-0 pixel in µm.

        Raises
        ------
        NoResolutionError
            If the file states none and none was given.
        """
        if self._um_per_px is None:
            raise NoResolutionError(self.path, self._option)
        return self._um_per_px

    @cached_property
    def icc(self) -> bytes | None:
        """Embedded colour profile of the pixels; it is not applied, see :func:`to_srgb`."""
        return self._source.icc()

    @property
    def white(self) -> tuple[float, float, float]:
        """Colour of empty glass (red, green, blue; 0..255); also the padding."""
        return self.background.rgb

    @property
    def background(self) -> White:
        """The white with its origin: as given, or looked for on the coarsest level that shows enough."""
        return self._found_white if self._given_white is None else self._given_white

    def give_white(self, white: White | None) -> None:
        """Set the white that a person picked or that another slide shows; None looks for it here."""
        self._given_white = white

    @cached_property
    def _found_white(self) -> White:
        shown = [level for level in self.levels if max(level.shape) >= WHITE_FROM_PX]
        level = shown[-1] if shown else self.levels[0]
        block = self._mosaic.block(Box.of_shape(level.shape), level.index)
        factor = max(max(level.shape) // WHITE_FROM_PX, 1)
        alpha = None if block.alpha is None else _shrunk(block.alpha, factor)
        return find_white(_shrunk(block.rgb, factor), alpha)

    @cached_property
    def pyramid(self) -> tuple[da.Array, ...]:
        """One (rows, cols, 3) uint8 dask array per level, read through this slide while it is open."""
        from napari_her2.slides.lazy import lazy_level

        return tuple(lazy_level(self, level, self._mosaic.grids[level.index]) for level in self.levels)

    def read(self, region: Box, level: int = 0) -> NDArray[np.uint8]:
        """Pixels of a region at a level.

        Parameters
        ----------
        region : Box
            In level-0 pixels; may reach outside the slide.
        level : int
            Index into ``levels``.

        Returns
        -------
        ndarray of shape (h, w, 3), uint8
            Of the size of ``region.divided(levels[level].downsample)``.

        Raises
        ------
        SlideError
            If a tile is missing, truncated or cannot be decoded, or the slide is closed.
        """
        return self.read_level(region.divided(self.levels[level].downsample), level)

    def read_level(self, box: Box, level: int) -> NDArray[np.uint8]:
        """Pixels of a box given in the pixels of a level; see :meth:`read`."""
        if self.closed:
            raise SlideError(f"{self.name} is closed: open it again to read from it")
        block = self._mosaic.block(box, level)
        if block.alpha is None:
            return block.rgb
        return composite(block, np.rint(self.white).astype(np.uint8))

    def read_at(self, region: Box, um_per_px: float) -> NDArray[np.uint8]:
        """Pixels of a region at a pixel size, averaged over area from the coarsest level fine enough.

        Parameters
        ----------
        region : Box
            In level-0 pixels.
        um_per_px : float
            Wanted size of a pixel in µm.

        Returns
        -------
        ndarray of shape (h, w, 3), uint8
            h = max(1, round(region.height · slide µm/px ÷ wanted µm/px)), w likewise; it spans the
            region exactly.

        Raises
        ------
        NoResolutionError
            If the slide has no pixel size.
        """
        factor = um_per_px / self.um_per_px
        shape = (max(1, round(region.height / factor)), max(1, round(region.width / factor)))
        return self._resampled(region, shape, factor)

    def thumbnail(self, max_px: int = 1024) -> NDArray[np.uint8]:
        """Return the whole slide, its longer side at most ``max_px``; (h, w, 3) uint8."""
        factor = max(1.0, max(self.shape) / max_px)
        shape = (max(1, round(self.shape[0] / factor)), max(1, round(self.shape[1] / factor)))
        return self._resampled(Box.of_shape(self.shape), shape, factor)

    def _resampled(self, region: Box, shape: tuple[int, int], factor: float) -> NDArray[np.uint8]:
        fine = [level for level in self.levels if level.downsample <= factor * FINE_ENOUGH]
        level = fine[-1] if fine else self.levels[0]
        scale = 1 / level.downsample
        start = (region.row * scale, region.col * scale)
        step = (region.height * scale / shape[0], region.width * scale / shape[1])
        return resample(lambda box: self.read_level(box, level.index), start, step, shape)

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Return one of ``associated`` as (h, w, 3) uint8, for the screen only: it may identify a patient.

        Raises
        ------
        SlideError
            If the slide has no such image or it cannot be decoded.
        """
        if name not in self.associated:
            has = ", ".join(self.associated) or "none"
            raise SlideError(f"{self.name} has no associated image {name!r}: it has {has}")
        return self._source.associated_image(name)

    def sha256(self) -> str:
        """Hash of the file, or of the names and contents of all files of a folder; computed once."""
        return self._sha256

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All files that the slide consists of."""
        return self._source.facts.files or files_of(self.path)

    @cached_property
    def _sha256(self) -> str:
        alone = self.files == (self.path,)
        return sha256_of(self.files, None if alone else _root(self.path))

    def close(self) -> None:
        """Release the files and the cached tiles; safe to call twice."""
        self._finalizer()


def _root(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _release(source: Source, mosaic: Mosaic) -> None:
    source.close()
    mosaic.forget()


def _one_size(name: str, stated: tuple[float, float] | None, option: str) -> float | None:
    """One pixel size for both axes."""
    if stated is None:
        return None
    rows, cols = stated
    if abs(rows - cols) > 0.01 * min(rows, cols):
        raise SlideError(
            f"{name} states pixels of {cols:.4g} x {rows:.4g} um (width x height): only square pixels can be "
            f"scored, so resample it, or give {option} if the file is wrong"
        )
    return (rows + cols) / 2


def _levels(mosaic: Mosaic, um_per_px: float | None) -> tuple[Level, ...]:
    levels: list[Level] = []
    for index, (grid, factor) in enumerate(zip(mosaic.grids, mosaic.downsamples, strict=True)):
        size = None if um_per_px is None else um_per_px * factor
        levels.append(Level(index, grid.shape, factor, size, stored=index < mosaic.n_stored))
    return tuple(levels)


def _shrunk(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Mean over squares of ``factor`` pixels."""
    if factor == 1:
        return pixels
    import cv2

    size = pixels.shape[1] // factor, pixels.shape[0] // factor
    shrunk: NDArray[np.uint8] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return shrunk
