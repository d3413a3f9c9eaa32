"""What each ray sees of a membrane, and the borders between neighbours that rays add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.lines import along_best, responses
from napari_her2.cells.polar import (
    ACROSS,
    BESIDE_UM,
    RAYS,
    STEP_UM,
    STEPS,
    Rasters,
    cross_sections,
    follow,
    ridge,
    sharpness,
    unroll,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Borders", "Rays", "borders_of", "measure_rays", "stained_rays"]

CHUNK: Final = 192
"""Cells unrolled at once: keeps memory small and the data in the cache."""

HALF_LINE_UM: Final = 1.25
AWAY_UM: Final = (1.25, 2.75)
NEIGHBOUR_UM: Final = (1.25, 2.0, 3.0)
FOOT: Final = 0.6
SHORTEST_RUN: Final = 5
LONGEST_GAP: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """One entry per cell and ray, (cells, 72).

    Attributes
    ----------
    sharpness_od : float32
        DAB of the line above what lies right beside it; near 0 where there is no line.
    height_od : float32
        DAB of the line above the greater mean of both sides at 1.25 to 2.75 um.
    excess_od : float32
        DAB of the line above the cell's cytoplasm.
    mass : float32
        DAB across the line above the cell's cytoplasm, log10 OD x um. Blur spreads a thin line but
        keeps its mass.
    width_um : float32
        Full width at half height.
    neighbour : int32
        Label of the cell on the far side; 0 if there is none.
    response_od : float32
        Answer of the line to :func:`~napari_her2.cells.lines.responses`, on a path of its own.
    level_od : float32 (cells,)
        DAB of the cytoplasm on both sides of the line, median over the rays.
    bright_od : float32 (cells,)
        The same answer for the best *bright* line, its upper quartile: what grain alone can feign.
    """

    sharpness_od: NDArray[np.float32]
    height_od: NDArray[np.float32]
    excess_od: NDArray[np.float32]
    mass: NDArray[np.float32]
    width_um: NDArray[np.float32]
    response_od: NDArray[np.float32]
    neighbour: NDArray[np.int32]
    level_od: NDArray[np.float32]
    bright_od: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: list[Rays]) -> Rays:
        """Rays of several chunks of cells."""
        if not parts:
            none, empty = np.empty(0, np.float32), np.empty((0, RAYS), np.float32)
            floats = dict.fromkeys(cls.__slots__[:-3], empty)
            return cls(**floats, neighbour=empty.astype(np.int32), level_od=none, bright_od=none)
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.__slots__})


def measure_rays(
    rasters: Rasters, centres: NDArray[np.float64], names: NDArray[np.int32], growth_um: float
) -> Rays:
    """Follow the membrane of each cell and measure it on each ray."""
    starts = range(0, len(centres), CHUNK)
    parts = [slice(start, start + CHUNK) for start in starts]
    return Rays.joined([_measure(rasters, centres[p], names[p], growth_um) for p in parts])


def _measure(
    rasters: Rasters, centres: NDArray[np.float64], names: NDArray[np.int32], growth_um: float
) -> Rays:
    seen = unroll(rasters, centres, names, growth_um)
    line = follow(ridge(seen.brown), seen.allowed)
    dark, bright = responses(seen.brown)
    across = cross_sections(rasters.brown, rasters.um_per_px, centres, line)
    peak = across[..., ACROSS]
    beside = np.maximum(*_flanks(across, BESIDE_UM, np.max))
    inner, outer = _flanks(across, AWAY_UM, np.mean)
    away = np.maximum(inner, outer)
    sharp = sharpness(peak, beside, away)
    cytoplasm = np.median(inner, axis=1)
    return Rays(
        sharpness_od=(sharp + np.roll(sharp, 1, axis=1) + np.roll(sharp, -1, axis=1)) * np.float32(1 / 3),
        height_od=peak - away,
        excess_od=peak - cytoplasm[:, None],
        mass=_mass(across, cytoplasm, outer),
        width_um=_width(across, peak - 0.5 * (peak - away)),
        neighbour=_beyond(seen.territory, line, names),
        response_od=along_best(dark, seen.allowed),
        level_od=np.median(away, axis=1),
        bright_od=np.percentile(along_best(bright, seen.allowed), 75, axis=1).astype(np.float32),
    )


def _flanks(
    across: NDArray[np.float32], span_um: tuple[float, float], of: Callable[..., NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``of`` (mean or maximum) over a span on the nucleus' side of the line, and on the far side."""
    near, far = (round(length / STEP_UM) for length in span_um)
    inner = of(across[..., ACROSS - far : ACROSS - near + 1], axis=2)
    return inner, of(across[..., ACROSS + near : ACROSS + far + 1], axis=2)


def _mass(
    across: NDArray[np.float32], cytoplasm: NDArray[np.float32], outer: NDArray[np.float32]
) -> NDArray[np.float32]:
    """DAB across the line: its inner half above the cytoplasm, its outer half above what lies outside."""
    half = round(HALF_LINE_UM / STEP_UM)
    level = cytoplasm[:, None]
    inside = across[..., ACROSS - half : ACROSS].sum(axis=2) - half * level
    outside = across[..., ACROSS + 1 : ACROSS + half + 1].sum(axis=2) - half * np.minimum(level, outer)
    return np.asarray(np.maximum(inside + outside + across[..., ACROSS] - level, 0) * STEP_UM)


def _width(across: NDArray[np.float32], half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Full width at half height, counted in steps."""
    above = across > half[..., None]
    right = np.logical_and.accumulate(above[..., ACROSS:], axis=2).sum(axis=2)
    left = np.logical_and.accumulate(above[..., ACROSS::-1], axis=2).sum(axis=2)
    return np.asarray((right + left - 1) * STEP_UM, np.float32)


def _beyond(
    territory: NDArray[np.int32], line: NDArray[np.intp], names: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Whose territory lies on the far side of the line; the cell's own name counts as nobody's."""
    found = np.zeros(line.shape, np.int32)
    for distance in NEIGHBOUR_UM:
        at = np.minimum(line + round(distance / STEP_UM), STEPS - 1)[..., None]
        there = np.take_along_axis(territory, at, axis=2)[..., 0]
        found = np.where((found == 0) & (there != names[:, None]), there, found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Borders:
    """The rays of a cell grouped by the neighbour they look at; one entry per (cell, neighbour).

    Attributes
    ----------
    cell, neighbour : int64
        Row of the cell and of its neighbour in the table of cells; -1 where nobody is beyond.
    rays, stained, traced : float32
        Number of rays, of those that surely carry a membrane, and of those that may carry one.
    mass, response_od : float32
        Means over all rays.
    height_od, width_um : float32
        Means over the traced rays; 0 without.
    """

    cell: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    rays: NDArray[np.float32]
    stained: NDArray[np.float32]
    traced: NDArray[np.float32]
    mass: NDArray[np.float32]
    response_od: NDArray[np.float32]
    height_od: NDArray[np.float32]
    width_um: NDArray[np.float32]

    def per_cell(self, values: NDArray[np.floating], count: int) -> NDArray[np.float64]:
        """Sum the values of the borders of each of ``count`` cells."""
        return np.asarray(np.bincount(self.cell, values, minlength=count), np.float64)

    def of_neighbours(self, values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum the neighbours' values, weighted by the rays that look at them, and those rays, per cell."""
        known = self.neighbour >= 0
        rays = np.where(known, self.rays, 0).astype(np.float64)
        theirs = np.where(known, values[self.neighbour], 0)
        return self.per_cell(rays * theirs, len(values)), self.per_cell(rays, len(values))


def stained_rays(rays: Rays, faint_od: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which rays carry a membrane, (cells, 72); ``faint_od`` is each cell's own threshold.

    Neighbouring rays form a run from two thirds of ``faint_od``; a run counts if it is at least five
    rays long (about 2.5 um) and as sharp as ``faint_od`` on average. Then gaps of up to five rays
    between runs are bridged where the line stays half as dense as beside the gap: corners, where
    three membranes meet, are dense but not sharp.
    """
    candidate = rays.sharpness_od > FOOT * faint_od[:, None]
    candidate = _bridged(candidate, rays.sharpness_od > 0, 1)
    run, length = _runs(candidate)
    mean = np.bincount(run.ravel(), rays.sharpness_od.ravel()) / length
    needed = np.zeros(len(length))
    needed[run] = faint_od[:, None]
    counts = (length >= SHORTEST_RUN) & (mean > needed)
    stained = counts[run] & candidate
    level = np.where(stained, rays.excess_od, 0).sum(axis=1) / np.maximum(stained.sum(axis=1), 1)
    return _bridged(stained, rays.excess_od > 0.5 * level[:, None], LONGEST_GAP)


def _bridged(on: NDArray[np.bool_], may: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Fill gaps of up to ``longest`` rays that lie between rays and where all rays may be filled."""
    off = ~on
    run, length = _runs(off)
    allowed = np.bincount(run.ravel(), (may | on).ravel()) >= length
    some = on.any(axis=1, keepdims=True)
    return np.asarray(on | (off & allowed[run] & (length[run] <= longest) & some))


def _runs(on: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each ray the number of its circular run and the lengths of the runs by number."""
    number = np.cumsum(on & ~np.roll(on, 1, axis=1), axis=1)
    number = np.where(number == 0, number[:, -1:], number)
    run = np.where(on, number, 0) + (np.arange(len(on)) * (RAYS + 1))[:, None]
    return run, np.maximum(np.bincount(run.ravel()), 1)


def borders_of(rays: Rays, faint_od: NDArray[np.floating], trace_share: float) -> Borders:
    """Group rays; ``cell`` is the row in ``rays``, ``neighbour`` still the label that was seen.

    Parameters
    ----------
    rays : Rays
    faint_od : ndarray of shape (cells,)
        Sharpness from which a membrane is sure.
    trace_share : float
        Share of it from which one is possible.
    """
    count = len(rays.mass)
    base = int(rays.neighbour.max(initial=0)) + 1
    key = np.arange(count, dtype=np.int64)[:, None] * base + rays.neighbour
    names, of = np.unique(key.ravel(), return_inverse=True)
    stained, traced = stained_rays(rays, faint_od), stained_rays(rays, trace_share * faint_od)
    traced = traced | stained

    def total(values: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(of, values.ravel(), minlength=len(names)), np.float64)

    n, k = total(np.ones_like(key)), total(traced)
    columns = {
        "rays": n,
        "stained": total(stained),
        "traced": k,
        "mass": total(rays.mass) / n,
        "response_od": total(rays.response_od) / n,
        "height_od": total(rays.height_od * traced) / np.maximum(k, 1),
        "width_um": total(rays.width_um * traced) / np.maximum(k, 1),
    }
    floats = {name: values.astype(np.float32) for name, values in columns.items()}
    return Borders(cell=names // base, neighbour=names % base, **floats)
