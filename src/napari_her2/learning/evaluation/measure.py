"""From predictions to a frozen evaluation: every figure with its interval, and what the plots need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import UsageError
from napari_her2.learning.evaluation import agreement
from napari_her2.learning.evaluation.bootstrap import (
    Difference,
    Estimate,
    Measure,
    draw_cases,
    estimate_difference,
    measured,
    over_draws,
    sum_by_case,
)
from napari_her2.learning.evaluation.boundary import boundary_f1
from napari_her2.learning.evaluation.calibration import (
    ReliabilityBin,
    calibration_error,
    mean_of,
    reliability,
    squared_error,
    surprise,
)
from napari_her2.learning.evaluation.decision import THRESHOLD, DecisionPoint, decision_curve, net_benefit
from napari_her2.learning.evaluation.predictions import cases_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2.learning.evaluation.bootstrap import Statistic
    from napari_her2.learning.evaluation.predictions import MaskTallies, Predictions

__all__ = [
    "DRAWS",
    "SCHEMA",
    "Evaluation",
    "Protocol",
    "compare",
    "compare_masks",
    "evaluate",
    "evaluate_masks",
]

SCHEMA: Final = "napari-her2/evaluation/1"
DRAWS: Final = 2000
Of = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Kind = Literal["phantom", "real", "unstated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How it is measured.

    Attributes
    ----------
    threshold : float
        Probability of the event from which one would act.
    draws, seed : int
        Of the bootstrap over cases.
    """

    threshold: float = THRESHOLD
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured.

    Attributes
    ----------
    title : str
    kind : {"phantom", "real", "unstated"}
        What the data are; phantom and real figures are never shown in one column.
    unit : str
        ``patches`` or ``pixels`` or ``samples``: what the confusion counts.
    classes : tuple of str
    samples, cases : int
    confusion : tuple of tuples of int
        Rows are the truth.
    estimates : tuple of Estimate
    event : tuple of str
        Whose probability the decision curve is of.
    threshold : float
    reliability : tuple of ReliabilityBin
        Of the class that was called, and of its probability.
    curve : tuple of DecisionPoint
    compared : tuple of Difference
        Against another model on the same cases, where there was one.
    against : str
    facts : mapping
        Model, data, seed, command: what is needed to do it again.
    """

    title: str
    kind: Kind
    unit: str
    classes: tuple[str, ...]
    samples: int
    cases: int
    confusion: tuple[tuple[int, ...], ...]
    estimates: tuple[Estimate, ...]
    event: tuple[str, ...] = ()
    threshold: float = THRESHOLD
    reliability: tuple[ReliabilityBin, ...] = ()
    curve: tuple[DecisionPoint, ...] = ()
    compared: tuple[Difference, ...] = ()
    against: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, name: str) -> Estimate:
        """Return an estimate by name; ``"sensitivity 3+"`` is that of a class."""
        for found in self.estimates:
            if f"{found.name} {found.of}".strip() == name:
                return found
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        for name in ("estimates", "reliability", "curve", "compared"):
            plain[name] = [value.to_json() for value in plain[name]]
        plain |= {"classes": list(self.classes), "event": list(self.event), "facts": dict(self.facts)}
        plain["confusion"] = [list(row) for row in self.confusion]
        return {"schema": SCHEMA, **plain}


def evaluate(
    found: Predictions,
    *,
    title: str = "",
    kind: Kind = "unstated",
    protocol: Protocol = Protocol(),
    facts: tuple[tuple[str, str], ...] = (),
) -> Evaluation:
    """Measure predictions of classes.

    Parameters
    ----------
    found : Predictions
    title, kind, facts
        See :class:`Evaluation`.
    protocol : Protocol

    Raises
    ------
    UsageError
        If there is no sample.
    """
    if not len(found.truth):
        raise UsageError("there is no sample to evaluate: check the file or folder")
    names, _ = cases_of(found.case)
    counts = agreement.confusion(found.truth, found.predicted, len(found.classes))
    p, top = found.probabilities, None if found.probabilities is None else found.probabilities.max(axis=1)
    event = None if p is None else found.event_probability()
    return Evaluation(
        title=title,
        kind=kind,
        unit="samples",
        classes=found.classes,
        samples=len(found.truth),
        cases=len(names),
        confusion=_rows(counts),
        estimates=measured(list(_of_classes(found, protocol.threshold)), _drawn(len(names), protocol)),
        event=found.event if p is not None else (),
        threshold=protocol.threshold,
        reliability=() if top is None else reliability(top, found.predicted == found.truth),
        curve=() if event is None else decision_curve(event, found.is_event),
        facts=facts,
    )


def evaluate_masks(
    found: MaskTallies,
    *,
    title: str = "",
    kind: Kind = "unstated",
    protocol: Protocol = Protocol(),
    facts: tuple[tuple[str, str], ...] = (),
) -> Evaluation:
    """Measure segmented patches; see :func:`evaluate`."""
    if not found.patches:
        raise UsageError("there is no patch to evaluate: check the folder")
    counts = found.pixels()
    return Evaluation(
        title=title,
        kind=kind,
        unit="pixels",
        classes=found.classes,
        samples=found.patches,
        cases=len(found.cases),
        confusion=_rows(counts.sum(axis=0)),
        estimates=measured(list(_of_masks(found)), _drawn(len(found.cases), protocol)),
        facts=facts,
    )


def compare(one: Predictions, other: Predictions, protocol: Protocol = Protocol()) -> tuple[Difference, ...]:
    """Compare two models on the same samples: first minus second, paired by case.

    Raises
    ------
    UsageError
        If classes, cases or truths differ: then the samples are not the same.
    """
    same = one.classes == other.classes and one.event == other.event and len(one.truth) == len(other.truth)
    if not (same and (one.case == other.case).all() and (one.truth == other.truth).all()):
        raise UsageError(
            "the two models were not run on the same samples (cases or truths differ): use the same rows in "
            "the same order for both"
        )
    return _differences(
        list(_of_classes(one, protocol.threshold)),
        list(_of_classes(other, protocol.threshold)),
        len(one.cases),
        protocol,
    )


def compare_masks(
    one: MaskTallies, other: MaskTallies, protocol: Protocol = Protocol()
) -> tuple[Difference, ...]:
    """Compare two segmenters on the same patches; see :func:`compare`."""
    if one.cases != other.cases or not np.array_equal(one.pixels().sum(2), other.pixels().sum(2)):
        raise UsageError("the two models were not run on the same patches: their truths differ")
    return _differences(list(_of_masks(one)), list(_of_masks(other)), len(one.cases), protocol)


def _differences(
    ones: list[Measure], others: list[Measure], cases: int, protocol: Protocol
) -> tuple[Difference, ...]:
    drawn = _drawn(cases, protocol)
    known = {(m.name, m.of): m for m in others}
    return tuple(estimate_difference(m, known[m.name, m.of], drawn) for m in ones if (m.name, m.of) in known)


def _drawn(cases: int, protocol: Protocol) -> NDArray[np.float64]:
    return draw_cases(cases, protocol.draws, protocol.seed)


def _rows(counts: NDArray[Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in row) for row in counts)


def _on(tallies: NDArray[np.float64], figure: Of) -> Statistic:
    """Figure of the tallies of each draw."""
    return lambda drawn: figure(over_draws(drawn, tallies))


def _kth(figure: Of, k: int) -> Of:
    return lambda c: figure(c)[..., k]


def _mean_known(figure: Of, first: int = 0) -> Of:
    """Mean over the classes where the figure is defined."""

    def mean(c: NDArray[np.float64]) -> NDArray[np.float64]:
        values = figure(c)[..., first:]
        there = np.isfinite(values)
        n = there.sum(-1)
        total = np.where(there, values, 0).sum(-1)
        return np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)

    return mean


def _of_classes(found: Predictions, threshold: float) -> Iterator[Measure]:
    names, case = cases_of(found.case)
    k = len(found.classes)
    pairs = np.zeros((len(case), k, k))
    pairs[np.arange(len(case)), found.truth, found.predicted] = 1
    counts = sum_by_case(pairs, case, len(names))
    yield Measure("accuracy", "", _on(counts, agreement.accuracy), ratio=True)
    yield Measure("balanced accuracy", "", _on(counts, agreement.balanced_accuracy))
    yield Measure("macro F1", "", _on(counts, _mean_known(agreement.f1)))
    if found.ordered:
        yield Measure("quadratic weighted kappa", "", _on(counts, agreement.weighted_kappa))
        linear = partial(agreement.weighted_kappa, weights="linear")
        yield Measure("linear weighted kappa", "", _on(counts, linear))
        yield Measure("within one class", "", _on(counts, agreement.within_one), ratio=True)
    for name, figure in _PER_CLASS.items():
        for index, of in enumerate(found.classes):
            yield Measure(name, of, _on(counts, _kth(figure, index)), ratio=True)
    yield from _of_groups(found, case, len(names))
    if found.probabilities is not None:
        yield from _of_probabilities(found, case, threshold)


def _of_groups(found: Predictions, case: NDArray[np.intp], cases: int) -> Iterator[Measure]:
    """Yield accuracy and called events of the samples of each group."""
    group = np.full(len(case), "") if found.group is None else found.group
    called = np.isin(found.predicted, [found.classes.index(name) for name in found.event])
    event = f"called {' or '.join(found.event)}, group"
    for name in sorted(set(group.tolist()) - {""}):
        inside = group == name
        for figure, hits in (("accuracy, group", found.predicted == found.truth), (event, called)):
            pair = np.column_stack([hits & inside, inside]).astype(np.float64)
            yield Measure(figure, name, _on(sum_by_case(pair, case, cases), _first_of_second), ratio=True)


def _first_of_second(pair: NDArray[np.float64]) -> NDArray[np.float64]:
    return agreement.share(pair[..., 0], pair[..., 1])


_PER_CLASS: Final[dict[str, Of]] = {
    "sensitivity": agreement.sensitivity,
    "specificity": agreement.specificity,
    "positive predictive value": agreement.positive_value,
    "negative predictive value": agreement.negative_value,
    "F1": agreement.f1,
}


def _of_probabilities(found: Predictions, case: NDArray[np.intp], threshold: float) -> Iterator[Measure]:
    from napari_her2.learning.evaluation.ranking import ranked

    p = found.probabilities
    if p is None:
        return
    event, is_event = found.event_probability(), found.is_event
    of_event = " or ".join(found.event)
    yield Measure("AUC", of_event, ranked(event, is_event, case))
    yield Measure("average precision", of_event, ranked(event, is_event, case, what="ap"))
    strict = ranked(event, is_event, case, what="sensitivity")
    yield Measure("sensitivity at specificity 0.95", of_event, strict)
    for index, of in enumerate(found.classes) if len(found.classes) > 2 else ():
        yield Measure("AUC", of, ranked(p[:, index], found.truth == index, case))
    right = found.predicted == found.truth
    yield Measure("calibration error", "", calibration_error(p.max(axis=1), right, case), best=0.0)
    yield Measure("calibration error", of_event, calibration_error(event, is_event, case), best=0.0)
    yield Measure("Brier score", "", mean_of(squared_error(p, found.truth), case), best=0.0)
    yield Measure("log loss", "", mean_of(surprise(p, found.truth), case), best=0.0)
    name = f"net benefit at {threshold:.2f}"
    best = float(is_event.mean())
    yield Measure(name, of_event, net_benefit(event, is_event, case, threshold=threshold), best=best)
    over_all = net_benefit(event, is_event, case, threshold=threshold, over_all=True)
    yield Measure(f"{name}, above acting on all", of_event, over_all, best=best)


def _of_masks(found: MaskTallies) -> Iterator[Measure]:
    counts, lines = found.pixels(), found.outlines()
    outline = f"boundary F1 at {found.tolerance_um:g} um"
    yield Measure("mean IoU", "", _on(counts, _mean_known(agreement.iou)))
    yield Measure("mean Dice", "", _on(counts, _mean_known(agreement.dice)))
    yield Measure(f"mean {outline}", "", _on(lines, _mean_known(boundary_f1)))
    yield Measure("mean IoU without background", "", _on(counts, _mean_known(agreement.iou, 1)))
    yield Measure("pixel accuracy", "", _on(counts, agreement.accuracy), ratio=True)
    for index, of in enumerate(found.classes):
        yield Measure("IoU", of, _on(counts, _kth(agreement.iou, index)), ratio=True)
        yield Measure("Dice", of, _on(counts, _kth(agreement.dice, index)), ratio=True)
        yield Measure(outline, of, _on(lines, _kth(boundary_f1, index)), ratio=True)
