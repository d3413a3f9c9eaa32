"""Asking one model about one slide: a plan, a ready model, batches, and whether it knew such patches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2.errors import ModelError
from napari_her2.events import Progress
from napari_her2.inference import BatchDone, PlanWishes, judge_novelty, pick_device, resolve, run

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.inference import Plan
    from napari_her2.models import ModelEntry, Novelty, PatchModel
    from napari_her2.pipeline.run import Run
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["Asked", "Asking", "loaded", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model was asked, and whether it knew such patches.

    Attributes
    ----------
    record : mapping
        The plan that ran, as plain values.
    novelty : Novelty or None
        None where it cannot be known.
    """

    record: Mapping[str, Any]
    novelty: Novelty | None

    @property
    def unlike(self) -> bool:
        """Whether the patches are unlike the model's training data."""
        return self.novelty is not None and self.novelty.unlike

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``run.json``."""
        seen = self.novelty
        share = None if seen is None else round(seen.share, 4)
        return {**self.record, "share_unlike_training": share, "unlike_training": self.unlike}


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A model that is ready for its plan.

    Attributes
    ----------
    entry : ModelEntry
    plan : Plan
    slide : Slide
    model : PatchModel or None
        None where the plan holds no patch; then nothing was loaded.
    """

    entry: ModelEntry
    plan: Plan
    slide: Slide
    model: PatchModel | None

    def batches(self, stage: str) -> Generator[BatchDone | Progress, None, None]:
        """Run the plan; each batch is followed by its progress."""
        if self.model is None:
            return
        for event in run(self.plan, slide=self.slide, model=self.model):
            if isinstance(event, BatchDone):
                yield event
                yield Progress(stage, event.done, event.total, "patches")

    def all(self, stage: str) -> Steps[list[BatchDone]]:
        """Run the plan and keep its batches, for answers per patch."""
        kept: list[BatchDone] = []
        for event in self.batches(stage):
            if isinstance(event, BatchDone):
                kept.append(event)
            else:
                yield event
        return kept

    def asked(self) -> Asked:
        """Say what was asked, and judge a sample of the patches."""
        novelty = None
        if self.model is not None:
            novelty = judge_novelty(self.plan, self.slide, self.model, self.entry.reference())
        return Asked(record=self.plan.record(), novelty=novelty)


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
    entry = run.models[setting]
    slide = run.he if run.he is not None and entry.spec.stain == "he" else run.ihc
    plan = resolve(wishes, slide, entry.spec, pick_device(run.plan["device"]), tissue=tissue)
    if cells is not None:
        plan = replace(plan, cells=cells)
    return Asking(entry, plan, slide, loaded(entry, plan) if len(plan) else None)


def loaded(entry: ModelEntry, plan: Plan) -> PatchModel:
    """Load a model as a plan says.

    Raises
    ------
    ModelError
        If it cannot be used, or not on this device.
    """
    try:
        return entry.load(device=plan.device, precision=plan.precision)
    except RuntimeError as error:
        why = (str(error).strip().splitlines() or ["no reason given"])[0][:160]
        raise ModelError(f"{entry.spec.name} cannot be loaded on {plan.device} ({why}): try cpu") from error
