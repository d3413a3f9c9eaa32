"""Small arithmetic on probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["expected_score"]


def expected_score(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return the mean class Σ i · p_i, 0..c - 1, of probabilities (..., c) over ordered classes."""
    shares = np.asarray(probabilities, np.float64)
    return np.asarray(shares @ np.arange(shares.shape[-1]))
