"""How far off a mapping may be, place by place, from how the blocks of the image agree with it.

Under a good map a block matches best where it lies. The share of such blocks in a neighbourhood falls
steadily as the true error grows (and as the sections differ more), from 0.95 to the chance level. The
curve from that share to the error that nine in ten places stay below was fitted on phantoms and on
landmark pairs (docs/registration.md); ``benchmarks/registration.py`` prints its coverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.blocks import block_centres, match_blocks
from napari_her2.mapping.frame import Lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.compare import Comparison
    from napari_her2.mapping.frame import SlideFrame

__all__ = ["FAR_UM", "Trust", "quantiles", "trust_in"]

FAR_UM = 1000.0
"""Stated error of a point that lies outside the overlap (µm, at least)."""

_HALF, _STEP, _REACH = 12, 8, 10
_AT_REST_PX = 2.5
_CHANCE = np.pi * _AT_REST_PX**2 / (2 * _REACH + 1) ** 2
_NEAR_STEPS = 2.5
_PRIOR_BLOCKS = 1.0
# Share of agreeing blocks above chance, and the error in judged pixels that nine in ten stay below.
_SHARES = (0.0, 0.03, 0.06, 0.17, 0.33, 0.5, 0.62, 0.75, 0.85, 0.9, 0.95, 1.0)
_ERRORS_PX = (20.0, 9.0, 8.0, 6.6, 4.4, 3.2, 2.3, 1.6, 1.25, 1.1, 0.75, 0.5)
_TAIL = 1.3
"""Shape of the Weibull law that errors follow within one stated p90."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """What the blocks say about a finished map.

    Attributes
    ----------
    lattice : Lattice
        Over the H&E, (rows, cols, 2): p90 of the local error in µm; 1 where both have tissue.
    agreeing : float
        Share of all blocks that match best where they lie, 0 to 1.
    p50_um, p90_um : float
        Quantiles of the error over the shared tissue.
    """

    lattice: Lattice
    agreeing: float
    p50_um: float
    p90_um: float


def trust_in(seen: Comparison, frame: SlideFrame) -> Trust:
    """Judge a map by the two slides as it lays them on each other.

    Parameters
    ----------
    seen : Comparison
        At twice the finest µm/px.
    frame : SlideFrame
        Of the H&E.
    """
    usable = (seen.he.tissue | seen.drawn.tissue) & seen.common
    centres = block_centres(usable, _HALF, _STEP)
    found = match_blocks(seen.fixed, seen.moving, centres, _HALF, _REACH)
    at_rest = (np.linalg.norm(found.shifts, axis=1) <= _AT_REST_PX).astype(np.float64)
    share = _share_near(centres, at_rest, seen.he.shape)
    error = error_of(share) * seen.he.um_per_px
    near = _near_shared(seen)
    lattice = _on_lattice(seen, error, near, frame)
    stated = error[seen.shared_tissue]
    p50, p90 = quantiles(stated) if stated.size else (FAR_UM, FAR_UM)
    return Trust(lattice, float(at_rest.mean()) if len(found) else 0.0, p50, p90)


def error_of(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error (p90) in pixels of the judged picture for a share of agreeing blocks."""
    above = (share - _CHANCE) / (1 - _CHANCE)
    return np.asarray(np.exp(np.interp(above, _SHARES, np.log(_ERRORS_PX))), np.float64)


def quantiles(stated_um: NDArray[np.float64]) -> tuple[float, float]:
    """Median and p90 of errors whose local p90 are ``stated_um``."""
    levels = (np.arange(50) + 0.5) / 50
    law = (np.log1p(-levels) / np.log(0.1)) ** (1 / _TAIL)
    some = np.quantile(stated_um, levels)
    p50, p90 = np.quantile(some[:, None] * law, [0.5, 0.9])
    return float(p50), float(p90)


def _share_near(
    centres: NDArray[np.intp], at_rest: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Smooth share of agreeing blocks at every pixel; falls to chance where there are no blocks."""
    import cv2

    rows, cols = shape[0] // _STEP + 1, shape[1] // _STEP + 1
    total, hits = np.zeros((rows, cols), np.float32), np.zeros((rows, cols), np.float32)
    cells = centres // _STEP
    np.add.at(total, (cells[:, 0], cells[:, 1]), 1.0)
    np.add.at(hits, (cells[:, 0], cells[:, 1]), at_rest)
    area = 2 * np.pi * _NEAR_STEPS**2
    total, hits = (
        area * cv2.GaussianBlur(plane, (0, 0), _NEAR_STEPS, borderType=cv2.BORDER_CONSTANT)
        for plane in (total, hits)
    )
    share = (hits + _PRIOR_BLOCKS * _CHANCE) / (total + _PRIOR_BLOCKS)
    full = cv2.resize(share, (cols * _STEP, rows * _STEP), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[: shape[0], : shape[1]], np.float64)


def _near_shared(seen: Comparison) -> NDArray[np.bool_]:
    """Shared tissue with its gaps closed and a rim of two cells, where both slides were seen."""
    import cv2

    rim = max(1, round(20 / seen.he.um_per_px))
    gap = max(2, round(60 / seen.he.um_per_px))
    disc = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1)) for size in (gap, rim)]
    closed = cv2.morphologyEx(seen.shared_tissue.astype(np.uint8), cv2.MORPH_CLOSE, disc[0])
    return np.asarray((cv2.dilate(closed, disc[1]) > 0) & seen.common)


def _on_lattice(
    seen: Comparison, error: NDArray[np.float64], near: NDArray[np.bool_], frame: SlideFrame
) -> Lattice:
    spacing = max(2 * seen.he.um_per_px, max(frame.size_um) / 400)
    lattice = Lattice.over(frame.size_um, spacing, 2, margin=1)
    place = seen.he.to_um.inverse(lattice.nodes_um)
    pixels = np.clip(np.floor(place), 0, np.asarray(seen.he.shape) - 1).astype(np.intp)
    off = ((place < 0) | (place > seen.he.shape)).any(axis=1)
    values = np.stack([error[pixels[:, 0], pixels[:, 1]], near[pixels[:, 0], pixels[:, 1]] & ~off], axis=1)
    values[off, 0] = np.maximum(values[off, 0], FAR_UM)
    return lattice.with_values(values.reshape(lattice.values.shape))
