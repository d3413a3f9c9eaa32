"""The smooth part: a velocity field that follows the blocks as far as they agree.

Per round the IHC is drawn through the present map, every block says where it would rather lie, and
the field takes the robust, smooth part of these wishes: first-order updates of v (the leading term of
the Baker-Campbell-Hausdorff series), re-weighted as Geman & McClure do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.compare import Level
    from napari_her2.mapping.smoothing import Smoother

__all__ = ["Stage", "Wishes", "blocks_say", "follow", "yielded"]


_PIECE_ROUNDS = 4
_PIECE_REACH = 0.35
"""Softer than blocks ask for: between pieces lies glass, which may stretch as it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One resolution of the smooth part.

    Attributes
    ----------
    um_per_px : float
    reach_um : float
        Waves shorter than about six times this are damped.
    half, step, reach : int
        Blocks: half their side, their distance, how far they are looked for; pixels.
    rounds : int
        How often the IHC is drawn anew.
    """

    um_per_px: float
    reach_um: float
    half: int = 12
    step: int = 10
    reach: int = 6
    rounds: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """Where points of the H&E should lie before the affine part is applied.

    Attributes
    ----------
    source_um, target_um : ndarray of shape (n, 2)
        Both in the H&E's µm.
    weights : ndarray of shape (n,)
    scale_um : ndarray of shape (n,)
        Misses much larger than this are disregarded; infinite for points that a person set.
    extent_um : float
        Side of the blocks that wish; 0 for points.
    """

    source_um: NDArray[np.float64]
    target_um: NDArray[np.float64]
    weights: NDArray[np.float64]
    scale_um: NDArray[np.float64]
    extent_um: float = 0.0

    def __len__(self) -> int:
        return len(self.source_um)

    def taken(self, which: NDArray[np.bool_]) -> Wishes:
        """Return some of them."""
        return Wishes(
            self.source_um[which],
            self.target_um[which],
            self.weights[which],
            self.scale_um[which],
            self.extent_um,
        )


def blocks_say(
    level: Level, stage: Stage, flow: Flow, affine_um: Affine, *, reach: int | None = None
) -> Wishes:
    """Return the wishes of all blocks under the present map."""
    seen = level.compare(lambda points: affine_um(flow(points)))
    found = seen.matches(stage.half, stage.step, reach or stage.reach)
    return Wishes(
        level.he.to_um(found.centres),
        flow(level.he.to_um(found.centres + found.shifts)),
        np.maximum(found.scores, 0.0) ** 2,
        np.full(len(found), 2.0 * level.um_per_px),
        2.0 * stage.half * level.um_per_px,
    )


def yielded(
    smoother: Smoother, flow: Flow, wishes: Wishes, reach_um: float, *, rest: Flow | None = None
) -> Flow:
    """Return the flow bent towards the wishes as far as smoothness allows.

    Parameters
    ----------
    smoother : Smoother
    flow : Flow
        The present one.
    wishes : Wishes
    reach_um : float
        Waves shorter than about six times this are damped.
    rest : Flow, optional
        What costs nothing; without it, the identity.
    """
    if not len(wishes):
        return flow
    from scipy.sparse.linalg import splu

    here = flow(wishes.source_um)
    miss = wishes.target_um - here
    basis = smoother.basis((wishes.source_um + here) / 2)
    present = flow.velocity.values.reshape(-1, 2)
    bent = present if rest is None else present - rest.velocity.values.reshape(-1, 2)
    keep = np.ones(len(wishes))
    change = np.zeros_like(present)
    for factor in (2.0, 1.0, 1.0):
        weights = wishes.weights * keep
        penalty = smoother.penalty(reach_um, float(weights.sum()) / smoother.area_um2)
        normal = (basis.T @ basis.multiply(weights[:, None]) + penalty).tocsc()
        change = splu(normal).solve(basis.T @ (weights[:, None] * miss) - penalty @ bent)
        left = ((basis @ change - miss) ** 2).sum(axis=1)
        bound = (factor * wishes.scale_um) ** 2
        keep = np.where(np.isinf(bound), 1.0, (1 / (1 + left / bound)) ** 2)
    values = (present + change).reshape(flow.velocity.values.shape)
    return Flow.of(flow.velocity.with_values(values))


def follow(
    levels: Sequence[Level],
    stages: Sequence[Stage],
    affine_um: Affine,
    smoother: Smoother,
    pieces: Wishes | None = None,
) -> Flow:
    """Bend the affine map, coarse to fine; where pieces say otherwise, from where they put it."""
    flow = Flow.of(smoother.lattice)
    if pieces is not None:
        for _ in range(_PIECE_ROUNDS):
            flow = yielded(smoother, flow, pieces, _PIECE_REACH * stages[0].reach_um)
    rest = flow
    for level, stage in zip(levels, stages, strict=True):
        for turn in range(stage.rounds):
            reach = stage.reach if turn == 0 else max(3, stage.reach // 2)
            wishes = blocks_say(level, stage, flow, affine_um, reach=reach)
            flow = yielded(smoother, flow, wishes, stage.reach_um, rest=rest)
    return flow
