"""What a person may change about the cell engine, with the values it was calibrated to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COARSEST_FAINT_UM_PER_PX", "COARSEST_UM_PER_PX", "CellSettings"]

COARSEST_FAINT_UM_PER_PX: Final = 0.6
"""Above this pixel size a faint membrane (0.64 um wide) is blurred away: 0 and 1+ are not told apart."""

COARSEST_UM_PER_PX: Final = 1.1
"""Above this pixel size membranes cannot be seen at all."""

LEAST_FAINT_OD: Final = 0.024
HIGHEST_LEVEL_OD: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSettings:
    """Settings of the cell engine; densities in log10 OD, lengths in micrometres.

    Attributes
    ----------
    faint_od, grain_weight, level_weight : float
        Sharpness of a line (its DAB above what lies right beside it) from which it is a membrane:
        ``faint_od + grain_weight * grain + level_weight * level``, with the grain of the slide's
        unstained cytoplasm and the level of the cell's own. Grain alone stays below it 19 times of 20.
    moderate_od, intense_od : float
        Mean height of the stained line above its surroundings from which it is moderate, intense.
    trace_share : float
        Share of that sharpness which is enough for a *trace*: a line that may be a membrane.
    stained_from, complete_from : float
        Completeness from which a membrane is stained at all (1+) and complete (2+, 3+).
    company_from, traced_from : float
        Where this share of a cell's neighbours is stained, traces are believed, and completeness
        from ``traced_from`` is stained: faint membranes come in populations, false ones alone.
    epithelial_from : float
        Score from which a nucleus is taken for invasive epithelium.
    max_growth_um : float
        How far a cell may reach beyond its nucleus (5..9).
    tile_px : int
        Edge of a tile in working pixels; the result does not depend on it.
    threads : int or None
        Tiles at once; None means as many as there are cores.
    """

    faint_od: float = 0.016
    grain_weight: float = 0.4
    level_weight: float = 0.18
    trace_share: float = 0.75
    moderate_od: float = 0.236
    intense_od: float = 0.65
    stained_from: float = 0.17
    complete_from: float = 0.7
    company_from: float = 0.3
    traced_from: float = 0.05
    epithelial_from: float = 0.5
    max_growth_um: float = 8.0
    tile_px: int = 2048
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.faint_od < self.moderate_od < self.intense_od:
            raise ValueError(
                "densities must rise: 0 < faint_od < moderate_od < intense_od, got "
                f"{self.faint_od}, {self.moderate_od}, {self.intense_od}"
            )
        if not 0 < self.stained_from < self.complete_from <= 1:
            raise ValueError(
                "completeness must rise: 0 < stained_from < complete_from <= 1, got "
                f"{self.stained_from}, {self.complete_from}"
            )
        if not (0 < self.trace_share <= 1 and 0 < self.traced_from <= self.stained_from):
            raise ValueError(
                "a trace is less than a membrane: trace_share in (0, 1], traced_from in (0, stained_from], "
                f"got {self.trace_share}, {self.traced_from}"
            )
        if not 2 <= self.max_growth_um <= 12:
            raise ValueError(f"max_growth_um must lie in 2..12, got {self.max_growth_um}")
        if self.tile_px < 256:
            raise ValueError(f"tile_px must be at least 256, got {self.tile_px}")

    def faint_at(self, grain_od: float, level_od: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sharpness that a membrane needs on a slide with that grain, in cells with that cytoplasm.

        Parameters
        ----------
        grain_od : float
        level_od : ndarray of shape (cells,)
        """
        level = np.clip(level_od, 0.0, HIGHEST_LEVEL_OD)
        needed = self.faint_od + self.grain_weight * grain_od + self.level_weight * level
        return np.maximum(needed, LEAST_FAINT_OD).astype(np.float32)
