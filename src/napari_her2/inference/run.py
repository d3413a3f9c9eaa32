"""The loop: read, batch, predict, tell."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import InferenceError, ModelError
from napari_her2.events import Notice, Progress, StageDone
from napari_her2.inference.device import using_threads
from napari_her2.models import find_model
from napari_her2.patches import read_patch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.inference.plan import Plan
    from napari_her2.models import PatchModel
    from napari_her2.slides import Slide

__all__ = ["BatchDone", "Event", "run"]

STAGE = "predict"


@dataclass(frozen=True, slots=True, eq=False)
class BatchDone:
    """A batch was predicted.

    Attributes
    ----------
    cells : ndarray of shape (n, 2), int64
        (row, col) in the plan's grid.
    probabilities : ndarray of shape (n, c) or (n, c, size_px, size_px), float32
    done, total : int
        Patches.
    """

    cells: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    done: int
    total: int

    @property
    def progress(self) -> Progress:
        """For those who only draw bars."""
        return Progress(STAGE, self.done, self.total, "patches")


Event = BatchDone | Notice | StageDone


def run(plan: Plan, *, slide: Slide | None = None, model: PatchModel | None = None) -> Iterator[Event]:
    """Run a plan; stop iterating to cancel.

    Parameters
    ----------
    plan : Plan
    slide : Slide, optional
        Open; else it is opened here and closed at the end.
    model : PatchModel, optional
        Ready; else it is found and loaded as the plan says.

    Yields
    ------
    BatchDone
        After every batch, in the plan's order.
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
        model = model or _planned(plan)
        done = 0
        for cells in plan.batches():
            batch = np.stack([read_patch(slide, plan.grid, plan.read, row, col) for row, col in cells])
            probabilities = _predicted(plan, model, batch)
            done += len(cells)
            yield BatchDone(cells, probabilities, done, len(plan))
    yield StageDone(STAGE, time.monotonic() - started)


def _planned(plan: Plan) -> PatchModel:
    entry = find_model(plan.model)
    if entry.spec.sha256 != plan.spec.sha256:
        raise ModelError(
            f"{plan.spec.name} is not the model that was planned, its weights differ: plan again"
        )
    try:
        return entry.load(device=plan.device, precision=plan.precision)
    except RuntimeError as error:
        raise ModelError(
            f"{plan.model} cannot be loaded on {plan.device} ({_first(error)}): try cpu"
        ) from error


def _predicted(plan: Plan, model: PatchModel, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Predict; RuntimeError, which napari's worker would swallow, becomes an error of ours."""
    try:
        with using_threads(plan.threads):
            out = model.predict(batch)
    except RuntimeError as error:
        raise InferenceError(
            f"{plan.spec.name} failed on {len(batch)} patches on {plan.device} ({_first(error)}): try a "
            "smaller batch or another device"
        ) from error
    if out.shape[:2] != (len(batch), len(plan.spec.classes)) or not np.isfinite(out).all():
        raise InferenceError(
            f"{plan.spec.name} gave {out.shape} or numbers that are not finite for {len(batch)} patches at "
            f"{plan.precision}: try float32, or check its spec"
        )
    return out


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
