"""The IHC at one scale, described once and turned to every angle and face.

Darkness does not change when a picture is turned, and the double-angle channels turn by twice the
angle; so features are turned instead of being worked out anew. Of all poses only those between 0 and
90 degrees are drawn: quarter turns and mirrors of a square canvas are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.mapping.features import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.mapping.picture import Picture

__all__ = ["PLANES", "SURROUND_PX", "Canvas", "Scaled", "planes_of"]

SURROUND_PX = 10.0
PLANES = 6
"""Darkness, two of direction, energy, seen, tissue."""
_SEEN, _TISSUE = 4, 5


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The IHC on a square canvas, at one angle and face.

    Attributes
    ----------
    planes : ndarray of shape (PLANES, side, side), float32
    turn : Affine
        Pixels of the IHC picture → pixels of the canvas.
    """

    planes: NDArray[np.float32]
    turn: Affine

    @property
    def faces(self) -> Iterator[Canvas]:
        """The canvas, its quarter turn, and both face down: with their half turns, all eight symmetries."""
        for canvas in (self, self._quarter()):
            yield canvas
            yield canvas._mirrored()

    def _quarter(self) -> Canvas:
        side = self.planes.shape[1]
        planes = np.rot90(self.planes, axes=(1, 2)).copy()
        planes[1:3] *= -1
        return Canvas(planes, Affine.of([[0.0, -1.0], [1.0, 0.0]], (side, 0.0)) @ self.turn)

    def _mirrored(self) -> Canvas:
        side = self.planes.shape[1]
        planes = self.planes[:, :, ::-1].copy()
        planes[2] *= -1
        return Canvas(planes, Affine.of(np.diag([1.0, -1.0]), (0.0, side)) @ self.turn)

    @property
    def half_turn(self) -> Affine:
        """The turn followed by half a turn of the canvas."""
        side = self.planes.shape[1]
        return Affine.of(-np.eye(2), (side, side)) @ self.turn


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """The IHC at one scale.

    Attributes
    ----------
    planes : ndarray of shape (PLANES, rows, cols), float32
    zoom : tuple of float
        Pixels of ``planes`` per pixel of the picture, by axis.
    side : int
        Of a square canvas that holds it at any angle.
    """

    planes: NDArray[np.float32]
    zoom: tuple[float, float]
    side: int

    @classmethod
    def of(cls, ihc: Picture, scale: float) -> Scaled:
        """Bring the picture to ``scale`` pixels per pixel."""
        import cv2

        rows, cols = (max(8, round(length * scale)) for length in ihc.shape)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR

        def sized(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(cv2.resize(values, (cols, rows), interpolation=how), np.float32)

        seen = sized(ihc.seen.astype(np.float32)) > 0.95
        planes = planes_of(sized(ihc.dark), seen, sized(ihc.tissue.astype(np.float32)) > 0.5)
        side = int(np.ceil(np.hypot(rows, cols))) + 2
        return cls(planes, (rows / ihc.shape[0], cols / ihc.shape[1]), side)

    @property
    def tissue_px(self) -> float:
        """Pixels of tissue."""
        return max(float(self.planes[_TISSUE].sum()), 1.0)

    def turned(self, degrees: float) -> Canvas:
        """Draw it at an angle."""
        import cv2

        linear = Affine.rotation(degrees).linear
        middle = np.asarray(self.planes.shape[1:]) / 2
        turn = Affine.of(linear, self.side / 2 - linear @ middle)
        matrix = np.zeros((2, 3))
        matrix[:, :2] = linear[::-1, ::-1]
        matrix[:, 2] = (turn(np.array([[0.5, 0.5]]))[0] - 0.5)[::-1]
        stack = np.ascontiguousarray(np.moveaxis(self.planes[[0, 1, 2, _SEEN]], 0, 2))
        drawn = np.moveaxis(cv2.warpAffine(stack, matrix, (self.side, self.side)), 2, 0)
        tissue = cv2.warpAffine(self.planes[_TISSUE], matrix, (self.side, self.side))
        features = _along(drawn[:3], linear)
        planes = [*features, (features**2).sum(axis=0), drawn[3] > 0.95, tissue > 0.5]
        return Canvas(np.stack(planes).astype(np.float32), turn @ Affine.of(np.diag(self.zoom), (0.0, 0.0)))


def planes_of(
    dark: NDArray[np.float32], seen: NDArray[np.bool_], tissue: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return what the search compares, (PLANES, rows, cols)."""
    features = np.moveaxis(describe(dark, seen, surround_px=SURROUND_PX)[..., :3], 2, 0)
    return np.stack([*features, (features**2).sum(axis=0), seen, tissue & seen]).astype(np.float32)


def _along(features: NDArray[np.float32], linear: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn the double-angle channels with the picture."""
    down, across = linear @ (0.0, 1.0)
    angle = 2 * np.arctan2(down, across)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    even = features[1] * cos - features[2] * sin
    odd = features[2] * cos + features[1] * sin
    return np.stack([features[0], even, odd])
