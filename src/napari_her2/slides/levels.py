"""Which stored images form a pyramid, how much each shrinks, and which levels are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.slides.source import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Level", "computed_grids", "downsample_between", "pyramid_indices"]

COMPUTE_ABOVE_PX = 4096  # a coarsest stored level longer than this gets computed ones below it ...
COMPUTE_UNTIL_PX = 2048  # ... until the longest side is at most this
COMPUTED_TILE_PX = 512


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a slide's pyramid.

    Attributes
    ----------
    index : int
        0 is the finest.
    shape : tuple of int
        (rows, cols) of the level.
    downsample : float
        Level-0 pixels per pixel of this level; all levels share the top left corner.
    um_per_px : float or None
        None while the slide has no pixel size.
    stored : bool
        False if the level is not in the file but computed from the next finer one.
    """

    index: int
    shape: tuple[int, int]
    downsample: float
    um_per_px: float | None
    stored: bool = True


def downsample_between(full: tuple[int, int], small: tuple[int, int]) -> float:
    """Level-0 pixels per pixel of a level, from the two shapes.

    Writers that shrink by a whole number round the size: 5013 rows become 156 at a factor of 32.
    A power of two, or else the nearest whole number, is therefore taken where both sides agree with it
    to within that rounding; otherwise the ratio of the sizes holds.

    Parameters
    ----------
    full, small : tuple of int
        (rows, cols) of level 0 and of the level.
    """
    ratio = sum(full) / sum(small)
    power = 2 ** max((round(ratio) - 1).bit_length(), 0)
    for whole in (power, power // 2, round(ratio)):
        if whole > 0 and all(abs(s * whole - f) < whole for f, s in zip(full, small, strict=True)):
            return float(whole)
    return ratio


def _fits(full: tuple[int, int], small: tuple[int, int]) -> bool:
    """Whether a level has the aspect of level 0, to within 2 of its pixels."""
    factor = downsample_between(full, small)
    return all(abs(s - f / factor) <= 2 for f, s in zip(full, small, strict=True))


def pyramid_indices(shapes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the indices of the shapes that form a pyramid: the first and those that shrink with it.

    Parameters
    ----------
    shapes : sequence of (rows, cols)
        Level 0 first.
    """
    kept = [0]
    for index, shape in enumerate(shapes[1:], start=1):
        last = shapes[kept[-1]]
        if shape[0] < last[0] and shape[1] < last[1] and min(shape) > 0 and _fits(shapes[0], shape):
            kept.append(index)
    return tuple(kept)


def computed_grids(coarsest: tuple[int, int]) -> tuple[Grid, ...]:
    """Grids of the levels to compute below the coarsest stored one, each half as large.

    Parameters
    ----------
    coarsest : tuple of int
        (rows, cols) of the coarsest stored level.
    """
    if max(coarsest) <= COMPUTE_ABOVE_PX:
        return ()
    grids: list[Grid] = []
    rows, cols = coarsest
    while max(rows, cols) > COMPUTE_UNTIL_PX and min(rows, cols) > 1:
        rows, cols = -(-rows // 2), -(-cols // 2)
        grids.append(Grid((rows, cols), (COMPUTED_TILE_PX, COMPUTED_TILE_PX)))
    return tuple(grids)
