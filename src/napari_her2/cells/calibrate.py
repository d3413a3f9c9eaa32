"""Thresholds from control tissue on the same glass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.detect import detect_cells
from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from napari_her2.cells.planes import TileStain
    from napari_her2.cells.settings import CellSettings
    from napari_her2.cells.table import CellTable
    from napari_her2.events import Steps
    from napari_her2.geometry import Box
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["calibrate"]

FEWEST_CELLS: Final = 20
POSITIVE_OD: Final = 1.2
"""Median intensity of 3+ cells on the real core that the default thresholds belong to."""

FACTOR: Final = (0.6, 1.6)
STRICTER: Final = (1.0, 1.25, 1.6, 2.0)
ACCEPTED_FALSE: Final = 0.02


def calibrate(
    slide: Slide,
    settings: CellSettings,
    *,
    positive: Box | None = None,
    negative: Box | None = None,
    mask: TissueMask | None = None,
    stain: TileStain | None = None,
) -> Steps[CellSettings]:
    """Adapt the thresholds to control tissue.

    A 3+ control scales the densities that part weak, moderate and intense (by 0.6 to 1.6). A 0
    control raises what counts as faint until at most 2 % of its cells are stained (by up to 2).
    The image itself is never changed.

    Parameters
    ----------
    slide : Slide
    settings : CellSettings
        Where to start.
    positive, negative : Box or None
        Level-0 regions of 3+ and of 0 control tissue.
    mask, stain
        As :func:`detect_cells` takes them; measured within each region where None.

    Returns
    -------
    CellSettings

    Raises
    ------
    UsageError
        If a control region holds fewer than 20 epithelial cells.
    """
    if positive is not None:
        cells = yield from detect_cells(slide, positive, mask=mask, settings=settings, stain=stain)
        settings = _scaled(_enough(cells, "3+"), settings)
    if negative is not None:
        settings = yield from _stricter(slide, negative, settings, mask, stain)
    return settings


def _enough(cells: CellTable, name: str) -> CellTable:
    counted = cells.select(cells.evaluable)
    if len(counted) < FEWEST_CELLS:
        raise UsageError(
            f"the {name} control region holds {len(counted)} epithelial cells, at least {FEWEST_CELLS} are "
            "needed: draw a larger region"
        )
    return counted


def _scaled(cells: CellTable, settings: CellSettings) -> CellSettings:
    complete = cells.intensity_od[cells.completeness >= settings.complete_from]
    if len(complete) < FEWEST_CELLS:
        return settings
    factor = float(np.clip(np.median(complete) / POSITIVE_OD, *FACTOR))
    names = ("weak_od", "moderate_od", "intense_od")
    return replace(settings, **{name: getattr(settings, name) * factor for name in names})


def _stricter(
    slide: Slide, region: Box, settings: CellSettings, mask: TissueMask | None, stain: TileStain | None
) -> Steps[CellSettings]:
    for factor in STRICTER:
        trial = replace(settings, faint_factor=settings.faint_factor * factor)
        cells = yield from detect_cells(slide, region, mask=mask, settings=trial, stain=stain)
        if (_enough(cells, "0").class_code != 0).mean() <= ACCEPTED_FALSE:
            break
    return trial
