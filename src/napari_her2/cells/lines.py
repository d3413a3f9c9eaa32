"""How well a line of DAB shows above grain: a filter drawn out along the line, on unrolled cells.

Across the line the filter is a narrow bump minus its surroundings (a second derivative without a mean);
along it seven neighbouring rays are averaged, straight or slanted, so that grain averages out and a
membrane does not. The same filter with its sign turned asks for bright lines, of which there are none:
its best answer is what grain alone can feign on this slide, in this cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.polar import STEP_UM, STEPS, follow

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["along_best", "responses"]

LINE_UM: Final = 0.33
SURROUND_UM: Final = 0.6
TYPICAL_LINE_UM: Final = 0.3
"""Standard deviation of a faint membrane behind lens and smoothing; its answer is its height."""

SLANTS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Steps outwards per ray."""

ALONG_RAYS: Final = 2.0
REACH: Final = 3


def _bump() -> NDArray[np.float32]:
    away = np.arange(-6, 7) * STEP_UM
    bump = (1 - (away / LINE_UM) ** 2) * np.exp(-0.5 * (away / LINE_UM) ** 2)
    surround = np.exp(-0.5 * (away / SURROUND_UM) ** 2)
    bump -= bump.sum() / surround.sum() * surround
    return (bump / (bump * np.exp(-0.5 * (away / TYPICAL_LINE_UM) ** 2)).sum()).astype(np.float32)


def _weights() -> NDArray[np.float32]:
    weights = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / ALONG_RAYS) ** 2)
    return (weights / weights.sum()).astype(np.float32)


BUMP: Final = _bump()
WEIGHTS: Final = _weights()


def responses(brown: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Answers for the best dark and the best bright line through each sample.

    Parameters
    ----------
    brown : float32 ndarray of shape (cells, rays, steps)
        DAB, log10 OD.

    Returns
    -------
    dark, bright : float32 ndarrays of the same shape
        Height of a line of a faint membrane's width, log10 OD.
    """
    import cv2

    flat = brown.reshape(-1, STEPS)
    across = cv2.filter2D(flat, -1, BUMP[None], borderType=cv2.BORDER_REPLICATE).reshape(brown.shape)
    closed = np.pad(across, ((0, 0), (REACH, REACH), (0, 0)), mode="wrap")
    dark = np.full_like(across, -np.inf)
    lowest = np.full_like(across, np.inf)
    for slant in SLANTS:
        mean = _averaged(closed, slant)
        np.maximum(dark, mean, out=dark)
        np.minimum(lowest, mean, out=lowest)
    return dark, -lowest


def _averaged(closed: NDArray[np.float32], slant: float) -> NDArray[np.float32]:
    """Mean over neighbouring rays, ``slant`` steps farther out per ray; ``closed`` is padded with rays."""
    count = closed.shape[1] - 2 * REACH
    total = np.zeros_like(closed[:, :count])
    for ray, weight in zip(range(-REACH, REACH + 1), WEIGHTS, strict=True):
        shift = round(slant * ray)
        rays = closed[:, REACH + ray : REACH + ray + count]
        to, of = slice(max(-shift, 0), STEPS - max(shift, 0)), slice(max(shift, 0), STEPS - max(-shift, 0))
        total[..., to] += weight * rays[..., of]
        edge = slice(STEPS - shift, STEPS) if shift > 0 else slice(0, -shift)
        total[..., edge] += weight * rays[..., -1:] if shift > 0 else weight * rays[..., :1]
    return total


def along_best(response: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Answers along the best closed line around each cell, (cells, rays)."""
    line = follow(response, allowed)
    return np.asarray(np.take_along_axis(response, line[..., None], axis=2)[..., 0])
