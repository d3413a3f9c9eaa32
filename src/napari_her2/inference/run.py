"""A plan becomes events: read, predict, tell."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_her2.events import Notice, Progress, StageDone
from napari_her2.inference.agenda import Agenda
from napari_her2.inference.device import threads_put_back
from napari_her2.inference.line import Line
from napari_her2.inference.loading import load_planned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.inference.novelty import Sample
    from napari_her2.inference.plan import Plan
    from napari_her2.models import PatchModel
    from napari_her2.slides import Slide

__all__ = ["BatchDone", "Event", "run"]

STAGE = "predict"


@dataclass(frozen=True, slots=True, eq=False)
class BatchDone:
    """Some patches were predicted.

    Attributes
    ----------
    cells : ndarray of shape (n, 2), int64
        (row, col) in the plan's grid.
    probabilities : ndarray of shape (n, c) or (n, c, size_px, size_px), float32
    done, total : int
        Patches.
    features : ndarray of shape (n, d), float32, or None
        Where some of the patches belong to the run's sample.
    """

    cells: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    done: int
    total: int
    features: NDArray[np.float32] | None = None

    @property
    def progress(self) -> Progress:
        """For those who only draw bars."""
        return Progress(STAGE, self.done, self.total, "patches")


Event = BatchDone | Notice | StageDone


def run(
    plan: Plan,
    *,
    slide: Slide | None = None,
    model: PatchModel | Sequence[PatchModel] | None = None,
    agenda: Agenda | None = None,
    ordered: bool = True,
    sample: Sample | None = None,
) -> Iterator[Event]:
    """Run a plan; stop iterating (and close the generator) to cancel.

    Threads read ahead and predict while the caller works on an event; when it asks for the next, the last
    is taken to be settled. Never are more than ``plan.batch_size`` patches predicted and not settled.

    Parameters
    ----------
    plan : Plan
    slide : Slide, optional
        Open; else it is opened here and closed at the end.
    model : PatchModel or one for each of ``plan.devices``, optional
        Ready; else it is found and loaded as the plan says. Workers ask it at the same time.
    agenda : Agenda, optional
        What is to run, where that is not all of the plan in its order; it may change while it runs, and
        the run ends when nothing is left on it.
    ordered : bool
        Deliver in the order of the agenda, else as answers come.
    sample : Sample, optional
        Of patches whose features are wanted as well; the model must show some.

    Yields
    ------
    BatchDone
        After every call of the model.
    StageDone
        At the end.

    Raises
    ------
    InferenceError
        If the model fails or gives no finite probabilities.
    ModelError
        If it cannot be loaded or is not the one that was planned.
    SlideError
        If a tile cannot be read.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        slide = slide or stack.enter_context(plan.slide.open())
        if model is None:
            plan, model = load_planned(plan, slide)
        agenda = agenda if agenda is not None else Agenda(plan.cells)
        if agenda.left:
            stack.enter_context(threads_put_back())
            line = stack.enter_context(Line(plan, slide, _several(model), agenda, sample))
            for part, answer in stack.enter_context(closing(line.results(ordered=ordered))):
                agenda.done += len(part.cells)
                yield BatchDone(part.cells, answer.probabilities, agenda.done, agenda.total, answer.features)
    yield StageDone(STAGE, time.monotonic() - started)


def _several(model: Any) -> Sequence[PatchModel]:
    return model if isinstance(model, list | tuple) else (model,)
