"""How sure a percentage is: Wilson's interval, and a bootstrap of tiles because cells cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["multinomial_draws", "percent_interval", "tile_draws", "wilson"]

DRAWS: Final = 1999
"""Resamples; with the observed table that makes 2000, so that probabilities are multiples of 0.0005."""

SEED: Final = 20231
_Z95: Final = 1.959963984540054
_CHUNK: Final = 2_000_000


def wilson(part: float, total: float) -> tuple[float, float]:
    """95 % interval of a proportion, in percent (Wilson 1927, without continuity correction).

    Parameters
    ----------
    part, total : float
        ``part`` of ``total`` cells, or of as many as a weighted sample is worth; none give (0, 100).
    """
    if total <= 0:
        return 0.0, 100.0
    share, weight = part / total, _Z95**2 / total
    middle = (share + weight / 2) / (1 + weight)
    half = _Z95 / (1 + weight) * ((share * (1 - share) + weight / 4) / total) ** 0.5
    low = 0.0 if part == 0 else max(100 * (middle - half), 0.0)
    return low, 100.0 if part == total else min(100 * (middle + half), 100.0)


def percent_interval(
    part: int,
    total: int,
    draws: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    bias_points: float = 0.0,
) -> tuple[float, float]:
    """95 % interval in percent: the wider end of Wilson and bootstrap, moved out by the measured bias.

    Parameters
    ----------
    part, total : int
        Observed cells.
    draws : pair of ndarray of shape (n,), optional
        Resampled part and total.
    bias_points : float
        Largest bias of the engine on a percentage, in points; see :func:`bias_at`.
    """
    low, high = wilson(part, total)
    if draws is not None and len(draws[0]):
        shares = 100 * draws[0] / np.maximum(draws[1], 1)
        ends = np.percentile(shares, (2.5, 97.5))
        low, high = min(low, float(ends[0])), max(high, float(ends[1]))
    bias = float(bias_at(np.float64(100 * part / max(total, 1)), bias_points))
    return max(low - bias, 0.0), min(high + bias, 100.0)


def multinomial_draws(
    columns: NDArray[np.int64], *, draws: int = DRAWS, seed: int = SEED
) -> NDArray[np.int64]:
    """Resample independent cells: tables of shape (draws, columns) with the same total."""
    total = int(columns.sum())
    if total == 0:
        return np.zeros((0, len(columns)), np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(total, columns / total, size=draws).astype(np.int64)


def tile_draws(tiles: NDArray[np.int64], *, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.int64]:
    """Resample whole tiles with replacement, so that neighbouring cells stay together.

    Each resample is scaled to as many tiles as there are.

    Parameters
    ----------
    tiles : ndarray of shape (tiles, columns)
        Cells of each occupied tile by column. One tile says nothing about spread: no draws.

    Returns
    -------
    ndarray of shape (draws, columns)
    """
    count = len(tiles)
    if count < 2:
        return np.zeros((0, tiles.shape[1]), np.int64)
    taken = _tiles_to_draw(count)
    rng = np.random.default_rng(seed)
    drawn = np.empty((draws, tiles.shape[1]), np.int64)
    step = max(_CHUNK // count, 1)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picked = rng.integers(0, count, size=(rows, taken)) + np.arange(rows)[:, None] * count
        times = np.bincount(picked.ravel(), minlength=rows * count).reshape(rows, count)
        sums = times.astype(np.float64) @ tiles.astype(np.float64)
        drawn[start : start + rows] = np.rint(sums * (count / taken))
    return drawn


def _tiles_to_draw(count: int) -> int:
    """How many of ``count`` tiles to draw so that the spread is Student's, not the normal law's.

    A bootstrap of few tiles is too narrow by the factor t / z * sqrt(n / (n - 1)); drawing fewer widens by
    the root of the number left out. The expansion of Student's quantile is Abramowitz and Stegun 26.7.5.
    """
    free, z = count - 1, _Z95
    student = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    widening = (student / z) ** 2 * count / free
    return max(round(count / widening), 1)


def bias_at(percent: NDArray[np.float64] | np.float64, bias_points: float) -> NDArray[np.float64]:
    """Bias to reckon with at a percentage: all of it from 10 to 90 %, less in proportion towards 0 and 100.

    An engine that mistakes a share of the cells of a kind mistakes few where there are few; a bias of
    some points at 10 % must not turn 0.1 % into some per cent. The ramp is a choice.
    """
    return bias_points * np.clip(np.minimum(percent, 100 - percent) / 10, 0, 1)


def shifted(rows: NDArray[np.int64], bias_points: float, *, seed: int = SEED) -> NDArray[np.int64]:
    """Let an engine that calls too strong or too weak by up to ``bias_points`` have been at work.

    In each row the shares of "this column or a stronger one" move up or down together, by one fraction
    of :func:`bias_at` that is drawn evenly between plus and minus all of it.
    """
    if bias_points <= 0 or not len(rows):
        return rows
    totals = rows.sum(axis=1, keepdims=True)
    fraction = np.random.default_rng(seed + 1).uniform(-1, 1, size=(len(rows), 1))
    at_least = rows[:, :0:-1].cumsum(axis=1)  # strongest first, without the unstained
    points = bias_at(100 * at_least / np.maximum(totals, 1), bias_points)
    moved = at_least + np.rint(fraction * points / 100 * totals).astype(np.int64)
    moved = np.maximum.accumulate(np.clip(moved, 0, totals), axis=1)
    return np.diff(np.concatenate([moved, totals], axis=1), axis=1, prepend=0)[:, ::-1]
