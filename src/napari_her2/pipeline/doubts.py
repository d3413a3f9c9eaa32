"""Signs that a slide is not what the scorer was made for, in what it found there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.vocabulary import CellClass

__all__ = ["hardly_her2", "unusual_pattern"]

MOST_UNUSUAL_PERCENT: Final = 100 / 3
"""More incomplete strong staining than this is hardly HER2 of breast (cytoplasm, mucin, another antibody)."""
PATTERN_PERCENT: Final = 10.0
"""The guideline's share of cells from which an unusual pattern counts; named whatever test decides."""
PATTERN_SHARE: Final = 1 / 3
"""Of the stained cells; where complete membranes prevail, a few open ones are cut or crowded."""


def hardly_her2(percent: Mapping[CellClass, float]) -> bool:
    """Whether open but strong membranes are more than HER2 of breast ever shows."""
    return percent["unusual"] > MOST_UNUSUAL_PERCENT


def unusual_pattern(percent: Mapping[CellClass, float]) -> bool:
    """Whether open but strong membranes, as of glands or of another antigen, are a pattern of the case."""
    stained = 100 - percent["0"]
    return percent["unusual"] > PATTERN_PERCENT and percent["unusual"] > PATTERN_SHARE * stained
