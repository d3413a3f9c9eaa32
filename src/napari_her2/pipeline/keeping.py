"""Answers per patch that outlive a kill: asked for once, kept as they come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import key_of
from napari_her2.events import Notice, Progress
from napari_her2.inference import Agenda, BatchDone, cheap_features, guide, raster_features
from napari_her2.pipeline.engine import model_facts
from napari_her2.pipeline.features import keeping_features
from napari_her2.store import ResultStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.inference import Guided, Plan, Sample
    from napari_her2.pipeline.asking import Asking

__all__ = ["CHANGES_NOTHING", "RUNNING", "Hint", "guided_answers", "kept_answers", "work_key"]

Hint = tuple["NDArray[np.float32]", float]
"""A raster, and level-0 pixels along the side of its pixels."""
RUNNING: Final = "running"
"""Name of the folder in which unfinished work is kept."""
CHANGES_NOTHING: Final = ("batch_size", "threads", "precision_change")
"""Facts of a plan on which answers do not depend."""


def work_key(asking: Asking, **facts: Any) -> str:
    """Return a key of all that the answers depend on: slide, model, precision, patches."""
    plan = asking.plan
    record = {name: value for name, value in plan.record().items() if name not in CHANGES_NOTHING}
    cells = hashlib.sha256(np.ascontiguousarray(plan.cells, "<i8").tobytes()).hexdigest()
    slide = [asking.slide.sha256(), asking.slide.white]
    return key_of({"plan": record, "cells": cells, "slide": slide, "model": model_facts(plan.spec), **facts})


def kept_answers(
    asking: Asking, folder: Path, stage: str, sample: Sample | None = None
) -> Steps[NDArray[np.float32]]:
    """Run a plan of patches, less what the folder holds of it already.

    Parameters
    ----------
    asking : Asking
    folder : Path
        Where answers are kept; work on other patches, or by other models, is dropped.
    stage : str
        For progress.
    sample : Sample, optional
        Of patches whose features are kept as well.

    Returns
    -------
    float32 ndarray of shape (rows, cols, c)
        Probabilities by place in the grid, NaN where none was planned.

    Raises
    ------
    Her2Error
        If the model fails, a tile cannot be read, or the disk is full; what was done is kept.
    """
    with _store(asking, folder) as store, keeping_features(folder, sample) as keep:
        yield from _told(asking, store)
        ask = _Ask(asking, store, stage, sample, keep)
        yield from ask.about(asking.plan.cells)
        store.finish()
        return store.probabilities


def guided_answers(
    asking: Asking,
    folder: Path,
    stage: str,
    of_interest: int,
    sample: Sample | None = None,
    *,
    hints: Sequence[Hint] = (),
) -> Steps[tuple[NDArray[np.float32], Guided]]:
    """Run a plan of patches coarse to fine, less what the folder holds of it already.

    What runs follows from the answers alone, so that a run that was stopped takes the same way.

    Parameters
    ----------
    asking : Asking
        Of a model of H&E.
    folder : Path
    stage : str
    of_interest : int
        Class whose area is wanted.
    sample : Sample, optional
        Of patches that are seen in any case (:func:`napari_her2.inference.first_seen`).
    hints : sequence of (raster, level-0 pixels along the side of its pixels)
        What is known without the model (0 to 1), such as another estimate.

    Returns
    -------
    tuple of float32 ndarray of shape (rows, cols, c) and Guided
        Probabilities by place in the grid, where the model did not look the student's; NaN where none was
        planned.
    """
    plan = asking.plan
    with _store(asking, folder) as store, keeping_features(folder, sample) as keep:
        yield from _told(asking, store)
        ask = _Ask(asking, store, stage, sample, keep)
        guiding = guide(plan.cells, _features(asking, hints))
        seen, which = 0, next(guiding)
        while True:
            cells = plan.cells[which]
            yield from ask.about(cells, seen)
            seen += len(cells)
            try:
                which = guiding.send(store.probabilities[cells[:, 0], cells[:, 1], of_interest])
            except StopIteration as stop:
                answers, outcome = stop.value
                break
        store.finish()
        return _filled(plan, store.probabilities, answers, of_interest), outcome


def _features(asking: Asking, hints: Sequence[Hint]) -> NDArray[np.float32]:
    grid, cells = asking.plan.grid, asking.plan.cells
    known = [raster_features(grid, cells, *hint) for hint in hints]
    return np.column_stack([cheap_features(asking.slide, grid, cells), *known])


def _filled(
    plan: Plan, seen: NDArray[np.float32], answers: NDArray[np.float32], of_interest: int
) -> NDArray[np.float32]:
    """Put the student's answers where the model has none; other classes share what is left."""
    whole = seen.copy()
    rows, cols = plan.cells.T
    skipped = np.isnan(seen[rows, cols, of_interest])
    others = max(whole.shape[2] - 1, 1)
    whole[rows[skipped], cols[skipped]] = ((1 - answers[skipped]) / others)[:, None]
    whole[rows[skipped], cols[skipped], of_interest] = answers[skipped]
    return whole


def _store(asking: Asking, folder: Path) -> ResultStore:
    plan = asking.plan
    return ResultStore(
        folder,
        key=work_key(asking),
        shape=plan.grid.shape,
        classes=plan.spec.classes,
        planned=plan.cells,
        facts={"plan": plan.record()},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    """A model, and where its answers and the sample's features go."""

    asking: Asking
    store: ResultStore
    stage: str
    sample: Sample | None
    keep: Callable[[BatchDone], None]

    def about(self, cells: NDArray[np.int64], seen: int = 0) -> Steps[None]:
        """Ask about those cells that have no answer yet, and keep each."""
        rest = cells[~self.store.done[cells[:, 0], cells[:, 1]]]
        before = seen + len(cells) - len(rest)
        if before:
            yield Progress(self.stage, before, seen + len(cells), "patches")
        for event in self.asking.batches(self.stage, Agenda(rest, done=before), self.sample):
            if isinstance(event, BatchDone):
                self.keep(event)
                self.store.add(event.cells, event.probabilities)
            else:
                yield event


def _told(asking: Asking, store: ResultStore) -> Steps[None]:
    """Tell of answers that were kept and cannot be read again."""
    plan = asking.plan
    most = plan.batch_size * (8 + 4 * len(plan.spec.classes)) + 64
    if store.lost_bytes > most:
        yield Notice(
            f"{store.lost_bytes} bytes of earlier answers of {plan.spec.name} were damaged: those patches "
            "run again."
        )
