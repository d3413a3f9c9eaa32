"""Signs that a slide is not what the scorer was made for, in what it found there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_her2.vocabulary import CellClass

__all__ = ["doubt_of_size", "hardly_her2", "odd_nucleus_um2", "unusual_pattern"]

MOST_UNUSUAL_PERCENT: Final = 100 / 3
"""More incomplete strong staining than this is hardly HER2 of breast (cytoplasm, mucin, another antibody)."""
PATTERN_PERCENT: Final = 10.0
"""The guideline's share of cells from which an unusual pattern counts; named whatever test decides."""
PATTERN_SHARE: Final = 1 / 3
"""Of the stained cells; where complete membranes prevail, a few open ones are cut or crowded."""
NUCLEUS_UM2: Final = (25.0, 110.0)
"""Range of the median nucleus: from smaller than a lymphocyte's to larger than a carcinoma's."""
ENOUGH_NUCLEI: Final = 50


def hardly_her2(percent: Mapping[CellClass, float]) -> bool:
    """Whether open but strong membranes are more than HER2 of breast ever shows."""
    return percent["unusual"] > MOST_UNUSUAL_PERCENT


def unusual_pattern(percent: Mapping[CellClass, float]) -> bool:
    """Whether open but strong membranes, as of glands or of another antigen, are a pattern of the case."""
    stained = 100 - percent["0"]
    return percent["unusual"] > PATTERN_PERCENT and percent["unusual"] > PATTERN_SHARE * stained


def odd_nucleus_um2(areas_um2: NDArray[np.float32]) -> float:
    """Return the median nucleus where no tissue has such, so that the pixel size may be wrong; else 0."""
    seen = areas_um2[np.isfinite(areas_um2)]
    if len(seen) < ENOUGH_NUCLEI:
        return 0.0
    median = float(np.median(seen))
    return 0.0 if NUCLEUS_UM2[0] <= median <= NUCLEUS_UM2[1] else median


def doubt_of_size(areas_um2: NDArray[np.float32], um_per_px: float) -> tuple[str, ...]:
    """Say what is odd about the nuclei, if something is."""
    odd = odd_nucleus_um2(areas_um2)
    if not odd:
        return ()
    return (
        f"The median nucleus has {odd:.0f} µm², so either {um_per_px:g} µm is not the size of a pixel, "
        "or this is not the tissue the program was made for.",
    )
