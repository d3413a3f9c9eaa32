"""Scores of pixels by model M: stitched while it runs, written band by band, areas within the tumour."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.events import Progress
from napari_her2.inference import BatchDone, PlanWishes
from napari_her2.patches import PatchGrid, window_of
from napari_her2.pipeline.asking import Asked, Asking, prepare
from napari_her2.pipeline.rasters import LABELS
from napari_her2.scoring import CellCounts
from napari_her2.store import MultiscaleWriter
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.models import ModelSpec
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run

__all__ = ["Bands", "PixelsFound", "area_counts", "segment_tumour"]

STAGE: Final = "segmentation"
RASTER_UM_PER_PX: Final = 0.5
CELL_UM2: Final = 100.0
"""Area that counts as one cell where a guideline asks for numbers of cells (choice)."""


@dataclass(frozen=True, slots=True)
class PixelsFound:
    """What model M saw in the tumour area.

    Attributes
    ----------
    areas_mm2 : mapping of score to mm²
        Of tumour cells within the area in which cells count.
    asked : Asked
    """

    areas_mm2: Mapping[str, float]
    asked: Asked


def segment_tumour(run: Run, gate: Gate) -> Steps[PixelsFound | None]:
    """Ask model M about the tumour area on the IHC; None with the classical engine."""
    setting = "segment_model"
    if setting not in run.models:
        return None
    needs, facts = ("cell_table",), run.model_facts(setting)
    path = run.store.place(STAGE, run.key(STAGE, needs, facts)) / "segmentation.zarr"

    def work() -> Steps[PixelsFound]:
        return (yield from _segment(run, gate, path))

    found: PixelsFound = yield from run.stage(STAGE, work, needs=needs, **facts)
    run.asked[setting] = found.asked
    run.files.rasters.mkdir(parents=True, exist_ok=True)
    shutil.copytree(path, run.files.raster("segmentation"), dirs_exist_ok=True)
    return found


def area_counts(areas_mm2: Mapping[str, float]) -> CellCounts:
    """Areas as numbers of cells of 100 µm² each, for a guideline that counts cells."""
    number = {score: round(area * 1e6 / CELL_UM2) for score, area in areas_mm2.items()}
    return CellCounts.from_classes(number)


def _segment(run: Run, gate: Gate, path: Path) -> Steps[PixelsFound]:
    inside, tissue = gate.inside(), gate.tissue
    spec = run.models["segment_model"].spec
    wishes = PlanWishes(least_tissue=0.0)
    asking = prepare(run, "segment_model", wishes, cells=np.empty((0, 2), np.int64))
    grid = asking.plan.grid
    share = grid.mean_of(inside.astype(np.float32), tissue.level0_px)
    asking = prepare(run, "segment_model", wishes, cells=grid.cells[share > 0])
    bands = Bands(grid, spec)
    pixels = np.zeros(256, np.int64)
    facts = {"slide": "ihc", "method": spec.name}
    with MultiscaleWriter(
        path, bands.shape, um_per_px=bands.um_per_px, labels=LABELS, attributes=facts
    ) as raster:
        for event in _banded(asking, bands):
            if isinstance(event, Progress):
                yield event
                continue
            row, col, labels = event
            labels = _judged(labels, row, col, inside, bands.um_per_px / tissue.um_per_px)
            raster.write(row, col, labels)
            pixels += np.bincount(labels.ravel(), minlength=256)
    areas: dict[str, float] = {
        name: float(pixels[RASTER_LABELS[name]]) * bands.um_per_px**2 / 1e6 for name in SCORES
    }
    return PixelsFound(areas, asking.asked())


def _banded(asking: Asking, bands: Bands) -> Iterator[Progress | Band]:
    """Run the plan; bands come as soon as they are whole."""
    for event in asking.batches(STAGE):
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


def _judged(
    labels: NDArray[np.uint8], row: int, col: int, inside: NDArray[np.bool_], scale: float
) -> NDArray[np.uint8]:
    """Mark classes outside the area that counts as excluded; ``scale`` is raster pixels of it per pixel."""
    at_row, at_col = (
        np.minimum(((np.arange(n) + start + 0.5) * scale).astype(np.intp), limit - 1)
        for n, start, limit in zip(labels.shape, (row, col), inside.shape, strict=True)
    )
    counts = inside[np.ix_(at_row, at_col)]
    return np.where(counts | (labels == 0), labels, np.uint8(RASTER_LABELS["unsure"]))
