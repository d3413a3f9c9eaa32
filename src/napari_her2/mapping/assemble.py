"""The story of a registration: pose, affine part, smooth part, and what it is worth."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.events import Progress, StageDone
from napari_her2.mapping.choose import foretold
from napari_her2.mapping.coarse import Pose
from napari_her2.mapping.compare import Level, support
from napari_her2.mapping.fitting import robust_fit
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.mapping.judge import Evidence, judged
from napari_her2.mapping.nonrigid import Stage, blocks_say, follow
from napari_her2.mapping.pose import refine
from napari_her2.mapping.refit import landmark_pose, refit
from napari_her2.mapping.slide_mapping import SlideMapping
from napari_her2.mapping.smoothing import Smoother
from napari_her2.mapping.start import Start, find_start
from napari_her2.mapping.trust import trust_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.geometry import Affine
    from napari_her2.mapping.frame import SlideFrame
    from napari_her2.mapping.landmarks import Landmarks
    from napari_her2.mapping.nonrigid import Wishes
    from napari_her2.mapping.picture import Picture
    from napari_her2.mapping.settings import MappingSettings

__all__ = ["Pair", "align"]

_NODES = 48
_FACTORS = (4.0, 2.0, 1.0)
_REACHES = (0.04, 0.03, 0.02)
_STEPS = (8, 12, 18)
_LEAST_EXTENT_PX = 1200
"""Smaller pictures are bent as stiffly as one of this diagonal: blocks carry no finer detail."""
_LEAST_JACOBIAN = 0.1
_LEAST_LANDMARKS = 3
"""So many pairs fix a pose, and whether a slide lies face down."""


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
        return Level.of(self.he, self.ihc, um_per_px, _stretch(affine_um))

    def finest(self, affine_um: Affine) -> float:
        """Return the pixel size, in the H&E's µm, at which both are sharp."""
        return max(self.he.um_per_px, self.ihc.um_per_px / _stretch(affine_um))


@dataclass(frozen=True, slots=True, eq=False)
class _Bent:
    """A map of a certain kind."""

    kind: str
    affine_um: Affine
    flow: Flow | None

    def __call__(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.affine_um(points_um if self.flow is None else self.flow(points_um))


def align(pair: Pair, landmarks: Landmarks | None, settings: MappingSettings) -> Steps[SlideMapping]:
    """Register two pictures."""
    began = time.perf_counter()
    yield Progress("mapping", 1, 4, "steps")
    given = landmarks if landmarks is not None and len(landmarks) >= _LEAST_LANDMARKS else None
    start = find_start(pair.he, pair.ihc, settings) if given is None else _posed(pair, given)
    yield Progress("mapping", 2, 4, "steps")
    affine_um = _refined(pair, start.pose.affine_um)
    yield Progress("mapping", 3, 4, "steps")
    mapping = _finished(pair, _bent(pair, affine_um, settings), start.margin)
    mapping = mapping if landmarks is None else refit(mapping, landmarks)
    yield Progress("mapping", 4, 4, "steps")
    yield StageDone("mapping", time.perf_counter() - began)
    return mapping


def _posed(pair: Pair, landmarks: Landmarks) -> Start:
    """Take a person's landmarks instead of a search."""
    pose = landmark_pose(landmarks, pair.frames[0].um_per_px, pair.frames[1].um_per_px)
    return Start(Pose(pose, 1.0), 1.0)


def _refined(pair: Pair, affine_um: Affine) -> Affine:
    finest = pair.finest(affine_um)
    for factor, step in ((2.0, 12), (1.0, 20)):
        level = pair.level(finest * factor, affine_um)
        affine_um = refine(level, affine_um, "affine", half=12, rounds=2, step=step)
    return affine_um


def _bent(pair: Pair, affine_um: Affine, settings: MappingSettings) -> _Bent:
    """Follow the blocks smoothly, then keep the simplest kind that does as well."""
    extent = float(np.hypot(*pair.he.size_um))
    finest = pair.finest(affine_um)
    smoother = Smoother.of(_lattice(pair.he, extent / _NODES), _tissue_um2(pair.he))
    levels = [pair.level(finest * factor, affine_um) for factor in _FACTORS]
    stages = _stages(finest, extent, 1.0)
    flow = follow(levels, stages, affine_um, smoother) if settings.nonrigid else Flow.of(smoother.lattice)
    beside = replace(stages[-1], step=2 * stages[-1].half)
    wishes = blocks_say(levels[-1], beside, flow, affine_um, reach=10)
    choice = foretold(wishes, affine_um, smoother, stages[1].reach_um)
    if choice.kind == "rigid":
        return _stiff(wishes, affine_um)
    if choice.kind == "affine" or not settings.nonrigid:
        return _Bent("affine", affine_um, None)
    if choice.stiffness != 1.0:
        flow = follow(levels[1:], _stages(finest, extent, choice.stiffness)[1:], affine_um, smoother)
    folded = flow.min_jacobian(pair.frames[0].size_um) < _LEAST_JACOBIAN
    return _Bent("affine", affine_um, None) if folded else _Bent("nonrigid", affine_um, flow)


def _stages(finest: float, extent: float, stiffness: float) -> list[Stage]:
    reach = max(extent, _LEAST_EXTENT_PX * finest) * stiffness
    return [
        Stage(um_per_px=finest * factor, reach_um=reach * share, step=step)
        for factor, share, step in zip(_FACTORS, _REACHES, _STEPS, strict=True)
    ]


def _stiff(wishes: Wishes, affine_um: Affine) -> _Bent:
    """Turn and shift only, through the same wishes."""
    scale = float(np.median(wishes.scale_um))
    onto = affine_um(wishes.target_um)
    scales = (4 * scale, 2 * scale, scale, scale)
    rigid_um, _ = robust_fit(wishes.source_um, onto, wishes.weights, "rigid", scales)
    return _Bent("rigid", rigid_um, None)


def _stretch(affine_um: Affine) -> float:
    return float(np.sqrt(abs(affine_um.determinant)))


def _tissue_um2(picture: Picture) -> float:
    return float(picture.tissue.sum()) * picture.um_per_px**2


def _lattice(he: Picture, spacing_um: float) -> Lattice:
    flat = Lattice.over(he.size_um, spacing_um, 2)
    origin = (flat.origin_um[0] + he.origin_um[0], flat.origin_um[1] + he.origin_um[1])
    return Lattice(flat.values, origin, spacing_um)


def _finished(pair: Pair, bent: _Bent, margin: float) -> SlideMapping:
    level = pair.level(2 * pair.finest(bent.affine_um), bent.affine_um)
    seen = level.compare(bent)
    trust = trust_in(seen, pair.frames[0])
    flow_jacobian = 1.0 if bent.flow is None else bent.flow.min_jacobian(pair.frames[0].size_um)
    evidence = Evidence(
        margin=margin,
        support=support(seen),
        agreeing=trust.agreeing,
        overlap_fraction=seen.overlap_fraction,
        min_jacobian=abs(bent.affine_um.determinant) * flow_jacobian,
        p50_um=trust.p50_um,
        p90_um=trust.p90_um,
        diagonal_um=pair.frames[1].diagonal_um,
    )
    return SlideMapping(
        he=pair.frames[0],
        ihc=pair.frames[1],
        affine_um=bent.affine_um,
        flow=bent.flow,
        trust=trust.lattice,
        quality=judged(bent.kind, evidence),
    )
