"""The words that files, windows and rooms share: scores, cell classes, colours, flags.

They are promises to users (docs/contracts.md); nothing here computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CELL_CLASSES",
    "COLOURS",
    "DISCLAIMER",
    "EXCLUDED_REASONS",
    "FLAGS",
    "RASTER_LABELS",
    "SCORES",
    "CellClass",
    "Score",
    "ordered_flags",
]

Score = Literal["0", "1+", "2+", "3+"]
CellClass = Literal["0", "1+", "2+", "3+", "unusual"]

SCORES: Final[tuple[Score, ...]] = ("0", "1+", "2+", "3+")
"""The four scores, from the weakest."""

CELL_CLASSES: Final[tuple[CellClass, ...]] = ("0", "1+", "2+", "3+", "unusual")
"""Classes of a cell; the index is the code that cell tables use in memory."""

RASTER_LABELS: Final[dict[str, int]] = {
    "background": 0,
    "0": 1,
    "1+": 2,
    "2+": 3,
    "3+": 4,
    "unusual": 5,
    "unsure": 255,
}
"""Values of label rasters; 255 is unsure or excluded."""

COLOURS: Final[dict[str, str]] = {
    "0": "#4575B4",
    "1+": "#91BFDB",
    "2+": "#FEE090",
    "3+": "#D73027",
    "unusual": "#762A83",
    "tumour": "#1B7837",
}

EXCLUDED_REASONS: Final[tuple[str, ...]] = (
    "",
    "unsure_gate",
    "not_epithelial",
    "in_situ",
    "artefact",
    "control",
    "edge_of_region",
    "outside_roi",
    "reader",
)
"""Why a cell does not count; the index is the code in memory, ``""`` means that it counts."""

FLAGS: Final[tuple[str, ...]] = (
    "no_tumour_gate",
    "tumour_unconfirmed",
    "few_cells",
    "needs_review",
    "unusual_pattern",
    "mixture",
    "null_ultralow_unresolved",
    "control_inadequate",
    "coarse_pixels",
    "out_of_distribution",
    "swapped_slides",
    "same_slide",
    "unexpected_stain",
    "lateral_intensity_unknown",
    "clusters_assumed",
    "heterogeneous",
    "scorers_disagree",
    "unread_stain",
    "intensity_uncalibrated",
    "pixel_size_doubtful",
)


def ordered_flags(flags: Iterable[str]) -> tuple[str, ...]:
    """Return flags once each, in the order of :data:`FLAGS`; unknown ones last, by name."""
    found = set(flags)
    return (*(flag for flag in FLAGS if flag in found), *sorted(found - set(FLAGS)))


DISCLAIMER: Final = "For research use only; not for diagnosis."
