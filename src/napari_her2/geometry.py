"""Boxes and affine maps in one convention: (row, col), corner-based, level-0 pixels.

The centre of pixel (r, c) is (r + 0.5, c + 0.5). ``x, y`` exist only where files and commands are
read or written; :func:`from_xy` and :func:`to_xy` are that border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Affine", "Box", "from_xy", "to_xy"]


def to_xy(points: ArrayLike) -> NDArray[np.float64]:
    """Points (n, 2) as (row, col) → (x, y)."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)[:, ::-1].copy()


def from_xy(points: ArrayLike) -> NDArray[np.float64]:
    """Points (n, 2) as (x, y) → (row, col)."""
    return to_xy(points)


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open rectangle of pixels, (row, col); level-0 unless the name says otherwise.

    Raises
    ------
    ValueError
        If the height or the width is not positive.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a box needs a positive size, got {self.height} x {self.width}")

    @classmethod
    def from_xywh(cls, x: int, y: int, width: int, height: int) -> Box:
        """From the order that files and commands use."""
        return cls(y, x, height, width)

    @classmethod
    def of_shape(cls, shape: tuple[int, ...]) -> Box:
        """Cover a whole image of that shape (rows, cols, ...)."""
        return cls(0, 0, shape[0], shape[1])

    @property
    def row_stop(self) -> int:
        """First row below the box."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """First column right of the box."""
        return self.col + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array."""
        return slice(self.row, self.row_stop), slice(self.col, self.col_stop)

    @property
    def centre(self) -> tuple[float, float]:
        """(row, col) of the middle."""
        return self.row + self.height / 2, self.col + self.width / 2

    @property
    def xywh(self) -> tuple[int, int, int, int]:
        """The order that files and commands use."""
        return self.col, self.row, self.width, self.height

    def intersect(self, other: Box) -> Box | None:
        """Return the common part, or None where there is none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.row_stop, other.row_stop) - row
        width = min(self.col_stop, other.col_stop) - col
        return Box(row, col, height, width) if height > 0 and width > 0 else None

    def contains(self, other: Box) -> bool:
        """Whether ``other`` lies wholly inside."""
        return self.intersect(other) == other

    def padded(self, margin: int) -> Box:
        """Grown by ``margin`` pixels on every side (shrunk if negative)."""
        return Box(self.row - margin, self.col - margin, self.height + 2 * margin, self.width + 2 * margin)

    def shifted(self, rows: int, cols: int) -> Box:
        """Return the box moved by whole pixels."""
        return Box(self.row + rows, self.col + cols, self.height, self.width)

    def divided(self, downsample: float) -> Box:
        """Return the box in the pixels of a level ``downsample`` times coarser; edges are rounded."""
        row, col = round(self.row / downsample), round(self.col / downsample)
        return Box(
            row,
            col,
            max(round(self.row_stop / downsample) - row, 1),
            max(round(self.col_stop / downsample) - col, 1),
        )

    def size_um(self, um_per_px: float) -> tuple[float, float]:
        """Height and width in micrometres."""
        return self.height * um_per_px, self.width * um_per_px

    def tiles(self, size_px: int) -> Iterator[Box]:
        """Cover the box with squares of ``size_px``, row by row; the last ones may be smaller."""
        for row in range(self.row, self.row_stop, size_px):
            for col in range(self.col, self.col_stop, size_px):
                height, width = min(size_px, self.row_stop - row), min(size_px, self.col_stop - col)
                yield Box(row, col, height, width)


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A plane affine map of (row, col) points: ``linear @ p + offset``.

    Attributes
    ----------
    linear : ndarray of shape (2, 2)
    offset : ndarray of shape (2,)
    """

    linear: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def of(cls, linear: ArrayLike, offset: ArrayLike = (0.0, 0.0)) -> Affine:
        """From anything array-like."""
        return cls(np.asarray(linear, np.float64).reshape(2, 2), np.asarray(offset, np.float64).reshape(2))

    @classmethod
    def identity(cls) -> Affine:
        """Return the map that leaves points where they are."""
        return cls.of(np.eye(2))

    @classmethod
    def scaling(cls, factor: float) -> Affine:
        """Scale about the origin."""
        return cls.of(np.eye(2) * factor)

    @classmethod
    def translation(cls, rows: float, cols: float) -> Affine:
        """Shift."""
        return cls.of(np.eye(2), (rows, cols))

    @classmethod
    def rotation(cls, degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Rotate about ``centre``; positive turns the row axis towards the column axis.

        On the screen (rows down, columns right) that is counter-clockwise.
        """
        angle = np.deg2rad(degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]], np.float64)
        middle = np.asarray(centre, np.float64)
        return cls.of(linear, middle - linear @ middle)

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Affine:
        """From a homogeneous 3 x 3 (or 2 x 3) matrix."""
        full = np.asarray(matrix, np.float64)
        return cls(full[:2, :2].copy(), full[:2, 2].copy())

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Homogeneous 3 x 3 matrix."""
        full = np.eye(3)
        full[:2, :2], full[:2, 2] = self.linear, self.offset
        return full

    @property
    def determinant(self) -> float:
        """Area factor; negative if the map mirrors."""
        return float(np.linalg.det(self.linear))

    @property
    def stretch(self) -> float:
        """Mean factor on lengths: the square root of the area factor."""
        return float(np.sqrt(abs(self.determinant)))

    @property
    def inverse(self) -> Affine:
        """Return the map back."""
        linear = np.linalg.inv(self.linear)
        return Affine.of(linear, -linear @ self.offset)

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points (n, 2)."""
        return np.asarray(points, np.float64).reshape(-1, 2) @ self.linear.T + self.offset

    def __matmul__(self, first: Affine) -> Affine:
        """Return the map that applies ``first``, then this one."""
        return Affine(self.linear @ first.linear, self.linear @ first.offset + self.offset)
