"""What registration looks at: darkness, tissue and what was seen, on a grid of known µm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.mapping.dense import dense

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Picture", "darkness", "guess_tissue", "resampled"]

_FIELD_UM = 60.0
"""Scattered spots are smoothed by this much: what lies closer together is one field."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A working image of one slide or of a part of it.

    Attributes
    ----------
    dark : ndarray of shape (rows, cols), float32
        Mean optical density over the colours, 0 at the slide's white.
    tissue : ndarray of shape (rows, cols), bool
    seen : ndarray of shape (rows, cols), bool
        False where nothing can be said: pen, coverslip edge, outside the scan.
    pixel_um : tuple of float
        Height and width of a pixel; they differ a little when a size was rounded.
    origin_um : tuple of float
        The upper left corner on the slide.
    """

    dark: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    pixel_um: tuple[float, float]
    origin_um: tuple[float, float] = (0.0, 0.0)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.dark.shape[0], self.dark.shape[1]

    @property
    def um_per_px(self) -> float:
        """Mean edge of a pixel, µm."""
        return float(np.sqrt(self.pixel_um[0] * self.pixel_um[1]))

    @property
    def size_um(self) -> tuple[float, float]:
        """Height and width, µm."""
        return self.shape[0] * self.pixel_um[0], self.shape[1] * self.pixel_um[1]

    @property
    def to_um(self) -> Affine:
        """Corner-based pixels → µm on the slide."""
        return Affine.of(np.diag(self.pixel_um), self.origin_um)

    def at(self, um_per_px: float) -> Picture:
        """Return the picture coarser, each pixel the mean of what it covers; never finer."""
        if um_per_px <= self.um_per_px * 1.05:
            return self
        import cv2

        rows, cols = (max(8, round(size / um_per_px)) for size in self.size_um)

        def shrunk(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(cv2.resize(values, (cols, rows), interpolation=cv2.INTER_AREA), np.float32)

        weight = shrunk(self.seen.astype(np.float32))
        total = shrunk(np.where(self.seen, self.dark, np.float32(0)))
        dark = np.asarray(total / np.maximum(weight, 1e-3), np.float32)
        pixel_um = (self.size_um[0] / rows, self.size_um[1] / cols)
        tissue = shrunk(self.tissue.astype(np.float32)) > 0.5
        return Picture(dark, tissue, weight > 0.5, pixel_um, self.origin_um)

    def cropped_to_tissue(self, margin: float = 0.08) -> Picture:
        """Return the part that holds the tissue, with a margin of that fraction of its size."""
        if not self.tissue.any():
            return self
        spans = []
        for axis in (1, 0):
            found = np.flatnonzero(self.tissue.any(axis=axis))
            pad = int(np.ceil(margin * (found[-1] - found[0] + 1))) + 2
            spans.append((max(0, found[0] - pad), min(self.shape[1 - axis], found[-1] + 1 + pad)))
        (top, bottom), (left, right) = spans
        part = slice(top, bottom), slice(left, right)
        origin = self.to_um((top, left))[0]
        return Picture(
            self.dark[part],
            self.tissue[part],
            self.seen[part],
            self.pixel_um,
            (float(origin[0]), float(origin[1])),
        )


def darkness(rgb: NDArray[np.uint8], tissue: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Mean log10 optical density of an RGB image against its own white, float32, >= 0.

    White is the median outside the tissue where at least a fiftieth of the image is, else the 99th
    percentile of each colour.
    """
    flat = rgb.reshape(-1, 3)
    ground = None if tissue is None else flat[~tissue.reshape(-1)]
    if ground is not None and len(ground) * 50 >= len(flat):
        white = np.median(ground, axis=0)
    else:
        white = np.percentile(flat[:: max(1, len(flat) // 200_000)], 99, axis=0)
    table = -np.log10(np.clip(np.arange(256)[:, None] / np.maximum(white, 1.0), 1 / 255, 1.0)) / 3
    density = sum(table[:, colour].astype(np.float32)[rgb[..., colour]] for colour in range(3))
    return np.asarray(density, np.float32)


def guess_tissue(dark: NDArray[np.float32], um_per_px: float) -> NDArray[np.bool_]:
    """Say roughly where tissue is, for pictures that come without a mask: anything dark.

    Where that is scattered (single cells on glass), the field that holds it counts as a whole: two pictures
    of such spots share little of them until they lie exactly, and nothing could be tried by what they share.
    """
    smooth = _smoothed(dark, float(np.clip(20 / um_per_px, 1, 10)))
    found = smooth > max(0.02, 0.25 * float(np.percentile(smooth, 90)))
    if _is_scattered(found):
        wide = _smoothed(dark, max(_FIELD_UM / um_per_px, 1.0))
        low, high = np.percentile(wide, (5, 99))
        found = wide > low + 0.25 * (high - low)
    return np.asarray(found)


def _smoothed(dark: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(dark, (0, 0), sigma_px), np.float32)


def _is_scattered(found: NDArray[np.bool_]) -> bool:
    """Say whether the three largest pieces hold less than half of all."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])
    return bool(areas[-3:].sum() < 0.5 * areas.sum())


def resampled(
    moving: Picture, onto: Picture, carry: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Picture:
    """Return ``moving`` drawn on the grid of ``onto``; ``carry`` maps µm of ``onto`` to µm of ``moving``."""
    import cv2

    onto_um, moving_px = onto.to_um, moving.to_um.inverse
    rows, cols = dense(lambda px: moving_px(carry(onto_um(px))) - 0.5, onto.shape)

    def drawn(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.remap(values, cols, rows, cv2.INTER_LINEAR, borderValue=0.0), np.float32)

    seen = drawn(moving.seen.astype(np.float32))
    dark = drawn(np.where(moving.seen, moving.dark, np.float32(0)))
    tissue = drawn(moving.tissue.astype(np.float32)) > 0.5
    return Picture(dark, tissue, seen > 0.95, onto.pixel_um, onto.origin_um)
