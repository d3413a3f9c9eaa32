"""The story of a registration: pose, affine part, smooth part, and what it is worth."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_her2.events import Progress, StageDone
from napari_her2.mapping.bend import bent
from napari_her2.mapping.coarse import Pose
from napari_her2.mapping.compare import support
from napari_her2.mapping.judge import Evidence, judged
from napari_her2.mapping.pose import refine
from napari_her2.mapping.refit import landmark_pose, refit
from napari_her2.mapping.slide_mapping import SlideMapping
from napari_her2.mapping.start import Start, find_start
from napari_her2.mapping.trust import trust_in

if TYPE_CHECKING:
    from napari_her2.events import Steps
    from napari_her2.geometry import Affine
    from napari_her2.mapping.bend import Bent, Pair
    from napari_her2.mapping.landmarks import Landmarks
    from napari_her2.mapping.settings import MappingSettings

__all__ = ["align"]

_LEAST_LANDMARKS = 3
"""So many pairs fix a pose, and whether a slide lies face down."""


def align(pair: Pair, landmarks: Landmarks | None, settings: MappingSettings) -> Steps[SlideMapping]:
    """Register two pictures."""
    began = time.perf_counter()
    yield Progress("mapping", 1, 4, "steps")
    given = landmarks if landmarks is not None and len(landmarks) >= _LEAST_LANDMARKS else None
    start = find_start(pair.he, pair.ihc, settings) if given is None else _posed(pair, given)
    yield Progress("mapping", 2, 4, "steps")
    affine_um = _refined(pair, start.pose.affine_um)
    yield Progress("mapping", 3, 4, "steps")
    mapping = _finished(pair, bent(pair, affine_um, smooth=settings.nonrigid), start.margin)
    if landmarks is not None and settings.through_landmarks:
        mapping = refit(mapping, landmarks)
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


def _finished(pair: Pair, found: Bent, margin: float) -> SlideMapping:
    level = pair.level(2 * pair.finest(found.affine_um), found.affine_um)
    seen = level.compare(found)
    trust = trust_in(seen, pair.frames[0])
    flow_jacobian = 1.0 if found.flow is None else found.flow.min_jacobian(pair.frames[0].size_um)
    evidence = Evidence(
        margin=margin,
        support=support(seen),
        agreeing=trust.agreeing,
        overlap_fraction=seen.overlap_fraction,
        min_jacobian=abs(found.affine_um.determinant) * flow_jacobian,
        p50_um=trust.p50_um,
        p90_um=trust.p90_um,
        diagonal_um=pair.frames[1].diagonal_um,
    )
    return SlideMapping(
        he=pair.frames[0],
        ihc=pair.frames[1],
        affine_um=found.affine_um,
        flow=found.flow,
        trust=trust.lattice,
        quality=judged(found.kind, evidence),
    )
