"""Whether a slide's patches look like what the model was trained on, judged on a sample of them.

Features are taken while the sample's patches are predicted, so that knowing it costs next to nothing.
"""

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

__all__ = ["Sample", "judge_novelty"]

SAMPLE: Final = 192
"""Patches looked at, evenly spread: enough to tell a share of 5 % from one of 15 % (choice)."""


class Sample:
    """Patches of a run whose features are kept.

    Parameters
    ----------
    cells : ndarray of shape (n, 2), int64
        (row, col) of patches that will be asked about; up to 192 of them, evenly spread, make the sample.
    """

    def __init__(self, cells: NDArray[np.int64]) -> None:
        chosen = np.unique(np.linspace(0, len(cells) - 1, min(SAMPLE, len(cells))).round().astype(np.intp))
        self.cells: NDArray[np.int64] = cells[chosen]
        self._at = {(int(row), int(col)): k for k, (row, col) in enumerate(self.cells)}
        self._found: dict[int, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self.cells)

    def wants(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some patches (n, 2) belong to the sample."""
        return np.array([(row, col) in self._at for row, col in cells.tolist()], bool)

    def keep(self, cells: NDArray[np.int64], features: NDArray[np.float32]) -> None:
        """Keep the features (n, d) of those patches (n, 2) that belong to the sample."""
        for (row, col), vector in zip(cells.tolist(), features, strict=True):
            if (k := self._at.get((row, col))) is not None:
                self._found[k] = vector

    @property
    def missing(self) -> NDArray[np.int64]:
        """Patches (n, 2) of the sample without features."""
        return self.cells[[k for k in range(len(self.cells)) if k not in self._found]]

    @property
    def features(self) -> NDArray[np.float32]:
        """What was kept (n, d), in the order of the patches."""
        return np.stack([self._found[k] for k in sorted(self._found)])


def judge_novelty(
    plan: Plan, slide: Slide, model: PatchModel, reference: Reference | None, sample: Sample | None = None
) -> Novelty | None:
    """Compare a sample of a plan's patches with the model's training data.

    Parameters
    ----------
    plan : Plan
    slide : Slide
    model : PatchModel
    reference : Reference or None
    sample : Sample, optional
        With the features that were taken during the run; the model is asked for those that are missing.

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
    sample = Sample(plan.cells) if sample is None else sample
    rest = sample.missing
    for start in range(0, len(rest), plan.batch_size):
        cells = rest[start : start + plan.batch_size]
        sample.keep(cells, _features(plan, slide, model, cells))
    try:
        return reference.judge(sample.features)
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
