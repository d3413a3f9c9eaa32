"""The first guess: every angle, both faces, several scales; every shift by FFT.

A pose is an affine map IHC µm → H&E µm (a similarity). Its score is the correlation of the two
feature images over the common field, times the root of the common tissue: a chance correlation
falls with the root of the number of pixels, so this is its significance up to a constant.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.mapping.features import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_her2.mapping.picture import Picture

__all__ = ["Pose", "distinct", "search"]

_LEAST_OVERLAP = 0.3
_WEIGHTS = np.array([1.0, 1.0, 1.0, 0.0], np.float32)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Spectra:
    features: NDArray[np.complex64]
    energy: NDArray[np.complex64]
    seen: NDArray[np.complex64]
    tissue: NDArray[np.complex64]


def search(
    he: Picture, ihc: Picture, *, degrees: float, scales: Sequence[float]
) -> Iterator[tuple[float, list[Pose]]]:
    """Try all poses; after each scale yield it with the best pose of every angle and face.

    Parameters
    ----------
    he, ihc : Picture
        At the same coarse µm/px (about 100 pixels across).
    degrees : float
        Step of the angle.
    scales : sequence of float
        H&E µm per IHC µm.
    """
    turns = [(mirror, angle) for mirror in (False, True) for angle in np.arange(0.0, 360.0, degrees)]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as workers:
        for scale in scales:
            fixed = _Fixed(he, int(np.ceil(scale * np.hypot(*ihc.shape))) + 2)
            poses = workers.map(partial(fixed.best_shift, ihc, scale), turns)
            yield scale, [pose for pose in poses if pose is not None]


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

    def __init__(self, he: Picture, side: int) -> None:
        from scipy import fft

        self._he = he
        self._side = side
        self._padded = tuple(fft.next_fast_len(length + side, real=True) for length in he.shape)
        self._spectra = self._transform(he.dark, he.seen, he.tissue)
        self._tissue_px = max(int(he.tissue.sum()), 1)

    def _transform(
        self, dark: NDArray[np.float32], seen: NDArray[np.bool_], tissue: NDArray[np.bool_]
    ) -> _Spectra:
        from scipy import fft

        features = describe(dark, seen, surround_px=10.0) * _WEIGHTS
        stack = np.moveaxis(features[..., :3], 2, 0)
        energy = (features**2).sum(axis=2)
        planes = [*stack, energy, seen.astype(np.float32), (tissue & seen).astype(np.float32)]
        spectra = fft.rfft2(np.stack(planes), self._padded)
        return _Spectra(spectra[:3], spectra[3], spectra[4], spectra[5])

    def best_shift(self, ihc: Picture, scale: float, turned: tuple[bool, float]) -> Pose | None:
        """Return the best place of the turned IHC, or None where too little tissue can meet."""
        from scipy import fft

        turn = _turn(ihc, scale, turned, self._side)
        moving = self._transform(*_drawn(ihc, turn, scale, self._side))
        fixed = self._spectra
        sums = fft.irfft2(
            np.stack(
                [
                    (fixed.features * moving.features.conj()).sum(axis=0),
                    fixed.energy * moving.seen.conj(),
                    fixed.seen * moving.energy.conj(),
                    fixed.tissue * moving.tissue.conj(),
                ]
            ),
            self._padded,
        )
        tissue_px = max(float(ihc.tissue.sum()) * scale**2, 1.0)
        common = sums[3] / min(self._tissue_px, tissue_px)
        power = np.sqrt(np.maximum(sums[1] * sums[2], 0) + 1.0)
        area = sums[3] / np.sqrt(self._tissue_px * float(ihc.tissue.sum()) + 1.0)
        score = np.where(common > _LEAST_OVERLAP, sums[0] / power * np.sqrt(np.maximum(area, 0)), -1)
        return self._pose(score, turn, ihc)

    def _pose(self, score: NDArray[np.float32], turn: Affine, ihc: Picture) -> Pose | None:
        best = np.unravel_index(int(score.argmax()), score.shape)
        if score[best] <= 0:
            return None
        shift = [
            int(place) if place < length else int(place) - full
            for place, length, full in zip(best, self._he.shape, self._padded, strict=True)
        ]
        onto = Affine.translation(*shift) @ turn
        ihc_to_he = self._he.to_um @ onto @ ihc.to_um.inverse
        return Pose(ihc_to_he.inverse, float(score[best]))


def _turn(ihc: Picture, scale: float, turned: tuple[bool, float], side: int) -> Affine:
    """IHC pixels → pixels of a square canvas that holds it at any angle."""
    mirror, degrees = turned
    linear = scale * Affine.rotation(degrees).linear @ np.diag([1.0, -1.0 if mirror else 1.0])
    centre = np.asarray(ihc.shape) / 2
    return Affine.of(linear, side / 2 - linear @ centre)


def _drawn(
    ihc: Picture, turn: Affine, scale: float, side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    import cv2

    dark = ihc.dark if scale > 0.9 else cv2.GaussianBlur(ihc.dark, (0, 0), 0.5 / scale)
    matrix = np.zeros((2, 3))
    matrix[:, :2] = turn.linear[::-1, ::-1]
    matrix[:, 2] = (turn(np.array([[0.5, 0.5]]))[0] - 0.5)[::-1]

    def drawn(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.warpAffine(values, matrix, (side, side), flags=cv2.INTER_LINEAR), np.float32)

    seen = drawn(ihc.seen.astype(np.float32)) > 0.95
    return drawn(dark), seen, drawn(ihc.tissue.astype(np.float32)) > 0.5
