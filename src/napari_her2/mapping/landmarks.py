"""Pairs of points that a person set: ``he_x,he_y,ihc_x,ihc_y`` in level-0 pixels."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import CaseError, OutputError, UsageError
from napari_her2.geometry import from_xy, to_xy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Landmarks", "read_landmarks", "write_landmarks"]

_COLUMNS = ("he_x", "he_y", "ihc_x", "ihc_y")


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Corresponding points of two slides.

    Attributes
    ----------
    he_px, ihc_px : ndarray of shape (n, 2), float64
        (row, col) in level-0 pixels of each slide.
    """

    he_px: NDArray[np.float64]
    ihc_px: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.he_px.shape != self.ihc_px.shape or self.he_px.ndim != 2 or self.he_px.shape[1] != 2:
            raise ValueError(f"landmarks come in pairs, got {self.he_px.shape} and {self.ihc_px.shape}")

    @classmethod
    def of(cls, he_px: ArrayLike = (), ihc_px: ArrayLike = ()) -> Landmarks:
        """From anything array-like; no arguments for an empty set."""
        he, ihc = (np.asarray(side, np.float64).reshape(-1, 2) for side in (he_px, ihc_px))
        return cls(he, ihc)

    def __len__(self) -> int:
        return len(self.he_px)

    def added(self, he_px: ArrayLike, ihc_px: ArrayLike) -> Landmarks:
        """Return the set with one more pair."""
        return Landmarks.of(np.vstack([self.he_px, he_px]), np.vstack([self.ihc_px, ihc_px]))

    def moved(
        self, which: int, *, he_px: ArrayLike | None = None, ihc_px: ArrayLike | None = None
    ) -> Landmarks:
        """Return the set with one end, or both, of pair ``which`` elsewhere."""
        he, ihc = self.he_px.copy(), self.ihc_px.copy()
        if he_px is not None:
            he[which] = he_px
        if ihc_px is not None:
            ihc[which] = ihc_px
        return Landmarks(he, ihc)

    def without(self, which: int) -> Landmarks:
        """Return the set without pair ``which``."""
        return Landmarks(np.delete(self.he_px, which, axis=0), np.delete(self.ihc_px, which, axis=0))


def read_landmarks(
    path: str | Path,
    *,
    he_shape: tuple[int, int] | None = None,
    ihc_shape: tuple[int, int] | None = None,
) -> Landmarks:
    """Read a CSV of landmark pairs; columns may stand in any order and further ones are ignored.

    Parameters
    ----------
    path : str or Path
    he_shape, ihc_shape : tuple of int, optional
        (rows, cols) of level 0; given, points off the image are refused.

    Raises
    ------
    CaseError
        If a column is missing, a value is no number, a point lies off its image, or no pair is there.
    """
    source = Path(path)
    rows = _rows(source)
    table = np.array([_numbers(source, line, row) for line, row in rows]).reshape(-1, 4)
    if not len(table):
        raise CaseError(
            f"{source.name} holds no landmark pair: give one line per pair under {','.join(_COLUMNS)}"
        )
    marks = Landmarks(from_xy(table[:, :2]), from_xy(table[:, 2:]))
    for side, points, shape in (("H&E", marks.he_px, he_shape), ("IHC", marks.ihc_px, ihc_shape)):
        _check_on_image(source, side, points, shape)
    return marks


def write_landmarks(landmarks: Landmarks, path: str | Path) -> None:
    """Write the CSV that :func:`read_landmarks` reads.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    table = np.hstack([to_xy(landmarks.he_px), to_xy(landmarks.ihc_px)])
    lines = [",".join(_COLUMNS), *(",".join(f"{value:.3f}" for value in row) for row in table)]
    try:
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{target.name} cannot be written ({exc.strerror}): choose another place") from exc


def require_pairs(landmarks: Landmarks, least: int) -> None:
    """Refuse fewer than ``least`` pairs.

    Raises
    ------
    UsageError
    """
    if len(landmarks) < least:
        raise UsageError(f"{len(landmarks)} landmark pairs are too few here: set at least {least}")


def _rows(source: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, skipinitialspace=True)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, row) for row in reader]
    except OSError as exc:
        raise CaseError(
            f"{source.name} cannot be read ({exc.strerror}): give a CSV of landmark pairs"
        ) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise CaseError(f"{source.name} is no CSV text: give the columns {','.join(_COLUMNS)}") from exc
    if missing:
        raise CaseError(f"{source.name} lacks the column {missing[0]}: landmarks need {','.join(_COLUMNS)}")
    return rows


def _numbers(source: Path, line: int, row: dict[str, str]) -> Sequence[float]:
    try:
        values = [float(row[name]) for name in _COLUMNS]
    except (TypeError, ValueError) as exc:
        raise CaseError(
            f"{source.name}, line {line}: a landmark needs four numbers, correct or remove it"
        ) from exc
    if not np.isfinite(values).all():
        raise CaseError(f"{source.name}, line {line}: a landmark must be finite, correct or remove it")
    return values


def _check_on_image(
    source: Path, side: str, points: NDArray[np.float64], shape: tuple[int, int] | None
) -> None:
    if shape is None:
        return
    off = np.flatnonzero(((points < 0) | (points > np.asarray(shape))).any(axis=1))
    if off.size:
        row, col = points[off[0]]
        raise CaseError(
            f"{source.name}: landmark {off[0] + 1} at {side} x={col:g}, y={row:g} is not on the image of"
            f" {shape[1]} x {shape[0]} px: use level-0 pixels"
        )
