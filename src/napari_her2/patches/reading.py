"""From a slide's pyramid to the pixels of one patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.errors import SlideError
from napari_her2.slides.resample import resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.patches.grid import PatchGrid
    from napari_her2.slides import Slide

__all__ = ["FINE_ENOUGH", "SLACK", "ReadPlan", "plan_read", "read_patch"]

FINE_ENOUGH = 0.02
"""A level may be coarser than wanted by this fraction."""
SLACK = 0.15
"""So may a whole slide: 40x scanners have 0.22 to 0.27 µm/px, and a 20x scan must not pass for one."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How patches are read.

    Attributes
    ----------
    level : int
        Pyramid level to read.
    step : float
        Pixels of that level along the side of a model pixel; below 1 the slide is enlarged a little.
    """

    level: int
    step: float


def plan_read(
    level_um: Sequence[float], wanted_um: float, *, name: str = "the slide", coarsest_um: float | None = None
) -> ReadPlan:
    """Coarsest level that is fine enough.

    Parameters
    ----------
    level_um : sequence of float
        µm/px of the levels, the finest first.
    wanted_um : float
        µm/px that the model was trained at.
    name : str
        Of the slide, for the message.
    coarsest_um : float, optional
        µm/px of the coarsest slide that may be enlarged; by default 15 % above ``wanted_um``.

    Raises
    ------
    SlideError
        If the finest level is too coarse.
    """
    finest = level_um[0]
    limit = wanted_um * (1 + SLACK) if coarsest_um is None else coarsest_um
    if finest > limit:
        raise SlideError(
            f"{name} has {finest:.4g} um/px, too coarse for a model of {wanted_um:.4g} um/px (up to "
            f"{limit:.4g} is accepted): scan it at a higher magnification or choose a coarser model"
        )
    fine = [k for k, um in enumerate(level_um) if um <= wanted_um * (1 + FINE_ENOUGH)]
    level = max(fine, key=lambda k: level_um[k], default=0)
    return ReadPlan(level, wanted_um / level_um[level])


def read_patch(slide: Slide, grid: PatchGrid, plan: ReadPlan, row: int, col: int) -> NDArray[np.uint8]:
    """Pixels of one patch at exactly the model's µm/px.

    Returns
    -------
    ndarray of shape (size_px, size_px, 3), uint8
        Beyond the slide it is the slide's white.
    """
    scale = 1 / slide.levels[plan.level].downsample
    top, left = (float(v) * scale for v in grid.starts((row, col))[0])
    size = (grid.size_px, grid.size_px)
    step = (plan.step, plan.step)
    return resample(lambda box: slide.read_level(box, plan.level), (top, left), step, size)
