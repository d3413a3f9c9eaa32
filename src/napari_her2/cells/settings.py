"""What a person may change about the cell engine, with the values it was calibrated to."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    faint_factor : float
        By which all of that is multiplied, and what any staining must exceed; 1 unless a negative control
        asked for more.
    weak_od, moderate_od, intense_od : float
        Mean height of the stained line above its surroundings from which it is weak (a complete
        membrane is then 2+), moderate (an incomplete one is then unusual), intense.
    trace_share : float
        Share of that sharpness which is enough for a *trace*: a line that may be a membrane. Traces
        count in cells that are stained at all (:mod:`napari_her2.cells.faint`).
    complete_from, intense_complete_from : float
        Measured completeness from which a membrane counts as complete: a weak to moderate one (2+), an
        intense one (3+). Rays that miss the outline make the measured figure smaller than the true one.
    epithelial_from : float
        Score from which a nucleus is taken for invasive epithelium.
    max_growth_um : float
        How far a cell may reach beyond its nucleus (5..9).
    tile_px : int
        Edge of a tile in working pixels; the result does not depend on it.
    threads : int or None
        Tiles at once; None means as many as there are cores.
    """

    faint_od: float = 0.018
    grain_weight: float = 0.5
    level_weight: float = 0.165
    faint_factor: float = 1.0
    trace_share: float = 0.71
    weak_od: float = 0.18
    moderate_od: float = 0.32
    intense_od: float = 0.66
    complete_from: float = 0.58
    intense_complete_from: float = 0.4
    epithelial_from: float = 0.5
    max_growth_um: float = 8.0
    tile_px: int = 2048
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.faint_od < self.weak_od <= self.moderate_od < self.intense_od:
            raise ValueError(
                "densities must rise: 0 < faint_od < weak_od <= moderate_od < intense_od, got "
                f"{self.faint_od}, {self.weak_od}, {self.moderate_od}, {self.intense_od}"
            )
        if not (0 < self.intense_complete_from <= self.complete_from <= 1 and 0 < self.trace_share <= 1):
            raise ValueError(
                "0 < intense_complete_from <= complete_from <= 1 and 0 < trace_share <= 1 must hold, got "
                f"{self.intense_complete_from}, {self.complete_from}, {self.trace_share}"
            )
        if not 2 <= self.max_growth_um <= 12:
            raise ValueError(f"max_growth_um must lie in 2..12, got {self.max_growth_um}")
        if self.tile_px < 256:
            raise ValueError(f"tile_px must be at least 256, got {self.tile_px}")

    def at(self, um_per_px: float) -> CellSettings:
        """Return the settings for coarser pixels than 0.25 um, which flatten lines.

        The factors were measured on phantoms averaged to 0.3 to 1 um/px: sharpness falls to 0.84 at
        0.5 um/px and 0.52 at 1 um/px, height to 0.94 and 0.8.
        """
        excess = max(um_per_px - 0.25, 0.0)
        sharpness, height = 1 - 0.64 * excess, 1 - 0.26 * excess
        return replace(
            self,
            faint_factor=self.faint_factor * sharpness,
            weak_od=self.weak_od * height,
            moderate_od=self.moderate_od * height,
            intense_od=self.intense_od * height,
        )

    def faint_at(self, grain_od: float, level_od: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sharpness that a membrane needs on a slide with that grain, in cells with that cytoplasm.

        Parameters
        ----------
        grain_od : float
        level_od : ndarray of shape (cells,)
        """
        level = np.clip(level_od, 0.0, HIGHEST_LEVEL_OD)
        needed = self.faint_od + self.grain_weight * grain_od + self.level_weight * level
        return (self.faint_factor * np.maximum(needed, LEAST_FAINT_OD)).astype(np.float32)
