"""What was looked at, and how closely: a map over the IHC, kept where the reader has asked for it. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2._napari.viewing import magnification

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps

__all__ = ["Recorder", "keep_seen", "read_seen"]

STEP_UM: Final = 50.0
CLOSE: Final = 5.0
"""Seen from this magnification on: below it a membrane is not told."""


class Recorder:
    """The highest magnification at which each place of a slide was in view.

    Parameters
    ----------
    size_um : (height, width)
        Of the IHC.
    seen : ndarray of float32, optional
        Of an earlier session.
    """

    def __init__(self, size_um: tuple[float, float], seen: NDArray[np.float32] | None = None) -> None:
        shape = (max(int(np.ceil(size_um[0] / STEP_UM)), 1), max(int(np.ceil(size_um[1] / STEP_UM)), 1))
        self.seen = np.zeros(shape, np.float32)
        if seen is not None and seen.shape == shape:
            self.seen[...] = seen

    def look(self, corners_um: NDArray[np.float64], zoom: float) -> bool:
        """Note a view (µm of the IHC); return whether anything is new."""
        low = np.clip(np.ceil(corners_um.min(axis=0) / STEP_UM), 0, self.seen.shape).astype(int)
        high = np.clip(np.floor(corners_um.max(axis=0) / STEP_UM), 0, self.seen.shape).astype(int)
        part = self.seen[low[0] : high[0], low[1] : high[1]]
        value = np.float32(magnification(zoom))
        new = bool((part < value).any())
        np.maximum(part, value, out=part)
        return new

    @property
    def close(self) -> NDArray[np.bool_]:
        """Where it was looked closely enough to see membranes."""
        return self.seen >= CLOSE

    def fraction(self, points_um: NDArray[np.float64]) -> float:
        """Return the share of points (n, 2), such as tumour cells, that were looked at closely."""
        if not len(points_um):
            return 0.0
        at = np.clip(np.floor(points_um / STEP_UM).astype(int), 0, np.array(self.seen.shape) - 1)
        return float(self.close[at[:, 0], at[:, 1]].mean())


def read_seen(case: Path, reader: str) -> NDArray[np.float32] | None:
    """Return what a reader saw in earlier sessions."""
    from napari_her2.case.worklist_notes import seen_path
    from napari_her2.errors import CaseError
    from napari_her2.store import read_json

    path = seen_path(case, reader)
    try:
        return np.asarray(read_json(path)["magnification"], np.float32) if path.is_file() else None
    except (CaseError, KeyError, TypeError, ValueError):
        return None


def keep_seen(case: Path, reader: str, seen: NDArray[np.float32]) -> Steps[None]:
    """Write what was seen, beside the reader's other notes; for a background thread."""
    from napari_her2.case.worklist_notes import seen_path
    from napari_her2.store import write_json

    yield from ()
    values = [[round(float(value), 1) for value in row] for row in seen]
    write_json(seen_path(case, reader), {"step_um": STEP_UM, "magnification": values})
