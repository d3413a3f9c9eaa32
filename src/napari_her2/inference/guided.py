"""Coarse to fine: a student that learns while the model looks, and says where it need not look.

The model sees a coarse lattice of patches. From these the student, a ridge regression of its logits on what
low power shows and on the answers around, foretells the rest. How often it takes the wrong side of one half,
and by how much, is learnt from its errors under cross-validation: that is the area of tumour that skipping a
patch may cost. Patches are skipped, the surest first, until that sum reaches a quarter of a percent of the
tumour; where it would be exceeded the model looks, the most doubtful first, and the student learns anew. In
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
ROUNDS: Final = (2, 18)
"""How often the student learns anew on the later lattices; then all that is open is looked at."""
PORTION: Final = 1 / 64
LEAST_PORTION: Final = 32
"""What the model looks at before the student learns anew: of all patches, and at least (choice)."""
EVEN: Final = 16
"""Portions are a multiple of this, so that no worker waits for the last call of another (choice)."""
TOLERANCE: Final = 0.0025
"""Of the tumour's area, that skipping may cost as expected (choice, see docs/engine.md)."""
LITTLE: Final = 0.05
"""Share of the tissue; less tumour is treated as if it were so much, else none would have to be exact."""
AUDIT: Final = 0.02
LEAST_AUDIT: Final = 64
MOST_WRONG: Final = 0.02
"""Of the audit's sample; more, and the student is made more careful."""
MOST_LOGIT: Final = 3.0
RIDGE: Final = 1.0
WAVES: Final = 100
WAVE_LENGTH: Final = 0.64
WAVE_HEIGHT: Final = 3.0
"""Random waves over the features let a linear student bend (Rahimi and Recht 2007)."""
FOLDS: Final = 5
PRIOR: Final = 0.25
"""Weight of a patch of the first lattice that is wrong although the student was sure, on either side: what
nobody has seen yet may happen."""
MOST_SURE: Final = 2.0
NEWTON_STEPS: Final = 40


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
    for step, rounds in zip(STEPS[1:], ROUNDS, strict=True):
        yield from _closed(state, step, rounds)
    return (yield from _audited(state, np.random.default_rng(seed)))


def _closed(state: _State, step: int, rounds: int) -> Generator[NDArray[np.intp], NDArray[np.float32], None]:
    """Look at what is open on a lattice, a portion at a time; on the finest one, in the end at all of it."""
    portion = max(EVEN * round(PORTION * len(state.cells) / EVEN), LEAST_PORTION)
    for _ in range(rounds):
        open_ = state.open(step)
        if not len(open_) or (step != STEPS[-1] and len(open_) < EVEN):
            return  # the few that are left come with the next lattice
        yield from state.ask(open_[:portion])
    if step == STEPS[-1]:
        yield from state.ask(state.open(step))


def _audited(
    state: _State, rng: np.random.Generator
) -> Generator[NDArray[np.intp], NDArray[np.float32], tuple[NDArray[np.float32], Guided]]:
    """Look at some of what was skipped; where the student is wrong too often it is made more careful."""
    n = len(state.cells)
    while True:
        skipped = np.flatnonzero(~state.known)
        sample = rng.permutation(skipped)[: max(LEAST_AUDIT, round(AUDIT * n))]
        said = state.foretold()[sample] >= 0
        yield from state.ask(np.sort(sample))
        found = state.logits[sample] >= 0
        missed, invented = int((found & ~said).sum()), int((said & ~found).sum())
        if missed + invented <= MOST_WRONG * len(sample) or state.known.all():
            break
        state.tolerance /= 3
        yield from _closed(state, STEPS[-1], ROUNDS[-1])
    foretold = state.foretold()
    answers = np.where(state.known, state.answers, _sigmoid(foretold)).astype(np.float32)
    rest = ~state.known & (foretold < 0)
    low, high = _missed(missed, int((~said).sum()), int(rest.sum()), int((answers >= 0.5).sum()))
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
        self.cells, self.tolerance = cells, TOLERANCE
        self.known = np.zeros(len(cells), bool)
        self.answers = np.zeros(len(cells), np.float32)
        self.logits = np.zeros(len(cells))
        spread = features.std(axis=0) if len(cells) else np.ones(features.shape[1])
        scaled = (features - features.mean(axis=0)) / np.maximum(spread, 1e-6) if len(cells) else features
        self._fixed = np.column_stack([scaled, scaled**2, _waves(scaled)]).astype(np.float64)
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

    def open(self, step: int) -> NDArray[np.intp]:
        """Return unseen cells of a lattice that cannot be skipped any more, the most doubtful first."""
        unseen = np.flatnonzero(~self.known)
        if not len(unseen):
            return unseen
        columns = self._columns(step)
        foretold = columns @ self._fitted(columns, self.known)
        chance, loss = self._learnt(self._tested(columns))
        tumour = chance(foretold[unseen])
        cost = loss * np.minimum(tumour, 1 - tumour)
        area = (self.logits[self.known] >= 0).sum() + tumour.sum()
        allowed = self.tolerance * max(area, LITTLE * len(self.cells))
        order = np.argsort(cost, kind="stable")
        dear = unseen[order[np.cumsum(cost[order]) > allowed]][::-1]
        return np.asarray(dear[(self.cells[dear] % step == 0).all(axis=1)])

    def foretold(self) -> NDArray[np.float64]:
        """Return the student's logits of all cells."""
        columns = self._columns(STEPS[-1])
        return np.asarray(columns @ self._fitted(columns, self.known))

    def _learnt(self, tested: NDArray[np.float64]) -> tuple[_Chance, float]:
        """Chance of tumour by what was foretold, and the area that a patch on the wrong side costs.

        A patch whose probability is hardly beyond one half is hardly seen in the heat map, where its
        neighbours overlap it: it costs 2 |p - 0.5| of its area.
        """
        truth = self.logits[self.known] >= 0
        weight = self._stands_for[self.known] / max(STEPS) ** 2
        wrong = weight * ((tested >= 0) != truth)
        cost = 2 * np.abs(self.answers[self.known] - 0.5)
        loss = (float(wrong @ cost) + PRIOR) / (float(wrong.sum()) + 2 * PRIOR)
        return _Chance.of(tested, truth, weight), loss

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


@dataclass(frozen=True, slots=True)
class _Chance:
    """Chance of tumour by the student's logit: a logistic curve, fitted where it was tested."""

    start: float
    slope: float

    @classmethod
    def of(
        cls, foretold: NDArray[np.float64], truth: NDArray[np.bool_], weight: NDArray[np.float64]
    ) -> _Chance:
        """Fit by Newton's method, with a prior that nothing is certain."""
        x = np.column_stack([np.ones(len(foretold) + 2), np.append(foretold, (-MOST_SURE, MOST_SURE))])
        y, w = np.append(truth, (1.0, 0.0)), np.append(weight, (PRIOR, PRIOR))
        curve = np.array([0.0, 1.0])
        for _ in range(NEWTON_STEPS):
            p = _sigmoid(x @ curve)
            bend = (x.T * (w * p * (1 - p))) @ x + 1e-6 * np.eye(2)
            step = np.clip(np.linalg.solve(bend, x.T @ (w * (y - p))), -2, 2)
            curve += step
            if np.abs(step).max() < 1e-6:
                break
        return cls(float(curve[0]), float(curve[1]))

    def __call__(self, foretold: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sigmoid(self.start + self.slope * foretold)


def _waves(x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Cosines of random combinations of features (n, k): (n, 100), the same for the same k."""
    rng, k = np.random.default_rng(0), max(x.shape[1], 1)
    turns = rng.normal(size=(x.shape[1], WAVES)) * WAVE_LENGTH / np.sqrt(k)
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    return np.asarray(WAVE_HEIGHT * np.sqrt(2 / WAVES) * np.cos(x @ turns + phase))


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -20, 20))))
