"""A segmentation stitched while it runs: bands of blended patches, written as soon as they are whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.events import Progress
from napari_her2.inference import BatchDone
from napari_her2.patches import window_of
from napari_her2.pipeline.engine import BACKGROUND
from napari_her2.pipeline.rasters import LABELS
from napari_her2.store import MultiscaleWriter
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.models import ModelSpec
    from napari_her2.patches import PatchGrid
    from napari_her2.pipeline.asking import Asking

__all__ = ["Bands", "Within", "write_segmentation"]

RASTER_UM_PER_PX: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """The area that counts, as a mask of its own pixel size from the slide's corner on."""

    mask: NDArray[np.bool_]
    um_per_px: float

    def judged(self, labels: NDArray[np.uint8], row: int, col: int, um_per_px: float) -> NDArray[np.uint8]:
        """Mark classes outside as excluded, in a block whose corner is raster pixel (row, col)."""
        scale = um_per_px / self.um_per_px
        at_row, at_col = (
            np.minimum(((np.arange(n) + start + 0.5) * scale).astype(np.intp), limit - 1)
            for n, start, limit in zip(labels.shape, (row, col), self.mask.shape, strict=True)
        )
        counts = self.mask[np.ix_(at_row, at_col)]
        return np.where(counts | (labels == 0), labels, np.uint8(RASTER_LABELS["unsure"]))


def write_segmentation(
    asking: Asking, path: Path, *, stage: str, within: Within | None = None
) -> Steps[tuple[NDArray[np.int64], float]]:
    """Run a model of pixels and write the most probable class of each, about 0.5 µm/px.

    Parameters
    ----------
    asking : Asking
    path : Path
        Of the raster; it appears when it is whole.
    stage : str
        For progress.
    within : Within, optional
        Classes outside are marked as excluded.

    Returns
    -------
    tuple of int64 ndarray of shape (256,), and float
        Number of raster pixels of each value, and their size in µm.
    """
    spec = asking.entry.spec
    bands = Bands(asking.plan.grid, spec)
    pixels = np.zeros(256, np.int64)
    facts = {"slide": spec.stain, "method": spec.name}
    with MultiscaleWriter(
        path, bands.shape, um_per_px=bands.um_per_px, labels=_labels(spec), attributes=facts
    ) as raster:
        for event in _banded(asking, bands, stage):
            if isinstance(event, Progress):
                yield event
                continue
            row, col, labels = event
            if within is not None:
                labels = within.judged(labels, row, col, bands.um_per_px)
            raster.write(row, col, labels)
            pixels += np.bincount(labels.ravel(), minlength=256)
    return pixels, bands.um_per_px


def _labels(spec: ModelSpec) -> dict[int, tuple[str, str]]:
    """Names and colours of the values: those of the scores, or greys for other classes."""
    if spec.classes == (BACKGROUND, *SCORES):
        return LABELS
    greys = (230 - round(200 * k / len(spec.classes)) for k in range(len(spec.classes)))
    return {
        k: (name, f"#{g:02X}{g:02X}{g:02X}")
        for k, (name, g) in enumerate(zip(spec.classes, greys, strict=True))
    }


def _banded(asking: Asking, bands: Bands, stage: str) -> Iterator[Progress | Band]:
    """Run the plan; bands come as soon as they are whole."""
    for event in asking.batches(stage):
        if isinstance(event, BatchDone):
            for (row, col), patch in zip(event.cells, event.probabilities, strict=True):
                yield from bands.add(int(row), int(col), patch)
        else:
            yield event
    yield from bands.rest()


Band = tuple[int, int, "NDArray[np.uint8]"]
"""(row, col) of its corner in raster pixels, and labels (rows, cols)."""


class Bands:
    """Patches of a segmentation blended row by row; a band is given out once no later patch reaches it.

    Only one row of patches is held at a time, however long the slide.

    Parameters
    ----------
    grid : PatchGrid
        Patches come row by row, as plans have them.
    spec : ModelSpec
        Its classes are the background and the scores.
    """

    def __init__(self, grid: PatchGrid, spec: ModelSpec) -> None:
        self._factor = _pooling(grid)
        self._size, self._stride = grid.size_px // self._factor, grid.stride_px // self._factor
        self.um_per_px = grid.um_per_px * self._factor
        rows, cols = (math.ceil(n * grid.slide_um_per_px / self.um_per_px - 1e-6) for n in grid.slide_shape)
        self.shape = (max(rows, 1), max(cols, 1))
        width = (grid.shape[1] - 1) * self._stride + self._size
        self._sums = np.zeros((len(spec.classes), self._size, width), np.float32)
        self._weights = np.zeros((self._size, width), np.float32)
        self._window = window_of(self._size).astype(np.float32)
        self._row = 0

    def add(self, row: int, col: int, patch: NDArray[np.float32]) -> Iterator[Band]:
        """Blend in the patch (classes, size_px, size_px) at (row, col) of the grid."""
        while self._row < row:
            yield from self._advance(self._stride)
        place = slice(col * self._stride, col * self._stride + self._size)
        self._sums[:, :, place] += _pooled(patch, self._factor) * self._window
        self._weights[:, place] += self._window

    def rest(self) -> Iterator[Band]:
        """Give out what is left."""
        yield from self._advance(self._size)

    def _advance(self, rows: int) -> Iterator[Band]:
        """Give out the uppermost rows and move on by one row of patches."""
        top = self._row * self._stride
        used = np.flatnonzero(self._weights[:rows].any(axis=0))
        height = min(rows, self.shape[0] - top)
        if len(used) and height > 0:
            left, right = int(used[0]), min(int(used[-1]) + 1, self.shape[1])
            part = (slice(0, height), slice(left, right))
            labels = self._sums[(slice(None), *part)].argmax(axis=0).astype(np.uint8)
            yield top, left, np.where(self._weights[part] > 0, labels, np.uint8(0))
        for held in (self._sums, self._weights):
            held[..., : self._size - rows, :] = held[..., rows:, :]
            held[..., self._size - rows :, :] = 0
        self._row += 1


def _pooling(grid: PatchGrid) -> int:
    """Return how many model pixels one raster pixel has along its side: a divisor of size and stride."""
    wanted = max(int(RASTER_UM_PER_PX / grid.um_per_px + 1e-6), 1)
    common = math.gcd(grid.size_px, grid.stride_px)
    return max(f for f in range(1, wanted + 1) if common % f == 0)


def _pooled(patch: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over blocks of factor x factor pixels."""
    classes, rows, cols = patch.shape
    blocks = patch.reshape(classes, rows // factor, factor, cols // factor, factor)
    return np.asarray(blocks.mean(axis=(2, 4)), np.float32)
