"""The numbers that a report's ``qc`` takes from the tissue mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from napari_her2.tissue.mask import TissueMask

__all__ = ["TissueQc", "tissue_qc"]


class TissueQc(TypedDict):
    """``report.qc`` as far as tissue goes."""

    tissue_mm2: float
    excluded_mm2: dict[str, float]
    focus: float | None


def tissue_qc(mask: TissueMask) -> TissueQc:
    """Area of usable tissue, areas left out by reason (mm²), and the share in focus (0..1)."""
    return {
        "tissue_mm2": round(mask.tissue_mm2, 4),
        "excluded_mm2": {name: round(area, 4) for name, area in mask.excluded_mm2.items()},
        "focus": None if mask.focus is None else round(mask.focus, 3),
    }
