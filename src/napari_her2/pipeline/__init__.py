"""The story of a case: two slides in, a report and its evidence out. Read :func:`score_case` first."""

from __future__ import annotations

from napari_her2.pipeline.again import Rerun, rerun_case
from napari_her2.pipeline.agreeing import agreement_with
from napari_her2.pipeline.pages import PAGES, write_case_page
from napari_her2.pipeline.pair import check_slides
from napari_her2.pipeline.patches import patches_with_tissue
from napari_her2.pipeline.prediction import PredictRequest, predict_slide
from napari_her2.pipeline.recount import Recount, judged_cells, recount
from napari_her2.pipeline.request import CaseRequest, Wishes, read_preferences
from napari_her2.pipeline.story import score_case

__all__ = [
    "PAGES",
    "CaseRequest",
    "PredictRequest",
    "Recount",
    "Rerun",
    "Wishes",
    "agreement_with",
    "check_slides",
    "judged_cells",
    "patches_with_tissue",
    "predict_slide",
    "read_preferences",
    "recount",
    "rerun_case",
    "score_case",
    "write_case_page",
]
