"""Figures by which a training run chooses its best state; the proper protocol is in ``evaluation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.learning.evaluation import accuracy, auc, confusion, iou, weighted_kappa
from napari_her2.learning.patch import UNKNOWN
from napari_her2.learning.recipe import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_her2.learning.patch import Patch
    from napari_her2.learning.recipe import TaskName

    Answers = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

__all__ = ["Validation", "validated"]

FIGURE: Final[Mapping[TaskName, str]] = {
    "tumour": "auc",
    "stain": "kappa",
    "segment": "miou",
    "tissue": "miou",
}
MIXED: Final = 3
TIE: Final = 0.01  # weight of the loss, which decides among states of equal figures


@dataclass(frozen=True, slots=True)
class Validation:
    """What one validation found.

    Attributes
    ----------
    loss : float
        Mean cross-entropy.
    figures : dict of str to float
    score : float
        The higher the better.
    """

    loss: float
    figures: dict[str, float]
    score: float


def validated(task: TaskName, patches: Sequence[Patch], answers: Answers, size: int = 16) -> Validation:
    """Let a model answer for patches and compare.

    Parameters
    ----------
    task : {"tumour", "stain", "segment", "tissue"}
    patches : sequence of Patch
    answers : callable
        Pixels (n, h, w, 3) → probabilities (n, c) or (n, c, h, w).
    size : int
        Patches answered at once.
    """
    pairs = _answered(patches, answers, size)
    loss, figures = _of_masks(pairs) if TASKS[task] == "segment" else _of_patches(task, pairs)
    figure = figures[FIGURE[task]]
    return Validation(loss, figures, (figure if np.isfinite(figure) else 0.0) - TIE * loss)


def _answered(
    patches: Sequence[Patch], answers: Answers, size: int
) -> Iterator[tuple[Patch, NDArray[np.float32]]]:
    for start in range(0, len(patches), size):
        group = patches[start : start + size]
        yield from zip(group, answers(np.stack([patch.pixels for patch in group])), strict=True)


def _of_patches(task: TaskName, pairs: Iterator[tuple[Patch, Any]]) -> tuple[float, dict[str, float]]:
    patches, found = zip(*pairs, strict=True)
    probabilities = np.stack(found).astype(np.float64)
    targets = np.stack([patch.target for patch in patches])
    loss = float(-(targets * np.log(np.clip(probabilities, 1e-7, 1))).sum(1).mean())
    kinds = np.array([patch.kind for patch in patches])
    if task == "tumour":
        clear = kinds != MIXED
        tumour = targets[clear, 1] > 0.5
        right = (probabilities[clear].argmax(1) == tumour).mean()
        return loss, {"auc": auc(probabilities[clear, 1], tumour), "accuracy": float(right)}
    clear = kinds % 2 == 1
    table = confusion(targets[clear].argmax(1), probabilities[clear].argmax(1), targets.shape[1])
    return loss, {"kappa": float(weighted_kappa(table)), "accuracy": float(accuracy(table))}


def _of_masks(pairs: Iterator[tuple[Patch, Any]]) -> tuple[float, dict[str, float]]:
    table, losses = None, []
    for patch, found in pairs:
        if patch.labels is None:
            continue
        known = patch.labels != UNKNOWN
        truth = patch.labels[known].astype(np.intp)
        part = confusion(truth, found.argmax(0)[known], len(found))
        table = part if table is None else table + part
        losses.append(-np.log(np.clip(found[:, known][truth, np.arange(len(truth))], 1e-7, 1)).mean())
    if table is None:
        return 0.0, {"miou": float("nan"), "accuracy": float("nan")}
    return float(np.mean(losses)), {"miou": float(np.nanmean(iou(table))), "accuracy": float(accuracy(table))}
