"""Synthetic pages: glass with blobs of stained tissue, ink, folds and edges whose places are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from napari_her2.stain import H_DAB, H_E, transmit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.slides import Slide

WHITE = (243.0, 242.0, 244.0)

STAINS = {
    # haematoxylin and second stain of the ground, haematoxylin of nuclei, vectors
    "he": (0.06, 0.35, 0.55, H_E),
    "he_pale": (0.02, 0.12, 0.3, H_E),
    "ihc_0": (0.05, 0.0, 0.22, H_DAB),
    "ihc_1": (0.06, 0.08, 0.25, H_DAB),
    "ihc_3": (0.1, 1.3, 0.3, H_DAB),
}

INKS = {
    "green": (0.75, 0.21, 0.27),
    "dark_green": (1.4, 0.45, 0.55),
    "red": (0.05, 0.6, 0.45),
    "blue": (0.75, 0.4, 0.09),
    "black": (1.1, 1.1, 1.1),
}


@dataclass
class Page:
    """A page under construction: densities add up, as light does."""

    shape: tuple[int, int] = (400, 500)
    um_per_px: float = 8.0
    seed: int = 0
    density: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.density = np.zeros((*self.shape, 3))

    def ellipse(self, row: float, col: float, height: float, width: float) -> NDArray[np.bool_]:
        r, c = np.indices(self.shape)
        return ((r - row) / height) ** 2 + ((c - col) / width) ** 2 <= 1

    def stroke(self, points: list[tuple[int, int]], width: int) -> NDArray[np.bool_]:
        canvas = np.zeros(self.shape, np.uint8)
        cv2.polylines(canvas, [np.array([(c, r) for r, c in points], np.int32)], False, 1, width)
        return canvas > 0

    def tissue(self, where: NDArray[np.bool_], stain: str = "he", strength: float = 1.0) -> NDArray[np.bool_]:
        """Put stained tissue with the texture that nuclei give."""
        ground, second, nuclei, vectors = STAINS[stain]
        rough = cv2.GaussianBlur(self.rng.random(self.shape), (0, 0), 1.0)
        rough = (rough - rough.mean()) / rough.std()
        amounts = np.zeros((*self.shape, 3))
        amounts[..., 0] = ground + nuclei * np.clip(rough + 0.3, 0, 2) / 2
        amounts[..., 1] = second * (1 + 0.25 * rough)
        self.density += np.where(where[..., None], strength * amounts @ vectors.matrix, 0)
        return where

    def ink(self, where: NDArray[np.bool_], colour: str) -> NDArray[np.bool_]:
        soft = cv2.GaussianBlur(where.astype(np.float64), (0, 0), 0.7)
        self.density += soft[..., None] * np.array(INKS[colour])
        return where

    def grey(self, where: NDArray[np.bool_], amount: float) -> NDArray[np.bool_]:
        self.density += where[..., None] * amount
        return where

    def rgb(self, noise: float = 1.2) -> NDArray[np.uint8]:
        light = transmit(self.density, WHITE) + self.rng.normal(0, noise, self.density.shape)
        return np.clip(np.rint(light), 0, 255).astype(np.uint8)


@pytest.fixture
def page() -> type[Page]:
    return Page


@pytest.fixture
def as_slide(tmp_path: Path) -> Callable[..., Slide]:
    """Write pixels as a PNG and open it as a slide of a given pixel size."""
    from napari_her2.slides import open_slide

    def opened(rgb: NDArray[np.uint8], um_per_px: float, name: str = "page.png") -> Slide:
        cv2.imwrite(str(tmp_path / name), rgb[..., ::-1])
        return open_slide(tmp_path / name, um_per_px=um_per_px)

    return opened
