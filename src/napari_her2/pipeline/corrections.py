"""What people said about a case: painted masks, drawn areas, verdicts on cells; read, never written.

A run puts these words on what it found anew: the person's word holds wherever there is one, the program's
everywhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from napari_her2.annotation import AreaBook, SavedMask, to_codes
from napari_her2.case import key_of
from napari_her2.geometry import Box
from napari_her2.review import CellVerdicts, ReviewLog, read_cell_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.annotation import Area
    from napari_her2.case import CaseFiles

    Words = NDArray[np.uint8]

__all__ = ["ARTEFACT", "IN_SITU", "OUT", "TUMOUR", "UNSAID", "Corrections", "Painted"]

UNSAID: Final = 0
"""No person said anything of a place; the other words follow."""
TUMOUR: Final = 1
IN_SITU: Final = 2
OUT: Final = 3
ARTEFACT: Final = 4

OF_TUMOUR_MASK: Final = {0: OUT, 1: TUMOUR, 2: IN_SITU, 3: OUT}
OF_EXCLUSIONS: Final = {1: ARTEFACT, 2: ARTEFACT, 3: ARTEFACT, 4: ARTEFACT}
OF_AREA: Final = {
    "Tumor": TUMOUR,
    "In situ": IN_SITU,
    "Not tumour": OUT,
    "Necrosis": ARTEFACT,
    "Artefact": ARTEFACT,
}
"""Words of the classes of drawn areas; areas of HER2 classes are for training, not a word on each cell."""

KINDS: Final = ("tumour", "exclusions", "her2")
FAR: Final = 2**20
"""More than there are columns of chunks in any slide."""


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A mask that people painted.

    Attributes
    ----------
    name : str
        As in the log, e.g. ``ihc_tumour``.
    mask : SavedMask
    chunks : tuple of Box
        Of level 0 that hold something.
    digest : str
        Of its pixels.
    """

    name: str
    mask: SavedMask
    chunks: tuple[Box, ...]
    digest: str

    def codes_at(self, points_px: NDArray[np.float64]) -> Words:
        """Return the codes under points (n, 2), (row, col) in level-0 pixels; 0 where nothing is painted."""
        found = np.zeros(len(points_px), np.uint8)
        at = np.floor(points_px).astype(np.int64)
        height, width = self.mask.pyramid.levels[0].chunks
        place = at[:, 0] // height * FAR + at[:, 1] // width
        order = np.argsort(place, kind="stable")
        for box in self.chunks:
            key = box.row // height * FAR + box.col // width
            first, last = np.searchsorted(place, (key, key + 1), sorter=order)
            rows = order[first:last]
            if len(rows):
                codes = self.mask.read(Box(box.row, box.col, height, width))
                found[rows] = codes[tuple((at[rows] - (box.row, box.col)).T)]
        return found

    def words_at(self, points_px: NDArray[np.float64], words: Mapping[int, int]) -> Words:
        """Return a word for each point, by the label that is painted there."""
        table = np.zeros(256, np.uint8)
        for label, word in words.items():
            table[int(to_codes(label))] = word
        return np.asarray(table[self.codes_at(points_px)], np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corrections:
    """All that people said.

    Attributes
    ----------
    masks : mapping of str to Painted
        By name, e.g. ``he_tumour``; empty ones are left out.
    areas : mapping of role to tuple of Area
        That say something about where cells count.
    verdicts : CellVerdicts
    entries : tuple of mapping
        Of ``review.jsonl``, the oldest first.
    notes : tuple of str
        What could not be used, in sentences.
    """

    masks: Mapping[str, Painted] = field(default_factory=dict)
    areas: Mapping[str, tuple[Area, ...]] = field(default_factory=dict)
    verdicts: CellVerdicts = field(default_factory=lambda: read_cell_verdicts(()))
    entries: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, files: CaseFiles, sha256: Mapping[str, str]) -> Self:
        """Read the corrections in a case's folder.

        Parameters
        ----------
        files : CaseFiles
        sha256 : mapping of role to hash
            Of the slides of this run: what was painted on another one is not used.
        """
        notes: list[str] = []
        masks = {}
        for role in sha256:
            for kind in KINDS:
                painted = _painted(files, role, kind, sha256[role], notes)
                if painted is not None:
                    masks[painted.name] = painted
        areas = {role: _areas(files, role, notes) for role in sha256}
        entries = ReviewLog(files.review).entries
        return cls(
            masks=masks,
            areas={role: found for role, found in areas.items() if found},
            verdicts=read_cell_verdicts(entries),
            entries=entries,
            notes=tuple(notes),
        )

    def __bool__(self) -> bool:
        return bool(self.masks or self.areas or len(self.verdicts))

    @cached_property
    def where(self) -> str:
        """Key of all that decides where cells count; empty where nothing was said of it."""
        masks = {name: one.digest for name, one in self.masks.items() if not name.endswith("_her2")}
        areas = {role: [_area_key(area) for area in found] for role, found in self.areas.items()}
        return key_of({"masks": masks, "areas": areas}) if masks or areas else ""

    @cached_property
    def key(self) -> str:
        """Key of all corrections; empty where there are none."""
        if not self:
            return ""
        said = self.verdicts
        digest = hashlib.sha256(
            said.points_px.astype("<f8").tobytes()
            + said.class_code.astype("<i2").tobytes()
            + said.counts.tobytes()
        )
        her2 = {name: one.digest for name, one in self.masks.items() if name.endswith("_her2")}
        return key_of({"where": self.where, "her2": her2, "cells": digest.hexdigest()})

    def words_at(self, role: str, points_px: ArrayLike) -> Words:
        """Return what was said of where points of a slide lie: a painted word goes before a drawn area.

        Parameters
        ----------
        role : {"he", "ihc"}
        points_px : array-like of shape (n, 2)
            (row, col), level-0 pixels of that slide.
        """
        points = np.asarray(points_px, np.float64).reshape(-1, 2)
        words = _inside(self.areas.get(role, ()), points)
        for kind, meaning in (("tumour", OF_TUMOUR_MASK), ("exclusions", OF_EXCLUSIONS)):
            painted = self.masks.get(f"{role}_{kind}")
            if painted is not None:
                said = painted.words_at(points, meaning)
                words = np.where(said == UNSAID, words, said)
        return words

    def raster(self, role: str, shape: tuple[int, ...], level0_px: float) -> Words | None:
        """Return the words at the middles of a raster's pixels; None where nothing was said of the slide."""
        painted = any(f"{role}_{kind}" in self.masks for kind in ("tumour", "exclusions"))
        if not painted and role not in self.areas:
            return None
        places = (np.argwhere(np.ones(shape, np.bool_)) + 0.5) * level0_px
        return self.words_at(role, places).reshape(shape)


def _painted(files: CaseFiles, role: str, kind: str, sha256: str, notes: list[str]) -> Painted | None:
    name = f"{role}_{kind}"
    folder = files.edits / name
    if not (folder / "labels.zarr").is_dir():
        return None
    mask = SavedMask(folder)
    painted_on = str(mask.pyramid.attributes.get("sha256", ""))
    if painted_on and painted_on != sha256:
        notes.append(f"The mask {name} was painted on another slide and is not used.")
        return None
    chunks, digest = [], hashlib.sha256()
    for box in mask.pyramid.chunks():
        labels = mask.read(box)
        if labels.any():
            chunks.append(box)
            digest.update(f"{box.row},{box.col};".encode() + labels.tobytes())
    return Painted(name, mask, tuple(chunks), digest.hexdigest()) if chunks else None


def _areas(files: CaseFiles, role: str, notes: list[str]) -> tuple[Area, ...]:
    book = AreaBook(files.drawn(role))
    notes.extend(book.notes)
    return tuple(area for area in book if area.name in OF_AREA)


def _area_key(area: Area) -> list[str]:
    return [area.name, area.shape.normalize().wkt]


def _inside(areas: Sequence[Area], points: NDArray[np.float64]) -> Words:
    """Return the word of the smallest area about each point."""
    import shapely

    words = np.zeros(len(points), np.uint8)
    for area in sorted(areas, key=lambda one: -float(one.shape.area)):
        shapely.prepare(area.shape)
        words[shapely.contains_xy(area.shape, points[:, 0], points[:, 1])] = OF_AREA[area.name]
    return words
