"""Where values live: the frame of a slide, and rasters on a regular lattice in µm.

All of the room works in µm, (row, col), from the slide's corner; level-0 pixels appear only at the
border of :class:`~napari_her2.mapping.SlideMapping`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping import cubic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Lattice", "SlideFrame"]


@dataclass(frozen=True, slots=True)
class SlideFrame:
    """Size of a slide and of its pixels.

    Attributes
    ----------
    shape : tuple of int
        (rows, cols) of level 0.
    um_per_px : float
        Edge of a level-0 pixel.
    """

    shape: tuple[int, int]
    um_per_px: float

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or not 0 < self.um_per_px < np.inf:
            raise ValueError(f"a slide needs pixels and a pixel size, got {self.shape} at {self.um_per_px}")

    @property
    def size_um(self) -> tuple[float, float]:
        """Height and width in µm."""
        return self.shape[0] * self.um_per_px, self.shape[1] * self.um_per_px

    @property
    def diagonal_um(self) -> float:
        """Length of the diagonal in µm."""
        return float(np.hypot(*self.size_um))

    def to_um(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Level-0 pixels (n, 2) → µm."""
        return np.asarray(points_px, np.float64).reshape(-1, 2) * self.um_per_px

    def to_px(self, points_um: ArrayLike) -> NDArray[np.float64]:
        """µm (n, 2) → level-0 pixels."""
        return np.asarray(points_um, np.float64).reshape(-1, 2) / self.um_per_px

    def contains_um(self, points_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 2) in µm lie on the image."""
        low = (points_um >= 0).all(axis=1)
        return np.asarray(low & (points_um <= np.asarray(self.size_um)).all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Values at the nodes of a regular square lattice; constant beyond its edge.

    Attributes
    ----------
    values : ndarray of shape (rows, cols, k), float
    origin_um : tuple of float
        Where node (0, 0) lies.
    spacing_um : float
        Distance between nodes.
    """

    values: NDArray[np.floating]
    origin_um: tuple[float, float]
    spacing_um: float

    @classmethod
    def over(cls, size_um: tuple[float, float], spacing_um: float, channels: int, margin: int = 2) -> Lattice:
        """Zeros over a frame of ``size_um``, ``margin`` nodes wider on each side."""
        rows, cols = (int(np.ceil(size / spacing_um)) + 1 + 2 * margin for size in size_um)
        return cls(np.zeros((rows, cols, channels)), (-margin * spacing_um, -margin * spacing_um), spacing_um)

    def with_values(self, values: NDArray[np.floating]) -> Lattice:
        """Return the same nodes with other values."""
        return Lattice(values, self.origin_um, self.spacing_um)

    @property
    def nodes_um(self) -> NDArray[np.float64]:
        """Positions of the nodes, (rows * cols, 2)."""
        rows, cols = self.values.shape[:2]
        grid = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), axis=-1)
        nodes: NDArray[np.float64] = grid.reshape(-1, 2) * self.spacing_um + np.asarray(self.origin_um)
        return nodes

    def index(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional node indices of points (n, 2)."""
        return (points_um - np.asarray(self.origin_um)) / self.spacing_um

    def at(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cubic interpolation at points (n, 2) → (n, k)."""
        return cubic.interpolate(self.values, self.index(points_um))

    def slope_at(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return derivatives per µm at points (n, 2) → (n, k, 2), last axis = along rows, along cols."""
        return cubic.slopes(self.values, self.index(points_um)) / self.spacing_um

    def linear_at(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bilinear interpolation at points (n, 2) → (n, k); never overshoots."""
        return cubic.bilinear(self.values, self.index(points_um))
