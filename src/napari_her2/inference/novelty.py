"""Whether a slide's patches look like what the model was trained on, judged on a sample of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import InferenceError
from napari_her2.inference.device import using_threads
from napari_her2.models import FeatureModel
from napari_her2.patches import read_patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.inference.plan import Plan
    from napari_her2.models import Novelty, PatchModel, Reference
    from napari_her2.slides import Slide

__all__ = ["judge_novelty"]

SAMPLE: Final = 192
"""Patches looked at, evenly spread: enough to tell a share of 5 % from one of 15 % (choice)."""


def judge_novelty(plan: Plan, slide: Slide, model: PatchModel, reference: Reference | None) -> Novelty | None:
    """Compare a sample of a plan's patches with the model's training data.

    Returns
    -------
    Novelty or None
        None where it cannot be known: the model has no reference or shows no features, or no patch ran.

    Raises
    ------
    InferenceError
        If the model fails, or its features do not fit the reference.
    SlideError
        If a tile cannot be read.
    """
    if reference is None or not isinstance(model, FeatureModel) or not len(plan):
        return None
    chosen = np.unique(np.linspace(0, len(plan) - 1, min(SAMPLE, len(plan))).round().astype(np.intp))
    parts = [
        _features(plan, slide, model, plan.cells[chosen[start : start + plan.batch_size]])
        for start in range(0, len(chosen), plan.batch_size)
    ]
    try:
        return reference.judge(np.concatenate(parts))
    except ValueError as error:
        raise InferenceError(
            f"the features of {plan.spec.name} do not fit its reference ({str(error)[:120]}): get the "
            "model again"
        ) from error


def _features(plan: Plan, slide: Slide, model: FeatureModel, cells: NDArray[np.int64]) -> NDArray[np.float32]:
    batch = np.stack([read_patch(slide, plan.grid, plan.read, row, col) for row, col in cells])
    try:
        with using_threads(plan.threads):
            return model.features(batch)
    except RuntimeError as error:
        raise InferenceError(
            f"{plan.spec.name} failed on {len(batch)} patches on {plan.device} ({str(error)[:160]}): try a "
            "smaller batch or another device"
        ) from error
