"""Answers per patch that outlive a kill: asked for once, kept as they come."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import key_of
from napari_her2.events import Notice, Progress
from napari_her2.inference import Agenda, BatchDone
from napari_her2.pipeline.engine import model_facts
from napari_her2.store import ResultStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.pipeline.asking import Asking

__all__ = ["CHANGES_NOTHING", "RUNNING", "kept_answers", "work_key"]

RUNNING: Final = "running"
"""Name of the folder in which unfinished work is kept."""
CHANGES_NOTHING: Final = ("batch_size", "threads", "precision_change")
"""Facts of a plan on which answers do not depend."""


def work_key(asking: Asking, **facts: Any) -> str:
    """Return a key of all that the answers depend on: slide, model, precision, patches."""
    plan = asking.plan
    record = {name: value for name, value in plan.record().items() if name not in CHANGES_NOTHING}
    cells = hashlib.sha256(np.ascontiguousarray(plan.cells, "<i8").tobytes()).hexdigest()
    slide = asking.slide.sha256()
    return key_of({"plan": record, "cells": cells, "slide": slide, "model": model_facts(plan.spec), **facts})


def kept_answers(asking: Asking, folder: Path, stage: str) -> Steps[NDArray[np.float32]]:
    """Run a plan of patches, less what the folder holds of it already.

    Parameters
    ----------
    asking : Asking
    folder : Path
        Where answers are kept; work on other patches, or by other models, is dropped.
    stage : str
        For progress.

    Returns
    -------
    float32 ndarray of shape (rows, cols, c)
        Probabilities by place in the grid, NaN where none was planned.

    Raises
    ------
    Her2Error
        If the model fails, a tile cannot be read, or the disk is full; what was done is kept.
    """
    plan = asking.plan
    store = ResultStore(
        folder,
        key=work_key(asking),
        shape=plan.grid.shape,
        classes=plan.spec.classes,
        planned=plan.cells,
        facts={"plan": plan.record()},
    )
    with store:
        yield from told(asking, store)
        rest = plan.cells[~store.done[plan.cells[:, 0], plan.cells[:, 1]]]
        before = len(plan) - len(rest)
        if before:
            yield Progress(stage, before, len(plan), "patches")
        for event in asking.batches(stage, Agenda(rest, done=before)):
            if isinstance(event, BatchDone):
                store.add(event.cells, event.probabilities)
            else:
                yield event
        store.finish()
        return store.probabilities


def told(asking: Asking, store: ResultStore) -> Steps[None]:
    """Tell of answers that were kept and cannot be read again."""
    plan = asking.plan
    most = plan.batch_size * (8 + 4 * len(plan.spec.classes)) + 64
    if store.lost_bytes > most:
        yield Notice(
            f"{store.lost_bytes} bytes of earlier answers of {plan.spec.name} were damaged: those patches "
            "run again."
        )
