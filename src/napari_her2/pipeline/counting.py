"""Cells in numbers: those that count, and how else the same cells could be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells import ENGINE_BIAS_POINTS
from napari_her2.pipeline.limits import NEAR_FACTOR
from napari_her2.scoring import CellReading, SummarySettings, summarise_cells, widened
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.cells import CellSettings, CellTable
    from napari_her2.pipeline.gate import Gate
    from napari_her2.scoring import CellSummary

__all__ = ["count_cells", "in_doubt", "share_not_epithelial"]

STRONG: Final = CELL_CLASSES.index("3+")
MODERATE: Final = CELL_CLASSES.index("2+")
NOT_EPITHELIAL: Final = EXCLUDED_REASONS.index("not_epithelial")


def count_cells(
    cells: CellTable,
    um_per_px: float,
    settings: CellSettings,
    *,
    intensity_open: bool,
    judged: NDArray[np.bool_] | None = None,
) -> CellSummary:
    """Summarise the cells that count; what cannot be ruled out about them widens the intervals.

    Parameters
    ----------
    cells : CellTable
        With the gate and what people said applied.
    um_per_px : float
        Of the IHC.
    settings : CellSettings
    intensity_open : bool
        Whether the strongest membranes lie near *intense* and nothing calibrates it: then the limit may be
        :data:`~napari_her2.pipeline.limits.NEAR_FACTOR` lower or higher.
    judged : bool ndarray of shape (n,), optional
        Cells of which a person said what they are: nothing about them is in doubt.
    """
    points_um = cells.points_px * um_per_px
    known = np.zeros(len(cells), bool) if judged is None else judged
    summary = summarise_cells(
        cells.class_code,
        points_um[:, 0],
        points_um[:, 1],
        cells.evaluable,
        intense=cells.intensity_od >= settings.intense_od,
        settings=SummarySettings(engine_bias_points=ENGINE_BIAS_POINTS),
    )
    return widened(summary, points_um, tuple(_other_readings(cells, settings, known, intensity_open)))


def in_doubt(cells: CellTable, settings: CellSettings) -> NDArray[np.bool_]:
    """Whether a cell counts, but may be no invasive epithelium."""
    return np.asarray(cells.evaluable & (cells.epithelial < settings.epithelial_sure))


def share_not_epithelial(cells: CellTable, gate: Gate) -> float:
    """Share of the nuclei in the tumour area that are left out as no invasive epithelium, 0..1."""
    left_out = cells.select(cells.excluded == NOT_EPITHELIAL)
    there = int((gate.depth_at(left_out.points_px)[0] >= 0).sum()) if len(left_out) else 0
    return there / max(there + int(cells.evaluable.sum()), 1)


def _other_readings(
    cells: CellTable, settings: CellSettings, known: NDArray[np.bool_], intensity_open: bool
) -> Iterator[CellReading]:
    """Without the cells in doubt; and with *intense* beginning lower or higher."""
    doubted = in_doubt(cells, settings) & ~known
    sure = cells.evaluable & ~doubted
    if doubted.any() and sure.any():
        intense = cells.intensity_od >= settings.intense_od
        yield CellReading(class_code=cells.class_code, counted=sure, intense=intense)
    if not intensity_open:
        return
    for limit in (settings.intense_od / NEAR_FACTOR, settings.intense_od * NEAR_FACTOR):
        yield CellReading(
            class_code=_with_limit(cells, settings.intense_od, limit, known),
            counted=cells.evaluable,
            intense=cells.intensity_od >= limit,
        )


def _with_limit(cells: CellTable, usual: float, limit: float, known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Classes if *intense* began elsewhere; cells whose class is another's word than the engine's stay."""
    code, od = cells.class_code, cells.intensity_od
    raised = ~known & (code == MODERATE) & (od < usual) & (od >= limit)
    lowered = ~known & (code == STRONG) & (od >= usual) & (od < limit)
    return np.where(raised, STRONG, np.where(lowered, MODERATE, code)).astype(np.uint8)
