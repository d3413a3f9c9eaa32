"""One act of painting: what the person did on the screen, and what it changes at level 0."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_her2.store import LabelPyramid

    Codes = NDArray[np.uint8]

__all__ = ["AreaStroke", "ChunkPatch", "Stroke", "packed_patches", "patches_of", "unpacked_patches"]

CHUNK_PX = 512
"""Patches are cut along the chunks of the pyramid, so that each chunk is read and written once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stroke:
    """What one brush stroke, fill, polygon… says.

    Attributes
    ----------
    box : Box
        In the pixels of ``level``.
    codes : uint8 ndarray of shape (height, width)
        See :class:`~napari_her2.annotation.classes.MaskKind`; 0 gives the pixel back to the model.
    changed : bool ndarray of shape (height, width)
        Where the stroke says something.
    level : int
        It was drawn on pixels ``2**level`` times coarser than level 0.
    about : mapping
        Who, when, with which tool, before and after: plain JSON values for the log.
    """

    box: Box
    codes: Codes
    changed: NDArray[np.bool_]
    level: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fine_box(self) -> Box:
        """Return its box at level 0."""
        scale, box = 2**self.level, self.box
        return Box(box.row * scale, box.col * scale, box.height * scale, box.width * scale)

    def piece(self, chunk: Box) -> tuple[NDArray[np.bool_], Codes | int]:
        """Return which pixels of a chunk of level 0 it changes, and to what."""
        scale = 2**self.level
        rows = np.arange(chunk.row, chunk.row_stop) // scale - self.box.row
        cols = np.arange(chunk.col, chunk.col_stop) // scale - self.box.col
        where = np.ix_(rows, cols)
        return self.changed[where], self.codes[where]


@dataclass(frozen=True, slots=True, eq=False)
class ChunkPatch:
    """Codes of a box inside one chunk of level 0, before and after."""

    box: Box
    before: Codes
    after: Codes

    @property
    def reversed(self) -> ChunkPatch:
        """Return the patch that takes this one back."""
        return ChunkPatch(self.box, self.after, self.before)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaStroke:
    """An area of any size that gets one code, to the pixel; worked out chunk by chunk.

    Attributes
    ----------
    shape : shapely geometry
        In level-0 pixels.
    code : int
    about : mapping
        As of a :class:`Stroke`.
    """

    shape: Any
    code: int
    about: Mapping[str, Any] = field(default_factory=dict)
    level: int = 0

    @property
    def fine_box(self) -> Box:
        """Return the box of level 0 that it lies in."""
        top, left, bottom, right = (int(np.floor(value)) for value in self.shape.bounds)
        return Box(top, left, bottom + 1 - top, right + 1 - left)

    def piece(self, chunk: Box) -> tuple[NDArray[np.bool_], Codes | int]:
        """Return which pixels of a chunk it changes, and to what."""
        from napari_her2.annotation.polygons import rasterised

        return rasterised(self.shape, chunk), self.code


def patches_of(stroke: Stroke | AreaStroke, pyramid: LabelPyramid) -> Iterator[ChunkPatch]:
    """Return what a stroke changes at level 0, chunk by chunk; nothing where it changes nothing."""
    fine = stroke.fine_box.intersect(Box.of_shape(pyramid.shapes[0]))
    for chunk in () if fine is None else _chunks(fine):
        changed, codes = stroke.piece(chunk)
        if changed.any():
            before = pyramid.read(chunk)
            after = np.where(changed, codes, before).astype(np.uint8)
            if (patch := _trimmed(chunk, before, after)) is not None:
                yield patch


def _chunks(box: Box) -> Iterator[Box]:
    """Cut a box along the chunks."""
    for row in range(box.row // CHUNK_PX, (box.row_stop - 1) // CHUNK_PX + 1):
        for col in range(box.col // CHUNK_PX, (box.col_stop - 1) // CHUNK_PX + 1):
            part = Box(row * CHUNK_PX, col * CHUNK_PX, CHUNK_PX, CHUNK_PX).intersect(box)
            if part is not None:
                yield part


def _trimmed(box: Box, before: Codes, after: Codes) -> ChunkPatch | None:
    """Return the patch of the smallest box that holds every difference."""
    differs = before != after
    rows, cols = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return None
    part = Box(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0] + 1), int(cols[-1] - cols[0] + 1))
    inside = part.slices
    return ChunkPatch(
        part.shifted(box.row, box.col),
        np.ascontiguousarray(before[inside]),
        np.ascontiguousarray(after[inside]),
    )


def packed_patches(patches: Sequence[ChunkPatch]) -> tuple[list[list[int]], bytes]:
    """Return (row, col, height, width, length of the packed codes) of each patch, and the packed codes."""
    table, parts = [], []
    for patch in patches:
        box = patch.box
        part = zlib.compress(patch.before.tobytes() + patch.after.tobytes(), level=1)
        table.append([box.row, box.col, box.height, box.width, len(part)])
        parts.append(part)
    return table, b"".join(parts)


def unpacked_patches(table: Sequence[Sequence[int]], data: bytes) -> list[ChunkPatch]:
    """Return the patches again.

    Raises
    ------
    CaseError
        If the data do not fit the table.
    """
    patches, at = [], 0
    try:
        for row, col, height, width, length in table:
            size = height * width
            raw = zlib.decompress(data[at : at + length])
            both = np.frombuffer(raw, np.uint8, count=2 * size).reshape(2, height, width)
            patches.append(ChunkPatch(Box(row, col, height, width), both[0], both[1]))
            at += length
    except (ValueError, TypeError, zlib.error) as error:
        raise CaseError("the history of the corrections is damaged: older steps cannot be undone") from error
    return patches
