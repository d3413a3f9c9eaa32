"""Where the patches of a training step come from: a bounded pool that is renewed bit by bit.

Which patches a step sees is a function of the recipe's seed and the number of the step alone, so an
interrupted run goes on as if nothing had happened.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.learning.patch import Patch
    from napari_her2.learning.phantom_data import PhantomBlocks

__all__ = ["FixedSource", "LabelledPatch", "MixedSource", "PatchSource", "PhantomSource", "chosen"]


class LabelledPatch(Protocol):
    """A patch that is read when it is wanted."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def case(self) -> str:
        """For splits."""

    @property
    def kind(self) -> int:
        """For balance; see :class:`Patch`."""

    def read(self) -> Patch:
        """Return its pixels and truth."""


class PatchSource(Protocol):
    """Patches for training."""

    def batch(self, step: int, count: int, rng: np.random.Generator) -> list[Patch]:
        """Return ``count`` patches for a step."""


class _Kind(Protocol):
    @property
    def kind(self) -> int: ...


K = TypeVar("K", bound=_Kind)


def chosen(patches: Sequence[K], count: int, balance: float, rng: np.random.Generator) -> list[K]:
    """Draw patches so that kinds are more equally frequent than they are.

    Parameters
    ----------
    balance : float
        0: as they come, 1: every kind equally often; the weight of a patch is (size of its
        kind) ** -balance.
    """
    kinds = np.array([patch.kind for patch in patches])
    _, inverse, sizes = np.unique(kinds, return_inverse=True, return_counts=True)
    weights = sizes[inverse].astype(np.float64) ** -balance
    again = count > len(patches)
    return [patches[k] for k in rng.choice(len(patches), count, again, weights / weights.sum())]


class PhantomSource:
    """A pool of drawn blocks; each patch is used ``uses`` times on average, then dropped."""

    def __init__(self, blocks: PhantomBlocks, batch: int, balance: float) -> None:
        self._blocks, self._balance = blocks, balance
        self._pool: OrderedDict[int, list[Patch]] = OrderedDict()
        self._steps_per_block = blocks.wishes.uses * blocks.per_block / batch

    def batch(self, step: int, count: int, rng: np.random.Generator) -> list[Patch]:
        """Draw from the blocks that belong to a step, after drawing those that are new."""
        first = int(step / self._steps_per_block)
        wanted = range(first, first + self._blocks.wishes.pool)
        for index in [index for index in self._pool if index not in wanted]:
            del self._pool[index]
        for index in wanted:
            if index not in self._pool:
                self._pool[index] = self._blocks.patches(index)
        patches = [patch for index in wanted for patch in self._pool[index]]
        return chosen(patches, count, self._balance, rng)


class FixedSource:
    """Patches that are there, of folders and cases; each is read when it is wanted."""

    def __init__(self, patches: Sequence[LabelledPatch], balance: float) -> None:
        self._patches, self._balance = patches, balance

    def batch(self, step: int, count: int, rng: np.random.Generator) -> list[Patch]:
        """Draw from all."""
        return [patch.read() for patch in chosen(self._patches, count, self._balance, rng)]


class MixedSource:
    """Several sources by weight."""

    def __init__(self, sources: Sequence[PatchSource], weights: Sequence[float]) -> None:
        self._sources = sources
        self._shares = np.asarray(weights, np.float64) / sum(weights)

    def batch(self, step: int, count: int, rng: np.random.Generator) -> list[Patch]:
        """Draw from each as many as chance gives it."""
        counts = rng.multinomial(count, self._shares)
        return [
            patch
            for source, part in zip(self._sources, counts, strict=True)
            if part
            for patch in source.batch(step, int(part), rng)
        ]
