"""The pixels of the edit window: what is shown, whose they are, and what the last stroke changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation import Stroke, to_codes, to_labels
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from napari_her2.annotation import EditWindow, MaskKind

    Labels = np.ndarray[Any, np.dtype[np.uint8]]

__all__ = ["MODEL_AGAIN", "WindowPixels"]

MODEL_AGAIN: Final = 254
"""Painted with the tool that gives pixels back to the model; never stored."""

MODEL, PERSON = "model", "person"


@dataclass(slots=True, eq=False)
class WindowPixels:
    """The edit window in memory.

    Attributes
    ----------
    window : EditWindow
    model : uint8 ndarray of shape (rows, cols)
        Labels by the model.
    codes : uint8 ndarray
        A person's layer; 0 where no person has been.
    shown : uint8 ndarray
        Labels as they were when the last stroke was taken; the person paints on a copy.
    """

    window: EditWindow
    model: Labels
    codes: Labels
    shown: Labels

    @classmethod
    def of(cls, window: EditWindow, codes: Labels, model: Labels) -> WindowPixels:
        """From what the mask and the model say."""
        return cls(window, model, codes, to_labels(codes, model))

    def take(self, painted: Labels, **about: Any) -> Stroke | None:
        """Return what was painted since the last time, None where nothing was.

        Pixels painted with :data:`MODEL_AGAIN` get the model's label in ``painted``.

        Parameters
        ----------
        painted : uint8 ndarray
            The array under the brush; changed only where the model's label comes back.
        **about
            For the log: tool, class…
        """
        differs = painted != self.shown
        rows, cols = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return None
        box = Box(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0] + 1), int(cols[-1] - cols[0] + 1))
        part, changed = box.slices, differs[box.slices]
        codes = np.where(painted[part] == MODEL_AGAIN, 0, to_codes(painted[part])).astype(np.uint8)
        before = self._tally(part, changed)
        self.codes[part] = np.where(changed, codes, self.codes[part])
        painted[part] = np.where(changed, to_labels(self.codes[part], self.model[part]), painted[part])
        self.shown[part] = painted[part]
        facts = {**about, "before": before, "after": self._tally(part, changed), **self._place(box, changed)}
        at = box.shifted(self.window.box.row, self.window.box.col)
        return Stroke(box=at, codes=codes, changed=changed.copy(), level=self.window.level, about=facts)

    def overlay(self, stroke: Stroke) -> None:
        """Show a stroke that is not on the disk yet."""
        box, step, fine = self.window.box, 2**self.window.level, 2**stroke.level
        rows = ((np.arange(box.row, box.row_stop) + 0.5) * step / fine).astype(np.int64) - stroke.box.row
        cols = ((np.arange(box.col, box.col_stop) + 0.5) * step / fine).astype(np.int64) - stroke.box.col
        inside = np.ix_(
            np.flatnonzero((rows >= 0) & (rows < stroke.box.height)),
            np.flatnonzero((cols >= 0) & (cols < stroke.box.width)),
        )
        source = np.ix_(rows[inside[0].ravel()], cols[inside[1].ravel()])
        changed = stroke.changed[source]
        self.codes[inside] = np.where(changed, stroke.codes[source], self.codes[inside])
        self.shown = to_labels(self.codes, self.model)

    def whose(self, row: int, col: int) -> tuple[int, str] | None:
        """Return label and author (``model``, ``person`` or nobody) of a pixel; None outside."""
        rows, cols = self.shown.shape
        if not (0 <= row < rows and 0 <= col < cols):
            return None
        author = PERSON if self.codes[row, col] else MODEL if self.model[row, col] else ""
        return int(self.shown[row, col]), author

    def _tally(self, part: tuple[slice, slice], changed: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
        """Count pixels by label and author: ``{"1+ (model)": 1234, …}`` with values for names."""
        labels, codes = self.shown[part][changed], self.codes[part][changed]
        found: dict[str, int] = {}
        for author, chosen in ((MODEL, codes == 0), (PERSON, codes != 0)):
            for value, n in enumerate(np.bincount(labels[chosen], minlength=256)):
                if n:
                    found[f"{value}:{author}"] = int(n)
        return found

    def _place(self, box: Box, changed: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
        """Return where it lies (x, y, width, height in level-0 pixels) and its area."""
        at = box.shifted(self.window.box.row, self.window.box.col)
        scale = 2**self.window.level
        area = float(np.count_nonzero(changed)) * self.window.scale_um**2 / 1e6
        return {"box": [n * scale for n in at.xywh], "mm2": round(area, 6)}


def named(tally: dict[str, int], kind: MaskKind) -> dict[str, int]:
    """Return a tally with the names of classes for values."""
    out: dict[str, int] = {}
    for key, n in tally.items():
        value, author = key.split(":")
        known = kind.by_value.get(int(value))
        out[f"{known.name if known else value} ({author})"] = n
    return out
