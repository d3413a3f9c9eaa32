"""Landmarks that a person sets: bend a map through them, and say how well they agree with it.

The present map is taken for an observation with its stated local error, a landmark for one with an
error of its own; the smoothest change that does justice to both is added to the velocity field.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.geometry import Affine
from napari_her2.mapping.fitting import fit
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.mapping.smoothing import Smoother

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.fitting import Form
    from napari_her2.mapping.landmarks import Landmarks
    from napari_her2.mapping.slide_mapping import SlideMapping

__all__ = ["LANDMARK_UM", "landmark_pose", "leave_one_out_um", "refit"]

LANDMARK_UM = 5.0
"""How exactly a person sets a landmark (standard deviation, µm, about half a nucleus)."""

_NODES = 48
_REACH = 0.03
"""Reach of a landmark's pull where the image says little, in diagonals of the H&E."""
_ALIKE_NODES = 9.0
"""Nodes that err together count once."""
_FAR = 3.0
"""A landmark this many stated errors off contradicts the map."""


def landmark_pose(landmarks: Landmarks, he_um_per_px: float, ihc_um_per_px: float) -> Affine:
    """Return the map H&E µm → IHC µm through landmarks: a similarity up to four pairs, else affine."""
    source, target = landmarks.he_px * he_um_per_px, landmarks.ihc_px * ihc_um_per_px
    form: Form = "similarity" if len(landmarks) < 5 else "affine"
    return fit(source, target, np.ones(len(landmarks)), form)


def refit(mapping: SlideMapping, landmarks: Landmarks) -> SlideMapping:
    """Return the mapping bent through the landmarks, as far as its own certainty lets them.

    Where at least three landmarks contradict the pose itself, it is replaced by theirs.

    Parameters
    ----------
    mapping : SlideMapping
        Made without these landmarks.
    landmarks : Landmarks
    """
    if not len(landmarks):
        return mapping
    if _contradict(mapping, landmarks):
        pose = landmark_pose(landmarks, mapping.he.um_per_px, mapping.ihc.um_per_px)
        stale = np.maximum(mapping.trust.values, [_off_um(mapping, landmarks), 0.0])
        mapping = replace(mapping, affine_um=pose, flow=None, trust=mapping.trust.with_values(stale))
    mapping = _shifted(mapping, landmarks)
    system = _System.of(mapping, landmarks)
    velocity = system.flow.velocity
    change = system.solved(system.miss)
    flow = Flow.of(velocity.with_values(velocity.values + change.reshape(velocity.values.shape)))
    return _requalified(mapping, flow, system, landmarks)


def leave_one_out_um(mapping: SlideMapping, landmarks: Landmarks) -> NDArray[np.float64]:
    """Return how far each landmark lies from where the map and the other landmarks put it, µm.

    Parameters
    ----------
    mapping : SlideMapping
        Made without these landmarks.
    landmarks : Landmarks

    Returns
    -------
    ndarray of shape (len(landmarks),)
        From one solution by the leverage of each landmark; exact to first order in the field.
    """
    if not len(landmarks):
        return np.zeros(0)
    return _System.of(_shifted(mapping, landmarks), landmarks).left_out_um()


@dataclass(frozen=True, slots=True, eq=False)
class _System:
    """Linear equations of the change of velocity."""

    flow: Flow
    basis: Any
    solve: Any
    weight: float
    miss: NDArray[np.float64]

    @classmethod
    def of(cls, mapping: SlideMapping, landmarks: Landmarks) -> _System:
        from scipy import sparse
        from scipy.sparse.linalg import splu

        diagonal = mapping.he.diagonal_um
        still = mapping.flow or Flow.of(Lattice.over(mapping.he.size_um, diagonal / _NODES, 2))
        lattice = still.velocity
        smoother = Smoother.of(lattice, 1.0)
        stay = 1 / _deviation_um(mapping, lattice.nodes_um) ** 2 / _ALIKE_NODES
        source = mapping.he.to_um(landmarks.he_px)
        wanted = mapping.affine_um.inverse(mapping.ihc.to_um(landmarks.ihc_px))
        here = still(source)
        basis = smoother.basis((source + here) / 2)
        weight = 1 / LANDMARK_UM**2
        stiffness = smoother.penalty(_REACH * diagonal, float(np.median(stay)) / lattice.spacing_um**2)
        normal = sparse.diags(stay) + weight * (basis.T @ basis) + stiffness
        return cls(still, basis, splu(normal.tocsc()).solve, weight, wanted - here)

    def solved(self, miss: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.solve(self.weight * (self.basis.T @ miss)))

    def left_out_um(self) -> NDArray[np.float64]:
        pull = self.solve((self.weight * self.basis.T).toarray())
        leverage = np.einsum("ij,ji->i", self.basis.toarray(), pull)
        left = self.miss - self.basis @ self.solved(self.miss)
        return np.asarray(np.linalg.norm(left, axis=1) / np.maximum(1 - leverage, 1e-6))


def _deviation_um(mapping: SlideMapping, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of one coordinate from the stated p90 of the distance (Rayleigh law)."""
    return np.asarray(np.maximum(mapping.trust.linear_at(points_um)[:, 0], 1.0) / np.sqrt(2 * np.log(10)))


def _shifted(mapping: SlideMapping, landmarks: Landmarks) -> SlideMapping:
    """Move the whole map by what three or more landmarks surely have in common."""
    if len(landmarks) < 3:
        return mapping
    away = mapping.ihc.to_um(landmarks.ihc_px - mapping.he_to_ihc(landmarks.he_px))
    common = np.median(away, axis=0)
    spread = 1.4826 * np.median(np.abs(away - common), axis=0) / np.sqrt(len(landmarks))
    if (np.abs(common) < 3 * spread).all():
        return mapping
    return replace(mapping, affine_um=Affine.translation(*common) @ mapping.affine_um)


def _off_um(mapping: SlideMapping, landmarks: Landmarks) -> float:
    away = mapping.he_to_ihc(landmarks.he_px) - landmarks.ihc_px
    return float(np.median(np.linalg.norm(away, axis=1)) * mapping.ihc.um_per_px)


def _contradict(mapping: SlideMapping, landmarks: Landmarks) -> bool:
    if len(landmarks) < 3:
        return False
    stated = mapping.trust.linear_at(mapping.he.to_um(landmarks.he_px))[:, 0]
    return _off_um(mapping, landmarks) > _FAR * float(np.median(stated))


def _requalified(mapping: SlideMapping, flow: Flow, system: _System, landmarks: Landmarks) -> SlideMapping:
    """Raise the stated error where a left-out landmark exceeds it, and say so."""
    left_out = system.left_out_um()
    source = mapping.he.to_um(landmarks.he_px)
    stated = mapping.trust.linear_at(source)[:, 0]
    values = mapping.trust.values.copy()
    nodes = mapping.trust.nodes_um
    reach = _REACH * mapping.he.diagonal_um
    for place, error in zip(source, left_out, strict=True):
        near = np.exp(-((nodes - place) ** 2).sum(axis=1) / (2 * reach**2)).reshape(values.shape[:2])
        values[..., 0] = np.maximum(values[..., 0], near * error)
    least = abs(mapping.affine_um.determinant) * flow.min_jacobian(mapping.he.size_um)
    quality = replace(mapping.quality, kind="nonrigid", min_jacobian=least)
    bent = replace(mapping, flow=flow, trust=mapping.trust.with_values(values), quality=quality)
    against = int((left_out > _FAR * stated).sum())
    if least <= 0:
        return bent.reviewed("the landmarks fold the map: check that none is on the wrong place")
    if 3 * against > len(landmarks):
        return bent.reviewed(f"{against} of {len(landmarks)} landmarks contradict the image")
    return bent
