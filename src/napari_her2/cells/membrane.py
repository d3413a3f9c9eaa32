"""What each ray sees of a membrane, and the borders between neighbours that rays add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.lines import along_best, responses
from napari_her2.cells.polar import (
    ACROSS,
    RAYS,
    STEP_UM,
    STEPS,
    Rasters,
    cross_sections,
    follow,
    ridge,
    unroll,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Borders", "Rays", "borders_of", "measure_rays"]

CHUNK: Final = 192
"""Cells unrolled at once: keeps memory small and the data in the cache."""

HALF_LINE_UM: Final = 1.25
AWAY_UM: Final = (1.25, 2.75)
NEIGHBOUR_UM: Final = (1.25, 2.0, 3.0)
UPPER_PERCENTILE: Final = 75
TRACED: Final = 0.5
LEAST_TRACED_OD: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """One entry per cell and ray, (cells, 72).

    Attributes
    ----------
    height_od : float32
        DAB of the line above the greater mean of both sides at 1.25 to 2.75 um.
    mass : float32
        DAB across the line above the cell's cytoplasm, log10 OD x um. Blur spreads a thin line but
        keeps its mass.
    width_um : float32
        Full width at half height.
    response_od : float32
        Answer of the line to :func:`~napari_her2.cells.lines.responses`, on a path of its own.
    neighbour : int32
        Label of the cell on the far side; 0 if there is none.
    level_od : float32 (cells,)
        DAB of the cytoplasm on both sides of the line, median over the rays.
    bright_od : float32 (cells,)
        The same answer for the best *bright* line, its upper quartile: what grain alone can feign.
    """

    height_od: NDArray[np.float32]
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
    inner, outer = _flanks(across)
    away = np.maximum(inner, outer)
    return Rays(
        height_od=across[..., ACROSS] - away,
        mass=_mass(across, np.median(inner, axis=1), outer),
        width_um=_width(across, 0.5 * (across[..., ACROSS] + away)),
        neighbour=_beyond(seen.territory, line, names),
        response_od=along_best(dark, seen.allowed),
        level_od=np.median(away, axis=1),
        bright_od=np.percentile(along_best(bright, seen.allowed), 75, axis=1).astype(np.float32),
    )


def _flanks(across: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean over 1.25 to 2.75 um on the nucleus' side of the line, and on the far side."""
    near, far = (round(length / STEP_UM) for length in AWAY_UM)
    inner = across[..., ACROSS - far : ACROSS - near + 1].mean(axis=2)
    return inner, across[..., ACROSS + near : ACROSS + far + 1].mean(axis=2)


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
    rays, lined, traced : float32
        Number of rays; of those whose line is as high as a weak membrane's; of those whose line is at
        least half as high as the upper quartile of the cell's own outline.
    mass, response_od : float32
        Means over all rays.
    width_um : float32
        Mean over the traced rays; 0 without.
    """

    cell: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    rays: NDArray[np.float32]
    lined: NDArray[np.float32]
    traced: NDArray[np.float32]
    mass: NDArray[np.float32]
    response_od: NDArray[np.float32]
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


def borders_of(rays: Rays, weak_od: float) -> Borders:
    """Group rays; ``cell`` is the row in ``rays``, ``neighbour`` still the label that was seen.

    Parameters
    ----------
    rays : Rays
    weak_od : float
        Response from which a ray's line is a weak membrane on this slide, log10 OD.
    """
    count = len(rays.mass)
    base = int(rays.neighbour.max(initial=0)) + 1
    key = np.arange(count, dtype=np.int64)[:, None] * base + rays.neighbour
    names, of = np.unique(key.ravel(), return_inverse=True)
    own = np.percentile(rays.response_od, UPPER_PERCENTILE, axis=1)[:, None] if count else np.empty((0, 1))
    traced = rays.response_od >= np.maximum(TRACED * own, LEAST_TRACED_OD)

    def total(values: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(of, values.ravel(), minlength=len(names)), np.float64)

    n, k = total(np.ones_like(key)), total(traced)
    columns = {
        "rays": n,
        "lined": total(rays.response_od >= weak_od),
        "traced": k,
        "mass": total(rays.mass) / n,
        "response_od": total(rays.response_od) / n,
        "width_um": total(rays.width_um * traced) / np.maximum(k, 1),
    }
    floats = {name: values.astype(np.float32) for name, values in columns.items()}
    return Borders(cell=names // base, neighbour=names % base, **floats)
