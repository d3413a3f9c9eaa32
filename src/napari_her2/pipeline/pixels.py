"""Scores of pixels by model M, in the tumour area: a raster, and the area of each class."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.inference import PlanWishes
from napari_her2.pipeline.asking import Asked, prepare
from napari_her2.pipeline.correcting import corrected_areas
from napari_her2.pipeline.keeping import RUNNING
from napari_her2.pipeline.segmentation import Within, write_segmentation
from napari_her2.scoring import CellCounts
from napari_her2.store import read_multiscale
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run

__all__ = ["PixelsFound", "area_counts", "segment_tumour"]

SETTING: Final = "segment_model"
STAGE: Final = "segmentation"
CELL_UM2: Final = 100.0
"""Area that counts as one cell where a guideline asks for numbers of cells (choice)."""


@dataclass(frozen=True, slots=True)
class PixelsFound:
    """What model M saw in the tumour area and around it.

    Attributes
    ----------
    areas_mm2 : mapping of score to mm²
        Of tumour cells within the area in which cells count.
    unsure_mm2 : mapping of score to mm²
        Of tumour cells in the band around the area's edge, which do not count.
    asked : Asked
    """

    areas_mm2: Mapping[str, float]
    unsure_mm2: Mapping[str, float]
    asked: Asked


def segment_tumour(run: Run, gate: Gate) -> Steps[PixelsFound | None]:
    """Ask model M about the tumour area on the IHC and its margin of error; None with the classical engine.

    Only what lies surely within the area counts.
    """
    if SETTING not in run.models:
        return None
    needs, facts = ("cell_table",), run.model_facts(SETTING)
    path = run.store.place(STAGE, run.key(STAGE, needs, facts)) / "segmentation.zarr"

    def work() -> Steps[PixelsFound]:
        return (yield from _segment(run, gate, path))

    found: PixelsFound = yield from run.stage(STAGE, work, needs=needs, **facts)
    run.asked[SETTING] = found.asked
    run.files.rasters.mkdir(parents=True, exist_ok=True)
    shutil.copytree(path, run.files.raster("segmentation"), dirs_exist_ok=True)
    um = run.plan.ihc.um_per_px
    areas = corrected_areas(run.said, read_multiscale(path), found.areas_mm2, um)
    return replace(found, areas_mm2=areas)


def area_counts(areas_mm2: Mapping[str, float]) -> CellCounts:
    """Areas as numbers of cells of 100 µm² each, for a guideline that counts cells."""
    number = {score: round(area * 1e6 / CELL_UM2) for score, area in areas_mm2.items()}
    return CellCounts.from_classes(number)


def _segment(run: Run, gate: Gate, path: Path) -> Steps[PixelsFound]:
    (inside, unsure), tissue = gate.inside_and_unsure(), gate.tissue
    wishes, none = PlanWishes(least_tissue=0.0), np.empty((0, 2), np.int64)
    grid = prepare(run, SETTING, wishes, cells=none).plan.grid
    share = grid.mean_of((inside | unsure).astype(np.float32), tissue.level0_px)
    asking = prepare(run, SETTING, wishes, cells=grid.cells[share > 0])
    within = Within(inside, unsure, tissue.um_per_px)
    sample = asking.sample(asking.plan.cells)
    found = yield from write_segmentation(
        asking, path, stage=STAGE, place=path.parent / RUNNING, within=within, sample=sample
    )
    um = found.um_per_px
    return PixelsFound(_areas(found.pixels, um), _areas(found.unsure, um), asking.asked(sample))


def _areas(pixels: NDArray[np.int64], um_per_px: float) -> dict[str, float]:
    return {name: float(pixels[RASTER_LABELS[name]]) * um_per_px**2 / 1e6 for name in SCORES}
