"""What each ray sees of a membrane, and the borders between neighbours that rays add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.polar import RAYS, STEP_UM, STEPS, Rasters, follow, ridge, unroll

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Borders", "Rays", "borders_of", "measure_rays", "stained_rays"]

CHUNK: Final = 192
"""Cells unrolled at once: keeps memory small and the data in the cache."""

HALF_LINE_UM: Final = 1.25
NEIGHBOUR_UM: Final = (1.25, 2.0, 3.0)
FOOT: Final = 0.65
SHORTEST_RUN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """One entry per cell and ray, (cells, 72).

    Attributes
    ----------
    height_od : float32
        DAB of the line above the higher of its two flanks; noise around 0 where there is none.
    peak_od : float32
        DAB on the line.
    mass : float32
        DAB across the line above the cell's cytoplasm, log10 OD x um. Blur spreads a thin line but
        keeps its mass.
    width_um : float32
        Full width at half height.
    neighbour : int32
        Label of the cell on the far side; 0 if there is none.
    """

    height_od: NDArray[np.float32]
    peak_od: NDArray[np.float32]
    mass: NDArray[np.float32]
    width_um: NDArray[np.float32]
    neighbour: NDArray[np.int32]

    @classmethod
    def joined(cls, parts: list[Rays]) -> Rays:
        """Rays of several chunks of cells."""
        if not parts:
            empty = np.empty((0, RAYS), np.float32)
            return cls(
                height_od=empty, peak_od=empty, mass=empty, width_um=empty, neighbour=empty.astype(np.int32)
            )
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
    inner, outer = ridge(seen.brown)
    height = seen.brown - np.maximum(inner, outer)
    height = (height + np.roll(height, 1, axis=1) + np.roll(height, -1, axis=1)) * np.float32(1 / 3)
    line = follow(height, seen.allowed)

    def on_line(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.take_along_axis(values, line[..., None], axis=2)[..., 0]

    cytoplasm = np.median(on_line(inner), axis=1)
    return Rays(
        height_od=on_line(height),
        peak_od=on_line(seen.brown),
        mass=_mass(seen.brown, line, cytoplasm),
        width_um=_width(seen.brown, line, on_line(np.maximum(inner, outer))),
        neighbour=_beyond(seen.territory, line, names),
    )


def _around(line: NDArray[np.intp], reach_um: float) -> NDArray[np.intp]:
    reach = round(reach_um / STEP_UM)
    return np.clip(line[..., None] + np.arange(-reach, reach + 1), 0, STEPS - 1)


def _mass(
    brown: NDArray[np.float32], line: NDArray[np.intp], cytoplasm: NDArray[np.float32]
) -> NDArray[np.float32]:
    across = np.take_along_axis(brown, _around(line, HALF_LINE_UM), axis=2)
    return np.asarray(np.maximum(across.sum(axis=2) - across.shape[2] * cytoplasm[:, None], 0) * STEP_UM)


def _width(
    brown: NDArray[np.float32], line: NDArray[np.intp], flank: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Full width at half height above the flank, counted in steps."""
    across = np.take_along_axis(brown, _around(line, 2.0), axis=2)
    middle = across.shape[2] // 2
    above = across > (0.5 * (across[..., middle] + flank))[..., None]
    right = np.logical_and.accumulate(above[..., middle:], axis=2).sum(axis=2)
    left = np.logical_and.accumulate(above[..., middle::-1], axis=2).sum(axis=2)
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
    rays, stained : float32
        Number of rays, and of those with a ridge.
    mass : float32
        Mean mass over all rays.
    height_od, width_um : float32
        Means over the stained rays; 0 without.
    """

    cell: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    rays: NDArray[np.float32]
    stained: NDArray[np.float32]
    mass: NDArray[np.float32]
    height_od: NDArray[np.float32]
    width_um: NDArray[np.float32]


def stained_rays(height_od: NDArray[np.float32], faint_od: float) -> NDArray[np.bool_]:
    """Which rays carry a membrane: runs of neighbouring rays, long and high enough together.

    A ray belongs to a run from two thirds of ``faint_od``; gaps of one or two rays (corners, where
    three cells meet) are bridged unless the line sinks below its flanks. A run counts if it is
    at least five rays long (about 2.5 um) and ``faint_od`` high on average.
    """
    candidate = height_od > FOOT * faint_od
    bridged = candidate.copy()
    for before, after in ((1, 1), (1, 2), (2, 1)):
        gap = np.roll(candidate, before, axis=1) & np.roll(candidate, -after, axis=1)
        bridged |= gap & (height_od > 0)
    number = np.cumsum(bridged & ~np.roll(bridged, 1, axis=1), axis=1)
    number = np.where(number == 0, number[:, -1:], number)
    run = (np.where(bridged, number, 0) + (np.arange(len(number)) * (RAYS + 1))[:, None]).ravel()
    length = np.maximum(np.bincount(run), 1)
    mean = np.bincount(run, height_od.ravel()) / length
    counts = (length >= SHORTEST_RUN) & (mean > faint_od)
    return np.asarray(counts[run].reshape(bridged.shape) & bridged)


def borders_of(rays: Rays, faint_od: float) -> Borders:
    """Group rays; ``cell`` is the row in ``rays``, ``neighbour`` still the label that was seen."""
    count, per = rays.height_od.shape
    far = rays.neighbour.astype(np.int64)
    key = (np.arange(count, dtype=np.int64)[:, None] * (int(far.max(initial=0)) + 1) + far).ravel()
    names, of = np.unique(key, return_inverse=True)
    base = int(far.max(initial=0)) + 1
    stained = stained_rays(rays.height_od, faint_od).ravel().astype(np.float64)

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(of, values, minlength=len(names)), np.float64)

    n, k = total(np.ones(count * per)), total(stained)
    some = np.maximum(k, 1)
    return Borders(
        cell=names // base,
        neighbour=names % base,
        rays=n.astype(np.float32),
        stained=k.astype(np.float32),
        mass=(total(rays.mass.ravel()) / n).astype(np.float32),
        height_od=(total(rays.height_od.ravel() * stained) / some).astype(np.float32),
        width_um=(total(rays.width_um.ravel() * stained) / some).astype(np.float32),
    )
