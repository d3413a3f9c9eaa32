"""From an affine map to the kind that the blocks ask for: rigid, affine, or smoothly bent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.choose import foretold
from napari_her2.mapping.compare import Level
from napari_her2.mapping.fitting import robust_fit
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.mapping.nonrigid import Stage, blocks_say, follow
from napari_her2.mapping.pieces import pieces_say
from napari_her2.mapping.smoothing import Smoother

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.frame import SlideFrame
    from napari_her2.mapping.nonrigid import Wishes
    from napari_her2.mapping.picture import Picture

__all__ = ["Bent", "Pair", "bent"]

_NODES = 48
_FACTORS = (4.0, 2.0, 1.0)
_REACHES = (0.04, 0.03, 0.02)
_STEPS = (8, 12, 18)
_LEAST_EXTENT_PX = 1200
"""Smaller pictures are bent as stiffly as one of this diagonal: blocks carry no finer detail."""
_LEAST_JACOBIAN = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The two slides as registration sees them.

    Attributes
    ----------
    he, ihc : Picture
    frames : tuple of SlideFrame
        Of the H&E and of the IHC.
    """

    he: Picture
    ihc: Picture
    frames: tuple[SlideFrame, SlideFrame]

    def level(self, um_per_px: float, affine_um: Affine) -> Level:
        """Return both at one µm/px of the H&E."""
        return Level.of(self.he, self.ihc, um_per_px, affine_um.stretch)

    def finest(self, affine_um: Affine) -> float:
        """Return the pixel size, in the H&E's µm, at which both are sharp."""
        return max(self.he.um_per_px, self.ihc.um_per_px / affine_um.stretch)


@dataclass(frozen=True, slots=True, eq=False)
class Bent:
    """A map of a certain kind."""

    kind: str
    affine_um: Affine
    flow: Flow | None

    def __call__(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry points (n, 2), µm."""
        return self.affine_um(points_um if self.flow is None else self.flow(points_um))


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What all attempts to bend one map share."""

    pair: Pair
    affine_um: Affine
    smoother: Smoother
    levels: list[Level]
    finest: float
    extent: float

    @classmethod
    def of(cls, pair: Pair, affine_um: Affine) -> _Task:
        extent = float(np.hypot(*pair.he.size_um))
        finest = pair.finest(affine_um)
        smoother = Smoother.of(_lattice(pair.he, extent / _NODES), _tissue_um2(pair.he))
        levels = [pair.level(finest * factor, affine_um) for factor in _FACTORS]
        return cls(pair, affine_um, smoother, levels, finest, extent)

    def stages(self, stiffness: float = 1.0) -> list[Stage]:
        reach = max(self.extent, _LEAST_EXTENT_PX * self.finest) * stiffness
        return [
            Stage(um_per_px=self.finest * factor, reach_um=reach * share, step=step)
            for factor, share, step in zip(_FACTORS, _REACHES, _STEPS, strict=True)
        ]

    def followed(self, stiffness: float = 1.0, pieces: Wishes | None = None) -> Flow:
        first = 0 if stiffness == 1.0 else 1
        stages = self.stages(stiffness)[first:]
        return follow(self.levels[first:], stages, self.affine_um, self.smoother, pieces)

    def folds(self, flow: Flow) -> bool:
        return flow.min_jacobian(self.pair.frames[0].size_um) < _LEAST_JACOBIAN


def bent(pair: Pair, affine_um: Affine, *, smooth: bool) -> Bent:
    """Follow the blocks smoothly, then keep the simplest kind that does as well.

    Parameters
    ----------
    pair : Pair
    affine_um : Affine
        H&E µm → IHC µm.
    smooth : bool
        Whether a smooth map is allowed.
    """
    task = _Task.of(pair, affine_um)
    if not smooth:
        return _kind(task, Flow.of(task.smoother.lattice), smooth=False)
    pieces = pieces_say(pair.he, pair.ihc, affine_um)
    if pieces is not None:
        flow = task.followed(pieces=pieces)
        if not task.folds(flow):
            return Bent("nonrigid", affine_um, flow)
    return _kind(task, task.followed(), smooth=True)


def _kind(task: _Task, flow: Flow, *, smooth: bool) -> Bent:
    stages = task.stages()
    beside = replace(stages[-1], step=2 * stages[-1].half)
    wishes = blocks_say(task.levels[-1], beside, flow, task.affine_um, reach=10)
    choice = foretold(wishes, task.affine_um, task.smoother, stages[1].reach_um)
    if choice.kind == "rigid":
        return _stiff(wishes, task.affine_um)
    if choice.kind == "affine" or not smooth:
        return Bent("affine", task.affine_um, None)
    if choice.stiffness != 1.0:
        flow = task.followed(choice.stiffness)
    return (
        Bent("affine", task.affine_um, None) if task.folds(flow) else Bent("nonrigid", task.affine_um, flow)
    )


def _stiff(wishes: Wishes, affine_um: Affine) -> Bent:
    """Turn and shift only, through the same wishes."""
    scale = float(np.median(wishes.scale_um))
    onto = affine_um(wishes.target_um)
    scales = (4 * scale, 2 * scale, scale, scale)
    rigid_um, _ = robust_fit(wishes.source_um, onto, wishes.weights, "rigid", scales)
    return Bent("rigid", rigid_um, None)


def _tissue_um2(picture: Picture) -> float:
    return float(picture.tissue.sum()) * picture.um_per_px**2


def _lattice(he: Picture, spacing_um: float) -> Lattice:
    flat = Lattice.over(he.size_um, spacing_um, 2)
    origin = (flat.origin_um[0] + he.origin_um[0], flat.origin_um[1] + he.origin_um[1])
    return Lattice(flat.values, origin, spacing_um)
