"""Coarse to fine: a student that learns while the model looks, and says where it need not look.

The model sees a coarse lattice of patches. From these the student, a ridge regression of its logits on what
low power shows and on the answers around, foretells the rest; where its own errors, by cross-validation,
leave the side of one half open, the model looks, on ever finer lattices and nearest to tumour first. In
the end a random sample of what was skipped is looked at as well: it says how often the student was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

__all__ = ["Guided", "first_seen", "guide"]

STEPS: Final = (4, 2, 1)
"""Of the lattices, in places of the grid; the model sees all of the first."""
ROUNDS: Final = 4
RISK: Final = 0.01
"""How often the student may be wrong about patches that are skipped, on either side."""
AUDIT: Final = 0.02
LEAST_AUDIT: Final = 64
MOST_LOGIT: Final = 3.0
RIDGE: Final = 1.0
FOLDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided:
    """What a guided run skipped, and what that may have cost.

    Attributes
    ----------
    patches, asked : int
        Planned, and seen by the model.
    audited, missed, invented : int
        Of skipped patches drawn at random: how many were looked at, were tumour although the student
        said not, and the reverse.
    missed_percent, missed_percent_high : float or None
        Tumour patches that were skipped as none, estimated, in percent of all tumour patches; and its upper
        95 % bound (Wilson). None where there is no tumour, or nothing was skipped.
    """

    patches: int
    asked: int
    audited: int
    missed: int
    invented: int
    missed_percent: float | None
    missed_percent_high: float | None

    @property
    def fraction_skipped(self) -> float:
        """Of the planned patches."""
        return 1 - self.asked / self.patches if self.patches else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a report."""
        return {
            "patches": self.patches,
            "asked": self.asked,
            "fraction_skipped": round(self.fraction_skipped, 4),
            "audited": self.audited,
            "missed_in_audit": self.missed,
            "invented_in_audit": self.invented,
            "estimated_missed_percent": self.missed_percent,
            "estimated_missed_percent_high": self.missed_percent_high,
        }


def first_seen(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Patches (m, 2) of some (n, 2) that the model sees in any case: those of the first lattice."""
    return cells[(cells % STEPS[0] == 0).all(axis=1)]


def guide(
    cells: NDArray[np.int64], features: NDArray[np.float32], *, seed: int = 0
) -> Generator[NDArray[np.intp], NDArray[np.float32], tuple[NDArray[np.float32], Guided]]:
    """Decide which patches a model has to see; all decisions follow from its answers alone.

    Parameters
    ----------
    cells : ndarray of shape (n, 2), int64
        Places in the grid.
    features : ndarray of shape (n, k), float32
        What is known of them without the model.
    seed : int
        Of the audit's sample.

    Yields
    ------
    ndarray of shape (m,), intp
        Which of ``cells`` are to be seen now, the most urgent first; send their probabilities (m,).

    Returns
    -------
    tuple of float32 ndarray of shape (n,) and Guided
        Probabilities of all cells, the student's where the model did not look; and what was skipped.
    """
    state = _State(cells, features)
    yield from state.ask(np.flatnonzero((cells % STEPS[0] == 0).all(axis=1)))
    for step in STEPS[1:]:
        for _ in range(ROUNDS):
            unsure = state.unsure(step)
            if not len(unsure):
                break
            yield from state.ask(unsure)
    return (yield from _audited(state, np.random.default_rng(seed)))


def _audited(
    state: _State, rng: np.random.Generator
) -> Generator[NDArray[np.intp], NDArray[np.float32], tuple[NDArray[np.float32], Guided]]:
    """Look at some of what was skipped; where the student is wrong too often it is made more careful."""
    n = len(state.cells)
    while True:
        foretold = state.foretold(1)
        skipped = np.flatnonzero(~state.known)
        sample = rng.permutation(skipped)[: max(LEAST_AUDIT, round(AUDIT * n))]
        said = foretold[sample] >= 0
        if len(sample):
            yield from state.ask(np.sort(sample))
        found = state.logits[sample] >= 0
        missed, invented = int((found & ~said).sum()), int((said & ~found).sum())
        if missed + invented <= 2 * RISK * len(sample) or not (~state.known).any():
            break
        state.risk /= 3
        unsure = state.unsure(1)
        if len(unsure):
            yield from state.ask(unsure)
    foretold = state.foretold(1)
    answers = np.where(state.known, state.answers, _sigmoid(foretold)).astype(np.float32)
    rest = ~state.known & (foretold < 0)
    share = (said < 1).sum() if len(sample) else 0
    low, high = _missed(missed, int(share), int(rest.sum()), int((answers >= 0.5).sum()))
    outcome = Guided(
        patches=n,
        asked=int(state.known.sum()),
        audited=len(sample),
        missed=missed,
        invented=invented,
        missed_percent=low,
        missed_percent_high=high,
    )
    return answers, outcome


def _missed(missed: int, looked: int, skipped: int, tumour: int) -> tuple[float | None, float | None]:
    """Percent of the tumour that was skipped, from a sample, and its upper 95 % bound (Wilson)."""
    if not skipped or not looked:
        return (0.0, 0.0) if tumour else (None, None)
    z = 1.96
    p = missed / looked
    bound = (p + z**2 / (2 * looked) + z * np.sqrt(p * (1 - p) / looked + z**2 / (4 * looked**2))) / (
        1 + z**2 / looked
    )
    parts = [share * skipped for share in (p, float(bound))]
    if not tumour and not parts[0]:
        return None, None
    return tuple(round(100 * part / max(tumour + part, 1), 3) for part in parts)  # type: ignore[return-value]


class _State:
    """What the model said so far, and what the student makes of it."""

    def __init__(self, cells: NDArray[np.int64], features: NDArray[np.float32]) -> None:
        self.cells, self.risk = cells, RISK
        self.known = np.zeros(len(cells), bool)
        self.answers = np.zeros(len(cells), np.float32)
        self.logits = np.zeros(len(cells))
        spread = features.std(axis=0) if len(cells) else np.ones(features.shape[1])
        scaled = (features - features.mean(axis=0)) / np.maximum(spread, 1e-6) if len(cells) else features
        self._fixed = np.column_stack([scaled, scaled**2]).astype(np.float64)
        coarsest = max(STEPS)
        together = np.bitwise_or(*cells.T) | coarsest
        self._stands_for = ((together & -together) ** 2).astype(np.float64)
        self._shape = tuple(cells.max(axis=0) + 1) if len(cells) else (0, 0)

    def ask(self, which: NDArray[np.intp]) -> Generator[NDArray[np.intp], NDArray[np.float32], None]:
        """Have the model look."""
        if not len(which):
            return
        said = yield which
        self.known[which] = True
        self.answers[which] = said
        p = np.clip(said.astype(np.float64), 1e-6, 1 - 1e-6)
        self.logits[which] = np.clip(np.log(p / (1 - p)), -MOST_LOGIT, MOST_LOGIT)

    def unsure(self, step: int) -> NDArray[np.intp]:
        """Return unseen cells of a lattice whose side of one half is open, nearest to tumour first."""
        open_ = ~self.known & (self.cells % step == 0).all(axis=1)
        if not open_.any():
            return np.empty(0, np.intp)
        columns = self._columns(step)
        tested = self._tested(columns)
        foretold = columns @ self._fitted(columns, self.known)
        truth = self.logits[self.known] >= 0
        weight = self._stands_for[self.known]
        low = _limit(-tested, truth, weight, self.risk)
        high = _limit(tested, ~truth, weight, self.risk)
        doubtful = (-foretold <= low) & (foretold <= high)
        if step == STEPS[-1]:
            doubtful |= (foretold < 0) & self._beside_tumour()
        which = np.flatnonzero(open_ & doubtful)
        return which[np.argsort(self._away(which), kind="stable")]

    def foretold(self, step: int) -> NDArray[np.float64]:
        """Return the student's logits of all cells."""
        columns = self._columns(step)
        return np.asarray(columns @ self._fitted(columns, self.known))

    def _fitted(self, columns: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Ridge regression on some of the cells; the first column is the constant.

        Where the model looked more closely there are more cells: each counts for the area it stands for, so
        that the doubtful places do not drown the rest.
        """
        x, weight = columns[which], self._stands_for[which][:, None]
        penalty = RIDGE * np.eye(x.shape[1])
        penalty[0, 0] = 1e-9
        return np.asarray(
            np.linalg.solve(x.T @ (weight * x) + penalty, x.T @ (weight[:, 0] * self.logits[which]))
        )

    def _tested(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Foretell each known cell from the others' folds."""
        fold = np.full(len(self.cells), -1)
        fold[self.known] = np.arange(self.known.sum()) % FOLDS
        out = np.zeros(len(self.cells))
        for k in range(min(FOLDS, int(fold.max()) + 1)):
            mine = fold == k
            out[mine] = columns[mine] @ self._fitted(columns, self.known & ~mine)
        return out[self.known]

    def _columns(self, step: int) -> NDArray[np.float64]:
        """Features: low power, and the answers around each cell without its own."""
        around = [self._around(sigma * step) for sigma in (0.75, 1.5, 3.0)]
        mixed = [around[0] * around[1], around[0] ** 2 * np.sign(around[0])]
        return np.column_stack([np.ones(len(self.cells)), self._fixed, *around, *mixed])

    def _around(self, sigma: float) -> NDArray[np.float64]:
        from scipy import ndimage

        weight, value = np.zeros((2, *self._shape))
        rows, cols = self.cells.T
        weight[rows, cols] = self.known
        value[rows, cols] = np.where(self.known, self.logits, 0)
        radius = max(round(3 * sigma), 1)
        line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
        for axis in (0, 1):
            weight = ndimage.convolve1d(weight, line, axis=axis, mode="constant")
            value = ndimage.convolve1d(value, line, axis=axis, mode="constant")
        near = weight[rows, cols] - self.known
        total = value[rows, cols] - np.where(self.known, self.logits, 0)
        mean = self.logits[self.known].mean() if self.known.any() else 0.0
        return np.asarray((total + 0.05 * mean) / (np.maximum(near, 0) + 0.05))

    def _beside_tumour(self) -> NDArray[np.bool_]:
        """Which cells touch a place where the model saw tumour."""
        from scipy import ndimage

        seen = np.zeros(self._shape, bool)
        seen[tuple(self.cells[self.known & (self.logits >= 0)].T)] = True
        return np.asarray(ndimage.binary_dilation(seen, np.ones((3, 3), bool))[tuple(self.cells.T)])

    def _away(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Distance to the nearest tumour that is known."""
        from scipy.spatial import cKDTree

        tumour = self.cells[self.known & (self.logits >= 0)]
        if not len(tumour):
            return np.zeros(len(which))
        return np.asarray(cKDTree(tumour).query(self.cells[which])[0])


def _limit(
    sure: NDArray[np.float64], wrong: NDArray[np.bool_], weight: NDArray[np.float64], risk: float
) -> float:
    """Least value above 0 beyond which the student, where it was tested, is wrong no more often than allowed.

    The count is made one cell of the first lattice worse than it was, so that few tests allow nothing.
    """
    order = np.argsort(-sure)
    sure, wrong, weight = sure[order], wrong[order], weight[order]
    one = float(max(STEPS) ** 2)
    rate = (np.cumsum(weight * wrong) + one) / (np.cumsum(weight) + 2 * one)
    fine = np.flatnonzero((rate <= risk) & (sure > 0))
    return float(sure[fine[-1]]) if len(fine) else np.inf


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -20, 20))))
