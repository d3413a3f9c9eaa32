"""The smoothest field through uncertain points: penalised least squares on a lattice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.mapping import cubic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.frame import Lattice

__all__ = ["Smoother"]


@dataclass(frozen=True, slots=True, eq=False)
class Smoother:
    """Bending energy of a lattice, ready for many solves.

    Attributes
    ----------
    lattice : Lattice
        Gives the nodes.
    bending : scipy sparse matrix
        Sum of squared second differences as a quadratic form.
    membrane : scipy sparse matrix
        Sum of squared first differences.
    area_um2 : float
        Over which the data lie.
    """

    lattice: Lattice
    bending: Any
    membrane: Any
    area_um2: float

    @classmethod
    def of(cls, lattice: Lattice, area_um2: float) -> Smoother:
        """Assemble the quadratic forms."""
        from scipy import sparse

        rows, cols = lattice.values.shape[:2]

        def along(kernel: list[float], length: int) -> Any:
            diagonals = [np.full(length, value) for value in kernel]
            return sparse.diags(diagonals, list(range(len(kernel))), shape=(length - len(kernel) + 1, length))

        def form(first: Any, second: Any) -> Any:
            both = sparse.kron(first, second)
            return both.T @ both

        eye_rows, eye_cols = sparse.identity(rows), sparse.identity(cols)
        slope, bend = [-1.0, 1.0], [1.0, -2.0, 1.0]
        bending = (
            form(along(bend, rows), eye_cols)
            + form(eye_rows, along(bend, cols))
            + 2 * form(along(slope, rows), along(slope, cols))
        )
        membrane = form(along(slope, rows), eye_cols) + form(eye_rows, along(slope, cols))
        return cls(lattice, bending.tocsc(), membrane.tocsc(), area_um2)

    def basis(self, points_um: NDArray[np.float64]) -> Any:
        """Sparse matrix (n, nodes) that interpolates at points (n, 2)."""
        from scipy import sparse

        shape = self.lattice.values.shape
        nodes, weights = cubic.taps(shape, self.lattice.index(points_um))
        heads = np.arange(0, nodes.size + 1, 16)
        return sparse.csr_matrix(
            (weights.ravel(), nodes.ravel(), heads), shape=(len(points_um), shape[0] * shape[1])
        )

    def penalty(self, reach_um: float, weight_per_um2: float) -> Any:
        """Quadratic form that damps waves shorter than about ``reach_um``.

        A wave of angular frequency k costs (k reach)^4 times what the data of that density ask for.
        """
        ratio = reach_um / self.lattice.spacing_um
        stiff = weight_per_um2 * self.lattice.spacing_um**2
        return stiff * (ratio**4 * self.bending + 1e-3 * ratio**2 * self.membrane)
