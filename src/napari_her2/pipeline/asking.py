"""Asking one model about one slide: a plan, a ready model, batches, and whether it knew such patches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2.events import Progress
from napari_her2.inference import (
    BatchDone,
    PlanWishes,
    Sample,
    judge_novelty,
    load_planned,
    pick_device,
    resolve,
    run,
)
from napari_her2.models import FeatureModel

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.inference import Agenda, Plan
    from napari_her2.models import ModelEntry, Novelty, PatchModel, Reference
    from napari_her2.pipeline.run import Run
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["Asked", "Asking", "prepare", "ready"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model was asked, and whether it knew such patches.

    Attributes
    ----------
    record : mapping
        The plan that ran, as plain values.
    novelty : Novelty or None
        None where it cannot be known.
    guided : mapping or None
        What was skipped and what that may have cost, where the run was guided.
    """

    record: Mapping[str, Any]
    novelty: Novelty | None
    guided: Mapping[str, Any] | None = None

    @property
    def unlike(self) -> bool:
        """Whether the patches are unlike the model's training data."""
        return self.novelty is not None and self.novelty.unlike

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``run.json``."""
        seen = self.novelty
        share = None if seen is None else round(seen.share, 4)
        said = {**self.record, "share_unlike_training": share, "unlike_training": self.unlike}
        return said if self.guided is None else {**said, "guided": dict(self.guided)}


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A model that is ready for its plan.

    Attributes
    ----------
    entry : ModelEntry
    plan : Plan
    slide : Slide
    models : tuple of PatchModel
        One for each device; none where the plan holds no patch, for then nothing was loaded.
    reference : Reference or None
        What the model was trained on.
    """

    entry: ModelEntry
    plan: Plan
    slide: Slide
    models: tuple[PatchModel, ...]
    reference: Reference | None = None

    def sample(self, cells: NDArray[np.int64]) -> Sample | None:
        """Choose of patches that will be asked about some to be compared with what the model knows.

        None where they cannot be: the model has no reference or shows no features.
        """
        known = self.reference is not None and len(cells) and isinstance(self.models[0], FeatureModel)
        return Sample(cells) if known else None

    def batches(
        self, stage: str, agenda: Agenda | None = None, sample: Sample | None = None
    ) -> Generator[BatchDone | Progress, None, None]:
        """Run the plan, or what is left of it; each batch is followed by its progress."""
        if not self.models:
            return
        for event in run(self.plan, slide=self.slide, model=self.models, agenda=agenda, sample=sample):
            if isinstance(event, BatchDone):
                yield event
                yield Progress(stage, event.done, event.total, "patches")

    def asked(self, sample: Sample | None, guided: Mapping[str, Any] | None = None) -> Asked:
        """Say what was asked, and judge a sample of the patches by the features that were kept."""
        novelty = None
        if self.models:
            novelty = judge_novelty(self.plan, self.slide, self.models[0], self.reference, sample)
        return Asked(record=self.plan.record(), novelty=novelty, guided=guided)


def prepare(
    run: Run,
    setting: str,
    wishes: PlanWishes,
    *,
    tissue: TissueMask | None = None,
    cells: NDArray[np.int64] | None = None,
) -> Asking:
    """Plan a model's run on the slide of its stain, and load it.

    Parameters
    ----------
    run : Run
    setting : str
        That names the model.
    wishes : PlanWishes
    tissue : TissueMask, optional
        Patches with too little of it are left out.
    cells : ndarray of shape (n, 2), optional
        (row, col) of the patches to run, in place of all.

    Raises
    ------
    ModelError, UsageError
        If the model cannot be loaded or the device is not there.
    """
    entry = run.entry(setting)
    slide = run.he if run.he is not None and entry.spec.stain == "he" else run.ihc
    plan = resolve(
        wishes,
        slide,
        entry.spec,
        pick_device(run.plan["device"]).sparing(run.spare_cores),
        tissue=tissue,
        weights_bytes=entry.weights_bytes,
    )
    return ready(entry, plan if cells is None else replace(plan, cells=cells), slide)


def ready(entry: ModelEntry, plan: Plan, slide: Slide) -> Asking:
    """Load a model as a plan says, if there is anything to ask it.

    Raises
    ------
    ModelError
        If it cannot be used, or not on this device.
    """
    if not len(plan):
        return Asking(entry, plan, slide, ())
    plan, models = load_planned(plan, slide, entry)
    return Asking(entry, plan, slide, models, entry.reference())
