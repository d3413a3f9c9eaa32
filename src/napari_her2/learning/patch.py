"""One labelled patch, and what is true of it for each of the three models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES, SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from napari_her2.learning.recipe import TaskName

__all__ = ["CELL_CODES", "HE_CODES", "IHC_CODES", "UNKNOWN", "Patch", "Truth", "truth_of"]

UNKNOWN: Final = 255
"""Label of pixels that nobody knows or that must not teach."""
HE_CODES: Final[Mapping[str, int]] = {"other": 0, "invasive": 1, "in_situ": 2, "lymphoid": 3, "stroma": 4}
"""Labels of H&E pixels; what is neither is glass, or any tissue where nobody told it apart."""
IHC_CODES: Final[Mapping[str, int]] = {"background": 0, **{score: k + 1 for k, score in enumerate(SCORES)}}
"""Labels of IHC pixels: territories of carcinoma cells by class; ``unusual`` is 2+."""
CELL_CODES: Final = np.array(
    [IHC_CODES["2+" if name == "unusual" else name] for name in CELL_CLASSES], np.uint8
)
"""Label of each class of cells, in their order."""
NO_TUMOUR: Final = 0.01
TUMOUR: Final = 0.15
PURE: Final = 0.6
LEAST_CELLS: Final = 0.1
SHARPNESS: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Patch:
    """Pixels with their truth.

    Attributes
    ----------
    pixels : ndarray of shape (h, w, 3), uint8
    target : ndarray of shape (c,), float32
        What the model should answer for the patch, in the order of its classes; sums to 1. For the
        segmenter the shares of the area.
    labels : ndarray of shape (h, w), uint8, or None
        Codes per pixel where outlines are known; :data:`UNKNOWN` teaches nothing.
    kind : int
        For balance: patches of one kind are alike for the task.
    case : str
        Patches of one case never stand in two splits.
    """

    pixels: NDArray[np.uint8]
    target: NDArray[np.float32]
    labels: NDArray[np.uint8] | None
    kind: int
    case: str


@dataclass(frozen=True, slots=True)
class Truth:
    """How pixel labels become the answer for a patch.

    Attributes
    ----------
    dense : int
        Number of pixel labels.
    of_labels : callable
        Labels (h, w) → target and kind, or None if the patch says nothing for this task.
    of_class : callable
        Index of a class → target and kind, for patches labelled as a whole.
    """

    dense: int
    of_labels: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], int] | None]
    of_class: Callable[[int], tuple[NDArray[np.float32], int]]


def _shares(labels: NDArray[np.uint8], codes: int, least: float = 0.5) -> NDArray[np.float64] | None:
    """Share of each code among the known pixels; None if fewer than ``least`` of all are known."""
    counts = np.bincount(labels.ravel(), minlength=256)[:codes]
    known = int(counts.sum())
    return counts / known if known >= least * labels.size and known else None


def _tumour(labels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int] | None:
    """Tumour from 15 % invasive carcinoma on, other below 1 %, in between by degrees."""
    shares = _shares(labels, len(HE_CODES))
    if shares is None:
        return None
    invasive, in_situ, lymphoid = (shares[HE_CODES[name]] for name in ("invasive", "in_situ", "lymphoid"))
    wish = float(np.clip((invasive - NO_TUMOUR) / (TUMOUR - NO_TUMOUR), 0, 1))
    if invasive >= TUMOUR:
        kind = 4
    elif invasive >= NO_TUMOUR:
        kind = 3
    else:
        kind = 2 if in_situ >= 0.1 else int(lymphoid >= 0.3)
    return np.array([1 - wish, wish], np.float32), kind


def _stain(labels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int] | None:
    """Class of most of the tumour-cell area; where none has a clear majority, by degrees."""
    shares = _shares(labels, len(IHC_CODES))
    if shares is None or shares[1:].sum() < LEAST_CELLS:
        return None
    part = shares[1:] / shares[1:].sum()
    target = part**SHARPNESS / (part**SHARPNESS).sum()
    return target.astype(np.float32), 2 * int(part.argmax()) + int(part.max() >= PURE)


def _segment(labels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int] | None:
    """Area per class; the loss of the masks knows no unknown pixels, so there may be few of them."""
    shares = _shares(labels, len(IHC_CODES), least=0.9)
    if shares is None:
        return None
    cells = shares[1:]
    kind = 1 + int(cells.argmax()) if cells.sum() >= LEAST_CELLS else 0
    return shares.astype(np.float32), kind


def _tissue(labels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int] | None:
    """Area per kind of tissue on H&E; of rare kinds, little makes the kind of the patch."""
    shares = _shares(labels, len(HE_CODES), least=0.9)
    if shares is None:
        return None
    rare = [HE_CODES[name] for name in ("in_situ", "lymphoid", "invasive") if shares[HE_CODES[name]] >= 0.1]
    return shares.astype(np.float32), rare[0] if rare else HE_CODES["stroma"]


def _one_of(classes: int, kinds: tuple[int, ...]) -> Callable[[int], tuple[NDArray[np.float32], int]]:
    def of_class(index: int) -> tuple[NDArray[np.float32], int]:
        return np.eye(classes, dtype=np.float32)[index], kinds[index]

    return of_class


_TRUTHS: Final[Mapping[TaskName, Truth]] = {
    "tumour": Truth(len(HE_CODES), _tumour, _one_of(2, (0, 4))),
    "stain": Truth(len(IHC_CODES), _stain, _one_of(4, (1, 3, 5, 7))),
    "segment": Truth(len(IHC_CODES), _segment, _one_of(5, (0, 1, 2, 3, 4))),
    "tissue": Truth(len(HE_CODES), _tissue, _one_of(5, (4, 1, 2, 3, 4))),
}


def truth_of(task: TaskName) -> Truth:
    """Return how a task reads labels."""
    return _TRUTHS[task]
