"""A diffeomorphism as the flow of a stationary velocity field.

A :class:`Flow` holds v at the nodes of a lattice (µm). The displacement exp(v) - id comes from
scaling and squaring (Arsigny et al. 2006); the inverse starts at exp(-v) and is polished by Newton's
method, so that there and back agree far below a pixel whatever the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.frame import Lattice

__all__ = ["Flow", "exponential"]


def exponential(velocity: Lattice) -> Lattice:
    """Displacement of exp(v) at the nodes.

    The field is halved until no step bends by more than an eighth, that step is taken by the classical
    Runge-Kutta rule, and composed with itself as often as was halved: phi <- phi o phi.
    """
    nodes = velocity.nodes_um
    steepest = float(np.abs(np.diff(velocity.values, axis=0)).max(initial=0.0))
    steepest = max(steepest, float(np.abs(np.diff(velocity.values, axis=1)).max(initial=0.0)))
    longest = float(np.abs(velocity.values).max(initial=0.0))
    bend = max(steepest, longest / 4) / velocity.spacing_um
    halvings = int(np.clip(np.ceil(np.log2(max(bend, 1e-9) * 8)), 0, 12))
    moved = _small_step(velocity.with_values(velocity.values.astype(np.float64) / 2**halvings), nodes)
    for _ in range(halvings):
        step = velocity.with_values(moved.reshape(velocity.values.shape))
        moved = moved + step.at(nodes + moved)
    return velocity.with_values(moved.reshape(velocity.values.shape))


def _small_step(velocity: Lattice, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    first = velocity.at(nodes)
    second = velocity.at(nodes + first / 2)
    third = velocity.at(nodes + second / 2)
    fourth = velocity.at(nodes + third)
    return (first + 2 * second + 2 * third + fourth) / 6


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """An invertible smooth warp of the plane, in µm.

    Attributes
    ----------
    velocity : Lattice
        v at the nodes, (rows, cols, 2), µm.
    forward, backward : Lattice
        Displacements of exp(v) and exp(-v).
    """

    velocity: Lattice
    forward: Lattice
    backward: Lattice

    @classmethod
    def of(cls, velocity: Lattice) -> Flow:
        """Integrate a velocity field."""
        return cls(velocity, exponential(velocity), exponential(velocity.with_values(-velocity.values)))

    def __call__(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry points (n, 2)."""
        return points_um + self.forward.at(points_um)

    def inverse(self, points_um: NDArray[np.float64], rounds: int = 4) -> NDArray[np.float64]:
        """Carry points (n, 2) back: solves ``self(x) == points_um`` to about 1e-6 µm."""
        found = points_um + self.backward.at(points_um)
        for _ in range(rounds):
            miss = self(found) - points_um
            if np.abs(miss).max(initial=0.0) < 1e-7:
                break
            found = found - np.linalg.solve(self.jacobian(found), miss[..., None])[..., 0]
        return found

    def jacobian(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Jacobian matrices (n, 2, 2) of the forward warp."""
        return np.eye(2) + self.forward.slope_at(points_um)

    def min_jacobian(self, size_um: tuple[float, float]) -> float:
        """Return the least determinant over a frame, on a lattice three times as fine as the field's."""
        step = self.velocity.spacing_um / 3
        rows, cols = (np.linspace(0, size, int(np.ceil(size / step)) + 1) for size in size_um)
        grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
        return float(np.linalg.det(self.jacobian(grid)).min())
