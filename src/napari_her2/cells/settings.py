"""What a person may change about the cell engine, with the values it was calibrated to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["COARSEST_FAINT_UM_PER_PX", "COARSEST_UM_PER_PX", "CellSettings"]

COARSEST_FAINT_UM_PER_PX: Final = 0.6
"""Above this pixel size a faint membrane (0.64 um wide) is blurred away: 0 and 1+ are not told apart."""

COARSEST_UM_PER_PX: Final = 1.1
"""Above this pixel size membranes cannot be seen at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSettings:
    """Settings of the cell engine; densities in log10 OD, lengths in micrometres.

    Attributes
    ----------
    faint_factor : float
        By which any staining must stand out more than usual; 1 unless a negative control asked for more.
    weak_od : float
        Response (:mod:`napari_her2.cells.lines`) from which a ray's line is a weak membrane there. This and
        the heights are on the scale of a slide whose DAB-free nuclei have
        :data:`~napari_her2.cells.planes.USUAL_NUCLEUS_OD`: absolute densities do not carry over between
        scanners.
    moderate_od, intense_od : float
        Upper quartile of the height of a cell's line from which it is moderate (an incomplete one is then
        unusual) and intense.
    complete_from : float
        Share of the rays that must show a line for a membrane to count as complete. Rays at corners and
        where the line leaves the focus miss it, so that a whole membrane measures less than 1.
    epithelial_from, epithelial_sure : float
        Probability from which a nucleus is taken for invasive epithelium, and from which there is no doubt
        about it: cells between count, and widen the intervals.
    max_growth_um : float
        How far a cell may reach beyond its nucleus (5..9).
    tile_px : int
        Edge of a tile in working pixels; the result does not depend on it.
    threads : int or None
        Tiles at once; None means as many as there are cores.
    """

    faint_factor: float = 1.0
    weak_od: float = 0.11
    moderate_od: float = 0.4
    intense_od: float = 0.8
    complete_from: float = 0.6
    epithelial_from: float = 0.4
    epithelial_sure: float = 0.7
    max_growth_um: float = 8.0
    tile_px: int = 2048
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weak_od <= self.moderate_od < self.intense_od:
            raise ValueError(
                "heights must rise: 0 < weak_od <= moderate_od < intense_od, got "
                f"{self.weak_od}, {self.moderate_od}, {self.intense_od}"
            )
        if not 0 < self.complete_from <= 1:
            raise ValueError(f"complete_from must lie in 0..1, got {self.complete_from}")
        if not 0 <= self.epithelial_from <= self.epithelial_sure <= 1:
            raise ValueError(
                "probabilities of epithelium must rise: 0 <= epithelial_from <= epithelial_sure <= 1, got "
                f"{self.epithelial_from}, {self.epithelial_sure}"
            )
        if not 2 <= self.max_growth_um <= 12:
            raise ValueError(f"max_growth_um must lie in 2..12, got {self.max_growth_um}")
        if self.tile_px < 256:
            raise ValueError(f"tile_px must be at least 256, got {self.tile_px}")

    def at(self, um_per_px: float) -> CellSettings:
        """Return the settings for coarser pixels than 0.25 um, which flatten lines.

        The factors were measured on phantoms averaged to 0.3 to 1 um/px: a weak line's answer falls to
        0.84 at 0.5 um/px and 0.52 at 1 um/px, the upper quartile of a whole outline to 0.94 and 0.8.
        """
        excess = max(um_per_px - 0.25, 0.0)
        faint, height = 1 - 0.64 * excess, 1 - 0.26 * excess
        return replace(
            self,
            faint_factor=self.faint_factor * faint,
            weak_od=self.weak_od * height,
            moderate_od=self.moderate_od * height,
            intense_od=self.intense_od * height,
        )
