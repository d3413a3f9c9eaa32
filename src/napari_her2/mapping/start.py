"""The pose of the IHC on the H&E: search wide at a glance, look closer at the best few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import MappingError
from napari_her2.mapping.coarse import Pose, distinct, search
from napari_her2.mapping.pose import refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.picture import Picture
    from napari_her2.mapping.settings import MappingSettings

__all__ = ["Start", "find_start"]

_GLANCE_PX = 128
_CANDIDATES = 8
_CONVINCING = 0.06
"""Lead over the runner-up, relative, with which no other scale is tried."""


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
    glance = he.at(extent / _GLANCE_PX), ihc.at(extent / _GLANCE_PX)
    closer = he.at(extent / _GLANCE_PX / 2), ihc.at(extent / _GLANCE_PX / 2)
    points = glance[0].to_um(np.argwhere(glance[0].tissue)[::7] + 0.5)
    found: list[Pose] = []
    for scales in ((1.0,), settings.scales):
        fresh = [
            pose for _, poses in search(*glance, degrees=settings.angle_step, scales=scales) for pose in poses
        ]
        found += _closer(fresh, glance, closer, points, extent)
        best = distinct(found, points, 0.04 * extent, 2)
        if best and _margin(best) >= _CONVINCING:
            break
    if not best:
        raise MappingError(
            "the two slides could not be laid on each other at any angle: check that they belong together"
        )
    return Start(best[0], _margin(best))


def _margin(best: list[Pose]) -> float:
    return 1.0 if len(best) < 2 else 1 - best[1].score / max(best[0].score, 1e-9)


def _closer(
    poses: list[Pose],
    glance: tuple[Picture, Picture],
    closer: tuple[Picture, Picture],
    points: NDArray[np.float64],
    extent: float,
) -> list[Pose]:
    likely = distinct(poses, points, 0.06 * extent, _CANDIDATES)
    turned = [refine(*glance, pose.affine_um, form="similarity") for pose in likely]
    return [refine(*closer, pose.affine_um, form="affine") for pose in turned]
