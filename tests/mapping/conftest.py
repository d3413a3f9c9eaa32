"""Pairs of pictures whose correspondence is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from napari_her2.geometry import Affine
from napari_her2.mapping import MappingQuality, SlideFrame, SlideMapping
from napari_her2.mapping.frame import Lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.flow import Flow

FINE_UM = 2.0
Carry = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Tissue:
    """Structure of a block of tissue on a raster of ``FINE_UM`` that any section is drawn from."""

    nests: NDArray[np.float32]
    body: NDArray[np.float32]

    @property
    def size_um(self) -> tuple[float, float]:
        return self.body.shape[0] * FINE_UM, self.body.shape[1] * FINE_UM

    @classmethod
    def in_two_pieces(cls, seed: int) -> Tissue:
        """Return two pieces side by side, glass between them at 760 * FINE_UM."""
        left, right = (cls.grown(seed + part, (600, 380)) for part in (0, 50))
        return cls(np.hstack([left.nests, right.nests]), np.hstack([left.body, right.body]))

    @classmethod
    def grown(cls, seed: int, shape: tuple[int, int] = (600, 760)) -> Tissue:
        rng = np.random.default_rng(seed)
        waves = [cv2.GaussianBlur(rng.normal(size=shape), (0, 0), size) for size in (14.0, 5.0)]
        mixed = waves[0] / waves[0].std() + 0.5 * waves[1] / waves[1].std()
        nests = 1 / (1 + np.exp(-6 * mixed))
        rows, cols = np.indices(shape)
        down, across = (rows / shape[0] - 0.5) * 2, (cols / shape[1] - 0.5) * 2
        angle = np.arctan2(down, across)
        edge = (
            0.72 + 0.1 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.06 * np.sin(5 * angle + rng.uniform(0, 6))
        )
        body = 1 / (1 + np.exp((np.hypot(down, across) - edge) * 60))
        return cls(nests.astype(np.float32), body.astype(np.float32))

    def section(
        self,
        shape: tuple[int, int],
        um_per_px: float,
        stain: str,
        to_tissue: Carry,
        seed: int,
    ) -> NDArray[np.uint8]:
        """Draw an RGB picture; ``to_tissue`` maps the picture's µm to the tissue's."""
        grid = (np.indices(shape).reshape(2, -1).T + 0.5) * um_per_px
        place = (to_tissue(grid) / FINE_UM - 0.5).reshape(*shape, 2).astype(np.float32)
        nests, body = (
            cv2.remap(plane, place[..., 1], place[..., 0], cv2.INTER_CUBIC, borderValue=0.0)
            for plane in (self.nests, self.body)
        )
        rng = np.random.default_rng(seed)
        cells = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), max(4 / um_per_px, 0.8))
        grain = np.clip(1 + 0.25 * cells / cells.std(), 0.3, 2)
        first = np.clip(body, 0, 1) * (0.25 + 0.55 * np.clip(nests, 0, 1)) * grain
        second = np.clip(body, 0, 1) * (0.45 * (1 - np.clip(nests, 0, 1)) if stain == "he" else 0.05)
        vectors = {
            "he": ((0.65, 0.70, 0.29), (0.22, 0.80, 0.56)),
            "ihc": ((0.60, 0.60, 0.45), (0.3, 0.5, 0.8)),
        }
        density = first[..., None] * np.array(vectors[stain][0]) + second[..., None] * np.array(
            vectors[stain][1]
        )
        light = 245 * 10 ** (-0.7 * density) + rng.normal(0, 1.5, (*shape, 3))
        return np.clip(np.round(light), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class KnownPair:
    """Two pictures of one tissue and the truth."""

    he: NDArray[np.uint8]
    ihc: NDArray[np.uint8]
    he_um_per_px: float
    ihc_um_per_px: float
    he_to_ihc_um: Carry
    points_um: NDArray[np.float64]

    def error_um(self, mapping: SlideMapping) -> NDArray[np.float64]:
        away = mapping.he_to_ihc_um(self.points_um) - self.he_to_ihc_um(self.points_um)
        return np.linalg.norm(away, axis=1)


def turned(
    tissue: Tissue, degrees: float, *, mirror: bool = False, scale: float = 1.0
) -> tuple[Affine, tuple[float, float]]:
    """Tissue µm → µm of a glass that just holds it, and the size of that glass."""
    linear = scale * Affine.rotation(degrees).linear @ np.diag([1.0, -1.0 if mirror else 1.0])
    height, width = tissue.size_um
    corners = np.array([[0, 0], [0, width], [height, 0], [height, width]]) @ linear.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Affine.of(linear, -low), (float(high[0] - low[0]), float(high[1] - low[1]))


def made_pair(
    seed: int = 0,
    *,
    degrees: float = 0.0,
    mirror: bool = False,
    scale: float = 1.0,
    um: tuple[float, float] = (4.0, 4.0),
    flow: Flow | None = None,
    other: int | None = None,
) -> KnownPair:
    """Draw the H&E as it lies and the IHC turned; ``other`` takes another tissue for the IHC."""
    tissue = Tissue.grown(seed)
    onto, size = turned(tissue, degrees, mirror=mirror, scale=scale)
    he_shape = tuple(int(length / um[0]) for length in tissue.size_um)
    ihc_shape = tuple(int(length / um[1]) for length in size)
    he = tissue.section((he_shape[0], he_shape[1]), um[0], "he", lambda points: points, seed + 100)

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        straight = onto.inverse(points)
        return straight if flow is None else flow.inverse(straight)

    source = tissue if other is None else Tissue.grown(other)
    ihc = source.section((ihc_shape[0], ihc_shape[1]), um[1], "ihc", back, seed + 200)
    inside = np.argwhere(tissue.body > 0.9)[::997] * FINE_UM + FINE_UM / 2
    return KnownPair(
        he, ihc, um[0], um[1], lambda points: onto(points if flow is None else flow(points)), inside
    )


def slipped_pair(seed: int, *, degrees: float, shift_um: tuple[float, float]) -> KnownPair:
    """Two pieces; on the IHC the glass is turned by 30 degrees and the right piece slipped besides."""
    tissue = Tissue.in_two_pieces(seed)
    onto, (height, width) = turned(tissue, 30.0)
    onto = Affine.translation(150.0, 150.0) @ onto
    own = Affine.translation(*shift_um) @ Affine.rotation(degrees, (600.0, 1140.0))

    def there(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return onto(np.where(points[:, 1:] > 760.0, own(points), points))

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        left = onto.inverse(points)
        right = own.inverse(left)
        nowhere = np.full_like(left, -1e4)
        return np.where(right[:, 1:] > 760.0, right, np.where(left[:, 1:] <= 760.0, left, nowhere))

    he = tissue.section((300, 380), 4.0, "he", lambda points: points, 1)
    ihc = tissue.section((int(height + 300) // 4, int(width + 300) // 4), 4.0, "ihc", back, 2)
    points = np.argwhere(tissue.body > 0.9)[::997] * FINE_UM + FINE_UM / 2
    return KnownPair(he, ihc, 4.0, 4.0, there, points)


def plain_mapping(
    affine_um: Affine,
    he: SlideFrame | None = None,
    ihc: SlideFrame | None = None,
    *,
    flow: Flow | None = None,
    error_um: float = 10.0,
) -> SlideMapping:
    """Return a mapping without registration, trusted everywhere."""
    he, ihc = he or SlideFrame((4000, 4800), 0.5), ihc or SlideFrame((5000, 5000), 0.5)
    trust = Lattice.over(he.size_um, 100.0, 2)
    values = np.stack([np.full(trust.values.shape[:2], error_um), np.ones(trust.values.shape[:2])], axis=-1)
    quality = MappingQuality(
        kind="affine" if flow is None else "nonrigid",
        residual_um_p50=4.0,
        residual_um_p90=error_um,
        overlap_fraction=0.9,
        min_jacobian=1.0,
        needs_review=False,
        reason="made by hand",
    )
    return SlideMapping(
        he=he, ihc=ihc, affine_um=affine_um, flow=flow, trust=trust.with_values(values), quality=quality
    )


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., KnownPair]:
    return made_pair


@pytest.fixture(scope="session")
def make_slipped_pair() -> Callable[..., KnownPair]:
    return slipped_pair


@pytest.fixture(scope="session")
def make_mapping() -> Callable[..., SlideMapping]:
    return plain_mapping
