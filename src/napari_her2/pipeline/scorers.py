"""The scorers side by side: what cells, patches and pixels say, and on how much of the area they agree."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import Agreement
from napari_her2.geometry import Box
from napari_her2.pipeline.patch_scores import patch_grid
from napari_her2.pipeline.patches import patch_counts
from napari_her2.pipeline.pixels import area_counts
from napari_her2.scoring import DEFAULT_RULE, apply_rule, load_rule
from napari_her2.store import read_multiscale
from napari_her2.vocabulary import RASTER_LABELS, SCORES, Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from napari_her2.case import PatchTable
    from napari_her2.pipeline.asking import Asked
    from napari_her2.pipeline.pixels import PixelsFound
    from napari_her2.pipeline.run import Run
    from napari_her2.scoring import Call, CellSummary

__all__ = ["GATING", "agreements", "model_doubts", "scorer_scores"]

TILE_PX: Final = 1024
GATING: Final = "tumour_model"


def scorer_scores(
    run: Run, call: Call, summary: CellSummary, patches: PatchTable, pixels: PixelsFound | None
) -> dict[str, Score | None]:
    """Return the score of each scorer that ran; one alone has nothing to be compared with.

    Cells and pixels go by the run's guideline (a hundred µm² of pixels count as one cell), patches by
    the paper's rule.
    """
    if pixels is None:
        return {}
    rule, least = load_rule(run.plan["rule"]), run.plan["min_cells"]
    of_cells = call.score
    if rule.counted == "patches":
        rule = load_rule(DEFAULT_RULE)
        of_cells = apply_rule(summary.counts, rule, min_cells=least).score
    return {
        "cells": of_cells,
        "patches": apply_rule(patch_counts(patches), "paper-max", min_cells=1).score,
        "pixels": apply_rule(area_counts(pixels.areas_mm2), rule, min_cells=least).score,
    }


def model_doubts(asked: Mapping[str, Asked], models: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where the model that finds the tumour should not be followed without a look.

    Its patches are unlike its training data, or that cannot be told at all: no model gates a slide
    silently. The models of the IHC never gate; they found every real picture strange, right calls and
    wrong ones alike, so that a flag for it says nothing (docs/real_images.md).
    """
    one = asked.get(GATING)
    if one is None or not one.record["patches"]:
        return ()
    name = models[GATING].spec.name
    if one.novelty is None:
        return (f"Whether the H&E looks like what {name} was trained on cannot be told.",)
    share = f"{one.novelty.share:.0%} of the patches looked at"
    return (f"The H&E looks unlike what {name} was trained on ({share}).",) if one.unlike else ()


def agreements(run: Run, scores: Mapping[str, Score | None], patches: PatchTable) -> dict[str, Agreement]:
    """Compare all pairs of scorers: their scores, and the share of the common area with the same class."""
    counts: dict[tuple[str, str], NDArray[np.int64]] = {
        pair: np.zeros(2, np.int64) for pair in combinations(scores, 2)
    }
    for labels in _tiles(run, patches) if counts else ():
        for one, other in counts:
            judged = (labels[one] > 0) & (labels[other] > 0)
            same = judged & (labels[one] == labels[other])
            counts[one, other] += (np.count_nonzero(same), np.count_nonzero(judged))
    return {
        f"{one}-{other}": Agreement(
            scores={one: scores[one], other: scores[other]},
            fraction_agreeing=round(float(same / judged), 4) if judged else None,
        )
        for (one, other), (same, judged) in counts.items()
    }


_CLASS: Final = np.zeros(256, np.uint8)
"""Raster value → 1 to 4 for the scores; 0 where nothing is judged."""
for _k, _score in enumerate(SCORES):
    _CLASS[RASTER_LABELS[_score]] = _k + 1
_CLASS[RASTER_LABELS["unusual"]] = SCORES.index("2+") + 1


def _tiles(run: Run, patches: PatchTable) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Classes 1 to 4 (0: not judged) of all scorers over tiles of the raster of cells."""
    cells, pixels = (read_multiscale(run.files.raster(name)) for name in ("her2", "segmentation"))
    grid, um = patch_grid(run), cells.um_per_px
    of_patch = np.zeros(grid.shape, np.uint8)
    for k, score in enumerate(SCORES):
        chosen = patches.score == score
        of_patch[patches.row[chosen], patches.col[chosen]] = k + 1
    for tile in Box.of_shape(cells.shape).tiles(TILE_PX):
        block = _CLASS[cells.levels[0][tile.row : tile.row_stop, tile.col : tile.col_stop]]
        if block.any():
            places = [_middles(tile.row, tile.row_stop, um), _middles(tile.col, tile.col_stop, um)]
            yield {
                "cells": block,
                "patches": _nearest(of_patch, places, grid.stride_px * grid.um_per_px),
                "pixels": _CLASS[_nearest(pixels.levels[0], places, pixels.um_per_px)],
            }


def _middles(start: int, stop: int, um_per_px: float) -> NDArray[np.float64]:
    """Distances in µm of the middles of pixels from the raster's corner."""
    return np.asarray((np.arange(start, stop) + 0.5) * um_per_px, np.float64)


def _nearest(raster: Any, places_um: list[NDArray[np.float64]], um_per_px: float) -> NDArray[np.uint8]:
    """Values of a corner-based raster under the rows and columns at these distances from its corner."""
    rows, cols = (
        np.minimum((place / um_per_px).astype(np.intp), n - 1)
        for place, n in zip(places_um, raster.shape, strict=True)
    )
    part = np.asarray(raster[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    return np.asarray(part[np.ix_(rows - rows[0], cols - cols[0])], np.uint8)
