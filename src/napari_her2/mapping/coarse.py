"""The first guess: every angle, both faces, several scales; every shift by FFT.

A pose is an affine map IHC µm → H&E µm (a similarity). Its score is the correlation of the two
feature images over the common field, times the root of the common tissue: a chance correlation
falls with the root of the number of pixels, so this is its significance up to a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.mapping.turning import Scaled, planes_of
from napari_her2.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_her2.mapping.picture import Picture
    from napari_her2.mapping.turning import Canvas

__all__ = ["Pose", "distinct", "search"]

_LEAST_OVERLAP = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One way to lay the IHC on the H&E.

    Attributes
    ----------
    affine_um : Affine
        H&E µm → IHC µm.
    score : float
        Comparable within one search.
    """

    affine_um: Affine
    score: float


def search(
    he: Picture, ihc: Picture, *, degrees: float, scales: Sequence[float]
) -> Iterator[tuple[float, list[Pose]]]:
    """Try all poses; after each scale yield it with the best pose of every angle and face.

    Parameters
    ----------
    he, ihc : Picture
        At the same coarse µm/px (about 100 pixels across).
    degrees : float
        Step of the angle; divides 90.
    scales : sequence of float
        H&E µm per IHC µm.
    """
    angles = np.arange(0.0, 90.0, degrees)
    for scale in scales:
        moving = Scaled.of(ihc, scale)
        found = in_order(partial(_Fixed(he, ihc, moving.side).best, moving), angles.tolist())
        yield scale, [pose for poses in found for pose in poses]


def distinct(poses: Sequence[Pose], points_um: NDArray[np.float64], apart_um: float, most: int) -> list[Pose]:
    """Return the best poses that carry ``points_um`` of the H&E to different places, best first."""
    kept: list[Pose] = []
    places: list[NDArray[np.float64]] = []
    for pose in sorted(poses, key=lambda pose: -pose.score):
        place = pose.affine_um(points_um)
        if all(np.median(np.linalg.norm(place - other, axis=1)) > apart_um for other in places):
            kept.append(pose)
            places.append(place)
        if len(kept) == most:
            break
    return kept


class _Fixed:
    """The H&E in the Fourier domain, ready for an IHC canvas of ``side`` pixels."""

    def __init__(self, he: Picture, ihc: Picture, side: int) -> None:
        from scipy import fft

        self._he, self._ihc = he, ihc
        self._padded = tuple(fft.next_fast_len(length + side, real=True) for length in he.shape)
        self._spectra = fft.rfft2(planes_of(he.dark, he.seen, he.tissue), self._padded)
        self._tissue_px = max(int(he.tissue.sum()), 1)

    def best(self, moving: Scaled, degrees: float) -> list[Pose]:
        """Return the best shift of each of the eight symmetries of an angle that brings tissues together."""
        found = [pose for face in moving.turned(degrees).faces for pose in self._both_ways(moving, face)]
        return [pose for pose in found if pose is not None]

    def _both_ways(self, moving: Scaled, face: Canvas) -> Iterator[Pose | None]:
        """Compare as drawn, and by half a turn, which needs no drawing: its spectrum is the conjugate."""
        from scipy import fft

        spectra = fft.rfft2(face.planes, self._padded)
        yield self._pose(self._score(spectra.conj(), moving), face.turn, 0)
        yield self._pose(self._score(spectra, moving), face.half_turn, face.planes.shape[1] - 1)

    def _score(self, moving: NDArray[np.complex64], scaled: Scaled) -> NDArray[np.float32]:
        from scipy import fft

        fixed = self._spectra
        products = np.empty((4, *fixed.shape[1:]), fixed.dtype)
        np.einsum("kij,kij->ij", fixed[:3], moving[:3], out=products[0])
        for place, (one, other) in enumerate(((3, 4), (4, 3), (5, 5)), 1):
            np.multiply(fixed[one], moving[other], out=products[place])
        match, first, second, tissue = fft.irfft2(products, self._padded, overwrite_x=True)
        common = tissue / min(self._tissue_px, scaled.tissue_px)
        weight = np.maximum(tissue, 0) / np.sqrt(self._tissue_px * scaled.tissue_px)
        power = np.maximum(first * second, 0) + 1.0
        return np.asarray(np.where(common > _LEAST_OVERLAP, match * np.sqrt(weight / power), -1), np.float32)

    def _pose(self, score: NDArray[np.float32], turn: Affine, ahead: int) -> Pose | None:
        best = np.unravel_index(int(score.argmax()), score.shape)
        if score[best] <= 0:
            return None
        shift = [(int(place) - ahead + full) % full for place, full in zip(best, self._padded, strict=True)]
        shift = [
            place if place < length else place - full
            for place, length, full in zip(shift, self._he.shape, self._padded, strict=True)
        ]
        onto = Affine.translation(*shift) @ turn
        ihc_to_he = self._he.to_um @ onto @ self._ihc.to_um.inverse
        return Pose(ihc_to_he.inverse, float(score[best]))
