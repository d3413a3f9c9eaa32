"""Masks and strokes for the tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.annotation import HER2, EditableMask, MaskFacts, Stroke
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from pathlib import Path


class Log:
    """Entries in memory."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def append(self, entry: Any) -> None:
        self.entries.append(dict(entry))

    def last_step(self, mask: str) -> int:
        return max((entry["step"] for entry in self.entries if entry["mask"] == mask), default=0)


def facts(shape: tuple[int, int] = (3000, 4000), **more: Any) -> MaskFacts:
    return MaskFacts(kind=HER2, slide="ihc", shape=shape, um_per_px=0.25, **more)


def opened(folder: Path, log: Log | None = None, shape: tuple[int, int] = (3000, 4000)) -> EditableMask:
    return EditableMask(folder, facts(shape), log or Log())


def stroke(row: int, col: int, size: int, code: int, level: int = 0, **about: Any) -> Stroke:
    """A disc."""
    axis = np.arange(size) - (size - 1) / 2
    disc = np.hypot(axis[:, None], axis) <= size / 2
    return Stroke(
        box=Box(row, col, size, size),
        codes=np.full((size, size), code, np.uint8),
        changed=disc,
        level=level,
        about=about,
    )


def painted(reference: np.ndarray[Any, Any], one: Stroke) -> None:
    """The same stroke on a plain array."""
    scale = 2**one.level
    codes, changed = (np.repeat(np.repeat(a, scale, 0), scale, 1) for a in (one.codes, one.changed))
    row, col = one.box.row * scale, one.box.col * scale
    top, left = max(0, -row), max(0, -col)
    part = reference[max(0, row) : row + len(codes), max(0, col) : col + len(codes)]
    inside = (slice(top, top + part.shape[0]), slice(left, left + part.shape[1]))
    part[changed[inside]] = codes[inside][changed[inside]]
