"""The pose of the IHC on the H&E: search wide at a glance, look closer at the best few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import MappingError
from napari_her2.mapping.coarse import Pose, distinct, search
from napari_her2.mapping.compare import Level, support
from napari_her2.mapping.pieces import piece_support, pieces_of
from napari_her2.mapping.pose import refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.picture import Picture
    from napari_her2.mapping.settings import MappingSettings

__all__ = ["Start", "find_start"]

_GLANCE_PX, _WIDE_PX, _CLOSER_PX = 128, 80, 256
_CANDIDATES, _FINALISTS = 8, 3
_SCREEN_STEP = 16
_CONVINCING = 0.4, 0.5
"""Lead over the runner-up and support with which no other scale is tried."""
_TIED = 0.25
"""Lead below which pieces of tissue are asked one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where the affine part begins.

    Attributes
    ----------
    pose : Pose
        The best.
    margin : float
        Its lead over the best pose that lays the tissue elsewhere, relative to its score; 0 = a tie.
    """

    pose: Pose
    margin: float


def find_start(he: Picture, ihc: Picture, settings: MappingSettings) -> Start:
    """Search all angles, both faces, and, where that does not convince, several scales.

    Raises
    ------
    MappingError
        If one of the slides shows no tissue.
    """
    if not he.tissue.any() or not ihc.tissue.any():
        side = "H&E" if not he.tissue.any() else "IHC"
        raise MappingError(f"the {side} slide shows no tissue to align: check that it is the right file")
    extent = max(float(np.hypot(*he.size_um)), float(np.hypot(*ihc.size_um)))
    closer = Level.of(he, ihc, extent / _CLOSER_PX)
    points = closer.he.to_um(np.argwhere(closer.he.tissue)[::29] + 0.5)
    found: list[Pose] = []
    best: list[Pose] = []
    for width, degrees, scales in (
        (_GLANCE_PX, settings.angle_step, (1.0,)),
        (_WIDE_PX, settings.wide_angle_step, settings.scales),
    ):
        glance = Level.of(he, ihc, extent / width)
        fresh = [
            pose
            for _, poses in search(glance.he, glance.ihc, degrees=degrees, scales=scales)
            for pose in poses
        ]
        likely = distinct(fresh, points, 0.06 * extent, _CANDIDATES)
        found += [_screened(pose, glance, closer) for pose in likely]
        best = _finals(distinct(found, points, 0.04 * extent, _FINALISTS), closer, points, extent)
        if best and _margin(best) >= _CONVINCING[0] and best[0].score >= _CONVINCING[1]:
            break
    if best and _margin(best) < _TIED:
        best = _by_piece(he, ihc, found, points, extent) or best
    if not best:
        raise MappingError(
            "the two slides could not be laid on each other at any angle: check that they belong together"
        )
    return Start(best[0], _margin(best))


def _margin(best: list[Pose]) -> float:
    return 1.0 if len(best) < 2 else 1 - best[1].score / max(best[0].score, 1e-9)


def _screened(pose: Pose, glance: Level, closer: Level) -> Pose:
    turned = refine(glance, pose.affine_um, "similarity")
    affine_um = refine(closer, turned, "affine", half=12, step=_SCREEN_STEP)
    return Pose(affine_um, support(closer.compare(affine_um)))


def _finals(likely: list[Pose], closer: Level, points: NDArray[np.float64], extent: float) -> list[Pose]:
    """Return the best two of the likeliest, each at its own best."""
    closest = []
    for pose in likely:
        affine_um = refine(closer, pose.affine_um, "affine", half=12)
        closest.append(max(Pose(affine_um, support(closer.compare(affine_um))), pose, key=_score))
    return distinct(closest, points, 0.04 * extent, 2)


def _score(pose: Pose) -> float:
    return pose.score


def _by_piece(
    he: Picture, ihc: Picture, found: list[Pose], points: NDArray[np.float64], extent: float
) -> list[Pose]:
    """Compare poses anew, letting each piece of tissue slip a little by itself."""
    pieces = pieces_of(he)
    if len(pieces) < 2:
        return []
    again = [
        Pose(pose.affine_um, piece_support(pieces, ihc, pose.affine_um))
        for pose in distinct(found, points, 0.04 * extent, _CANDIDATES)
    ]
    return distinct(again, points, 0.08 * extent, 2)
