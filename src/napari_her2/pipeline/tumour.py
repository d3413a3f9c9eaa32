"""The tumour area by model C: patch probabilities on the H&E, stitched into one raster.

A patch is smaller than a duct, and from inside carcinoma in situ looks like invasive carcinoma. So ducts
are found by their shape, as with the classical engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.events import Notice
from napari_her2.inference import PlanWishes, first_seen
from napari_her2.patches import Stitcher
from napari_her2.pipeline.asking import Asked, prepare
from napari_her2.pipeline.engine import tumour_class
from napari_her2.pipeline.finding import quiet
from napari_her2.pipeline.keeping import RUNNING, Hint, guided_answers, kept_answers
from napari_her2.tissue import TumourRaster, tumour_region

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.inference import Guided
    from napari_her2.patches import PatchGrid
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import TissueMask

__all__ = ["TumourFound", "heat_map", "hints_of", "tumour_by_model"]

OVERLAP: Final = 0.5
"""A place is seen by up to four patches, so that the area's edge is finer than a patch (choice)."""
LEAST_TISSUE: Final = 0.25
LEAST_GUIDED: Final = 3000
"""Patches from which on a run is guided: about 9 mm² of tissue. Smaller ones gain little."""


@dataclass(frozen=True, slots=True, eq=False)
class TumourFound:
    """The tumour area, and what a model was asked for it.

    Attributes
    ----------
    raster : TumourRaster
    asked : Asked or None
        None where a person or the classical estimate said it.
    """

    raster: TumourRaster
    asked: Asked | None = None


def tumour_by_model(run: Run, tissue: TissueMask, place: Path) -> Steps[TumourFound]:
    """Ask model C about every patch with tissue; take ducts from the classical estimate.

    Parameters
    ----------
    run : Run
    tissue : TissueMask
        Of the H&E.
    place : Path
        Folder in which answers are kept as they come.
    """
    wishes = PlanWishes(overlap=OVERLAP, least_tissue=LEAST_TISSUE)
    asking = prepare(run, "tumour_model", wishes, tissue=tissue)
    spec, guided = asking.entry.spec, None
    cells = asking.plan.cells
    by_shape = yield from quiet(tumour_region(asking.slide, tissue, threads=run.own_threads))
    if run.plan["exhaustive"] or len(cells) < LEAST_GUIDED:
        sample = asking.sample(cells)
        found = yield from kept_answers(asking, place / RUNNING, "tumour", sample)
    else:
        sample, index = asking.sample(first_seen(cells)), tumour_class(spec)
        found, outcome = yield from guided_answers(
            asking, place / RUNNING, "tumour", index, sample, hints=hints_of(by_shape, tissue)
        )
        guided = outcome.to_json()
        yield Notice(_said(outcome, spec.name))
    raster = TumourRaster(
        probability=heat_map(found[..., tumour_class(spec)], asking.plan.grid, tissue),
        um_per_px=tissue.um_per_px,
        slide_um_per_px=tissue.slide_um_per_px,
        method=spec.name,
        in_situ=by_shape.in_situ,
    )
    return TumourFound(raster, asking.asked(sample, guided))


def hints_of(classical: TumourRaster, tissue: TissueMask) -> tuple[Hint, ...]:
    """Return what is known of an H&E before a model looks: the classical estimate, and how much is tissue."""
    rasters = classical.probability, tissue.counted.astype(np.float32)
    return tuple((raster, tissue.level0_px) for raster in rasters)


def _said(outcome: Guided, name: str) -> str:
    high = outcome.missed_percent_high
    bound = "" if high is None else f" (estimated to miss less than {high:.2g} % of the tumour)"
    return (
        f"{name} looked at {outcome.asked} of {outcome.patches} patches of the H&E, coarse to fine{bound}; "
        "--exhaustive has it look at all."
    )


def heat_map(probability: NDArray[np.float32], grid: PatchGrid, tissue: TissueMask) -> NDArray[np.float32]:
    """Stitch patch probabilities (rows, cols of the grid) on the raster of the tissue.

    Overlaps are blended with a Hann window, P(x) = Σ w(x - o_k) p_k / Σ w(x - o_k). NaN is where no
    patch ran; off the usable tissue the result is 0.
    """
    step = tissue.level0_px
    side = max(round(grid.side_px / step), 1)
    canvas = Stitcher(tissue.labels.shape, 1, side, dtype=np.float32)
    flat = np.ones((1, side, side), np.float32)
    cells = np.argwhere(np.isfinite(probability))
    corners = np.round(grid.starts(cells) / step).astype(np.int64)
    for (row, col), (top, left) in zip(cells, corners, strict=True):
        canvas.add(flat * probability[row, col], int(top), int(left))
    return np.asarray(canvas.result(0.0)[0] * tissue.counted, np.float32)
