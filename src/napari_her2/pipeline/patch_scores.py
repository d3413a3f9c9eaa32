"""Scores of IHC patches by model L: asked wherever enough cells count, so that scorers can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.inference import PlanWishes
from napari_her2.patches import PatchGrid
from napari_her2.pipeline.asking import Asked, prepare
from napari_her2.pipeline.keeping import RUNNING, kept_answers
from napari_her2.pipeline.patches import UNSURE
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.case import PatchTable
    from napari_her2.events import Steps
    from napari_her2.pipeline.run import Run

__all__ = ["PatchScores", "patch_grid", "score_patches"]

SETTING: Final = "stain_model"
STAGE: Final = "patch_scores"


@dataclass(frozen=True, slots=True, eq=False)
class PatchScores:
    """Answers of model L.

    Attributes
    ----------
    probabilities : float32 ndarray of shape (n, 4)
        Of the scores, for the patches that were asked about, in the order of the table.
    asked : Asked
    """

    probabilities: NDArray[np.float32]
    asked: Asked


def patch_grid(run: Run) -> PatchGrid:
    """Return the patches of the IHC: those of the model that scores them, else 512 px at 0.25 µm/px."""
    if SETTING not in run.models:
        return PatchGrid.ihc(run.ihc)
    spec = run.models[SETTING].spec
    return PatchGrid.over(run.ihc, spec.size_px, spec.um_per_px)


def score_patches(run: Run, patches: PatchTable) -> Steps[PatchTable]:
    """Ask model L about the patches that hold enough evaluable cells; others keep no score.

    Patches with enough cells only if those at the area's edge are taken in are asked about as well: they get
    probabilities, which the report tells apart, and no score.

    Without the model the table stays as it is: the class of most cells.
    """
    if SETTING not in run.models:
        return patches
    chosen = np.isin(patches.excluded, ("", UNSURE))
    cells = np.column_stack([patches.row, patches.col])[chosen].astype(np.int64)

    def work() -> Steps[PatchScores]:
        asking = prepare(run, SETTING, PlanWishes(overlap=0.0), cells=cells)
        sample = asking.sample(cells)
        answers = yield from kept_answers(asking, place / RUNNING, "patches", sample)
        return PatchScores(answers[cells[:, 0], cells[:, 1]], asking.asked(sample))

    needs, facts = ("cell_table",), run.model_facts(SETTING)
    place = run.store.place(STAGE, run.key(STAGE, needs, facts))
    found: PatchScores = yield from run.stage(STAGE, work, needs=needs, **facts)
    run.asked[SETTING] = found.asked
    return scored(patches, chosen, found.probabilities)


def scored(patches: PatchTable, chosen: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> PatchTable:
    """Put the model's answers in place of the cells' shares; those that do not count give no score."""
    p = np.full((len(patches), len(SCORES)), np.nan, np.float32)
    p[chosen] = probabilities
    score = np.full(len(patches), "", "U2")
    # Among equal probabilities the stronger score wins, as among cells.
    score[chosen] = np.array(SCORES)[len(SCORES) - 1 - np.argmax(probabilities[:, ::-1], axis=1)]
    score[patches.excluded != ""] = ""
    columns: dict[str, Any] = {f"p{k}": p[:, k] for k in range(len(SCORES))}
    return replace(patches, score=score, **columns)
