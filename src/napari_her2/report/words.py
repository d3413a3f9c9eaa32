"""Flags, reasons and categories in plain words."""

from __future__ import annotations

from typing import Final

__all__ = ["CATEGORY_WORDS", "EXCLUDED_WORDS", "FLAG_WORDS", "PROVISIONAL", "sampled"]

PROVISIONAL: Final = "Provisional: tumour area not confirmed"

FLAG_WORDS: Final[dict[str, str]] = {
    "no_tumour_gate": "Scored without an H&E slide: whatever looks like invasive epithelium was counted.",
    "tumour_unconfirmed": "No person has confirmed the tumour area; until then the result is provisional.",
    "few_cells": "Fewer than 100 evaluable tumour cells: the percentages are uncertain.",
    "needs_review": (
        "Look at the slides first: the alignment is doubtful, pieces (controls?) stain differently, or a "
        "model sees what it was not trained on."
    ),
    "unusual_pattern": (
        "Moderate to intense but incomplete staining, which the guideline does not cover; it counts as 2+."
    ),
    "mixture": "A mixture of patterns that the guideline does not spell out; its classes were added up.",
    "null_ultralow_unresolved": (
        "The few faintly stained cells lie within the engine's own error: null or ultralow is open."
    ),
    "control_inadequate": "A control on the slide does not show its expected score: indeterminate.",
    "coarse_pixels": "The pixels are too coarse to tell 0 from 1+.",
    "out_of_distribution": "The image is unlike those the engine was made for: do not rely on the result.",
    "swapped_slides": "The two slides seem to be exchanged.",
    "same_slide": "Both slides show the same picture.",
    "unexpected_stain": "A slide does not look like the stain it was given as.",
    "lateral_intensity_unknown": "The intensity of incomplete staining is not known; the rule asks for it.",
    "clusters_assumed": "All stained cells were taken for one cluster.",
    "heterogeneous": "Strong staining is unevenly spread: look at the regions apart.",
    "scorers_disagree": "A scorer that looked beside the cells does not confirm the call: look at both.",
    "unread_stain": (
        "Much of the membrane-like staining in the tumour is of no counted cell: the percentages miss it."
    ),
    "intensity_uncalibrated": (
        "The strongest membranes lie near a limit of intensity, and nothing on the slide calibrates it."
    ),
    "pixel_size_doubtful": "The pixel size does not fit what the tissue shows: check it.",
}

MOST_SURE: Final = 0.99
EXCLUDED_WORDS: Final[dict[str, str]] = {
    "unsure_gate": "too near to the edge of the tumour area for the alignment's precision",
    "not_epithelial": "does not look like invasive epithelium",
    "in_situ": "carcinoma in situ",
    "artefact": "pen, fold, blur or another artefact",
    "control": "control tissue",
    "edge_of_region": "cut by the edge of the image",
    "outside_roi": "outside the area that was drawn",
    "reader": "left out by the reader",
}

CATEGORY_WORDS: Final[dict[str, str]] = {
    "null": "HER2 null (no membrane staining)",
    "ultralow": "HER2 ultralow (faint staining in at most 10 %)",
    "low": "HER2 low",
    "negative": "HER2 negative",
    "equivocal": "HER2 equivocal",
    "positive": "HER2 positive",
    "not_scorable": "not scorable",
}


def sampled(share: float) -> str:
    """Return a probability by sampling alone; never 100 %, since sampling is not all that can be wrong."""
    return f"{share:.0%}" if share <= MOST_SURE else "> 99%"
