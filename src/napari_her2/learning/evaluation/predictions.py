"""What is evaluated: the truth of samples, what a model said of them, and the case each is of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MaskTallies", "Predictions", "cases_of", "default_event"]


def cases_of(names: ArrayLike) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return the distinct names in order, and the index of each sample's."""
    found, index = np.unique(np.asarray(names).astype(str), return_inverse=True)
    return tuple(str(name) for name in found), np.asarray(index, np.intp).reshape(-1)


def default_event(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a decision would follow: 2+ and 3+ of the scores, else the last class."""
    return ("2+", "3+") if classes == SCORES else classes[-1:]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Samples with truth, prediction and case.

    Attributes
    ----------
    classes : tuple of str
        In order, the weakest first where they have an order.
    case : ndarray of str, shape (n,)
        Patches of one case are never told apart when intervals are made.
    truth, predicted : int ndarray of shape (n,)
        Index in ``classes``.
    probabilities : float ndarray of shape (n, classes) or None
        Summing to 1; without them there is no AUC, calibration or decision curve.
    ordered : bool
        Whether the classes have an order, as the four scores have.
    event : tuple of str
        Classes that a decision would follow.
    group : ndarray of str, shape (n,), or None
        Kinds of samples that are looked at apart, such as lymphoid tissue; empty for none.

    Raises
    ------
    UsageError
        If lengths, codes or probabilities do not fit together.
    """

    classes: tuple[str, ...]
    case: NDArray[np.str_]
    truth: NDArray[np.intp]
    predicted: NDArray[np.intp]
    probabilities: NDArray[np.float64] | None = None
    ordered: bool = False
    event: tuple[str, ...] = ()
    group: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.truth)
        if any(part is not None and len(part) != n for part in (self.case, self.predicted, self.group)):
            raise UsageError(
                f"{len(self.case)} cases, {n} truths, {len(self.predicted)} predictions: give one each"
            )
        if len(self.classes) < 2 or not all(name in self.classes for name in self.event):
            raise UsageError(
                f"classes are {', '.join(self.classes)}: name two or more, and the event among them"
            )
        for codes in (self.truth, self.predicted):
            if n and not (codes.min() >= 0 and codes.max() < len(self.classes)):
                raise UsageError(f"a class code lies outside 0 to {len(self.classes) - 1}: check the classes")
        if self.probabilities is not None:
            self._check_probabilities(self.probabilities)

    def _check_probabilities(self, p: NDArray[np.float64]) -> None:
        if p.shape != (len(self.truth), len(self.classes)):
            raise UsageError(f"probabilities are {p.shape}, not one per sample and class: check the columns")
        if (
            not np.isfinite(p).all()
            or p.min(initial=0) < 0
            or np.abs(p.sum(axis=1) - 1).max(initial=0) > 1e-3
        ):
            raise UsageError(
                "probabilities must lie from 0 to 1 and sum to 1 for each sample: check the columns"
            )

    @classmethod
    def of(
        cls,
        classes: tuple[str, ...],
        case: ArrayLike,
        truth: ArrayLike,
        *,
        probabilities: ArrayLike | None = None,
        predicted: ArrayLike | None = None,
        event: tuple[str, ...] | None = None,
    ) -> Predictions:
        """From array-likes; without predictions the most probable class is taken."""
        p = None if probabilities is None else np.asarray(probabilities, np.float64)
        if predicted is None:
            if p is None:
                raise UsageError("there are neither predictions nor probabilities: give one of them")
            predicted = p.argmax(axis=1) if p.ndim == 2 and p.shape[1] else np.zeros(len(p))
        return cls(
            classes=classes,
            case=np.asarray(case).astype(str).reshape(-1),
            truth=np.asarray(truth, np.intp).reshape(-1),
            predicted=np.asarray(predicted, np.intp).reshape(-1),
            probabilities=p,
            ordered=classes == SCORES,
            event=default_event(classes) if event is None else event,
        )

    @property
    def cases(self) -> tuple[str, ...]:
        """Distinct cases, in order."""
        return cases_of(self.case)[0]

    def grouped(self, group: ArrayLike) -> Predictions:
        """Return the samples with the kind of each, empty for none."""
        return replace(self, group=np.asarray(group).astype(str).reshape(-1))

    def select(self, chosen: NDArray[np.bool_]) -> Predictions:
        """Return some of the samples."""
        parts: dict[str, Any] = {
            name: None if (values := getattr(self, name)) is None else values[chosen]
            for name in ("case", "truth", "predicted", "probabilities", "group")
        }
        return replace(self, **parts)

    @property
    def is_event(self) -> NDArray[np.bool_]:
        """Which samples truly are of the event's classes."""
        return np.isin(self.truth, [self.classes.index(name) for name in self.event])

    def event_probability(self) -> NDArray[np.float64]:
        """Stated probability of the event; needs ``probabilities``."""
        if self.probabilities is None:
            raise UsageError("the predictions hold no probabilities: add columns p_CLASS for this figure")
        columns = [self.classes.index(name) for name in self.event]
        return np.asarray(self.probabilities[:, columns].sum(axis=1), np.float64)


@dataclass(slots=True, eq=False)
class MaskTallies:
    """Pixel counts of segmented patches, added up by case as they come.

    Attributes
    ----------
    classes : tuple of str
        The first is the background.
    um_per_px : float
    tolerance_um : float
        How near outlines must come to count as met.
    """

    classes: tuple[str, ...]
    um_per_px: float
    tolerance_um: float = 1.0
    patches: int = 0
    _pixels: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _outlines: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, case: str, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Count one patch: codes (rows, cols) of truth and prediction; 255 in the truth is unknown.

        Raises
        ------
        UsageError
            If their shapes differ.
        """
        from napari_her2.learning.evaluation.agreement import confusion
        from napari_her2.learning.evaluation.boundary import UNKNOWN, boundary_counts

        if truth.shape != predicted.shape:
            raise UsageError(
                f"a truth of {truth.shape} px has a prediction of {predicted.shape} px: resample one"
            )
        k, tolerance_px = len(self.classes), self.tolerance_um / self.um_per_px
        self.patches, known = self.patches + 1, truth != UNKNOWN
        self._pixels[case] = self._pixels.get(case, 0) + confusion(truth[known], predicted[known], k)
        self._outlines[case] = self._outlines.get(case, 0) + boundary_counts(
            truth, predicted, k, tolerance_px
        )

    @property
    def cases(self) -> tuple[str, ...]:
        """Distinct cases, in order."""
        return tuple(sorted(self._pixels))

    def pixels(self) -> NDArray[np.float64]:
        """Confusion of pixels by case: (cases, K, K)."""
        k = len(self.classes)
        return np.array([self._pixels[name] for name in self.cases], np.float64).reshape(-1, k, k)

    def outlines(self) -> NDArray[np.float64]:
        """Outline counts of :func:`boundary_counts` by case: (cases, K, 4)."""
        return np.array([self._outlines[name] for name in self.cases], np.float64).reshape(
            -1, len(self.classes), 4
        )
