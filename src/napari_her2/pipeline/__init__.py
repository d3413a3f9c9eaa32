"""The story of a case: two slides in, a report and its evidence out. Read :func:`score_case` first."""

from __future__ import annotations

from napari_her2.pipeline.again import Rerun, rerun_case
from napari_her2.pipeline.pair import check_slides
from napari_her2.pipeline.prediction import PredictRequest, predict_slide
from napari_her2.pipeline.request import CaseRequest, Wishes, read_preferences
from napari_her2.pipeline.story import score_case

__all__ = [
    "CaseRequest",
    "PredictRequest",
    "Rerun",
    "Wishes",
    "check_slides",
    "predict_slide",
    "read_preferences",
    "rerun_case",
    "score_case",
]
