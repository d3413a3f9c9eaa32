"""How well a model does, by the protocol of docs/evaluation.md: pure functions on arrays, frozen results.

Cases are the unit: intervals come from drawing whole cases again. Nothing here needs torch.
"""

from __future__ import annotations

from napari_her2.learning.evaluation.agreement import (
    accuracy,
    balanced_accuracy,
    confusion,
    dice,
    f1,
    iou,
    negative_value,
    positive_value,
    sensitivity,
    share,
    specificity,
    weighted_kappa,
    within_one,
)
from napari_her2.learning.evaluation.bootstrap import Difference, Estimate
from napari_her2.learning.evaluation.boundary import boundary_counts, boundary_f1
from napari_her2.learning.evaluation.calibration import ReliabilityBin, reliability
from napari_her2.learning.evaluation.decision import DecisionPoint, decision_curve
from napari_her2.learning.evaluation.measure import (
    Evaluation,
    Protocol,
    compare,
    compare_masks,
    evaluate,
    evaluate_masks,
)
from napari_her2.learning.evaluation.predictions import MaskTallies, Predictions
from napari_her2.learning.evaluation.ranking import auc, average_precision
from napari_her2.learning.evaluation.readers import (
    EVENTS,
    BlandAltman,
    ReaderPair,
    ReaderStudy,
    compare_readers,
)
from napari_her2.learning.evaluation.samples import (
    MIXED,
    FolderPatch,
    Sample,
    folder_samples,
    phantom_samples,
    phantom_task,
    run_model,
)
from napari_her2.learning.evaluation.tables import read_predictions, write_estimates, write_predictions

__all__ = [
    "EVENTS",
    "MIXED",
    "BlandAltman",
    "DecisionPoint",
    "Difference",
    "Estimate",
    "Evaluation",
    "FolderPatch",
    "MaskTallies",
    "Predictions",
    "Protocol",
    "ReaderPair",
    "ReaderStudy",
    "ReliabilityBin",
    "Sample",
    "accuracy",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "boundary_counts",
    "boundary_f1",
    "compare",
    "compare_masks",
    "compare_readers",
    "confusion",
    "decision_curve",
    "dice",
    "evaluate",
    "evaluate_masks",
    "f1",
    "folder_samples",
    "iou",
    "negative_value",
    "phantom_samples",
    "phantom_task",
    "positive_value",
    "read_predictions",
    "reliability",
    "run_model",
    "sensitivity",
    "share",
    "specificity",
    "weighted_kappa",
    "within_one",
    "write_estimates",
    "write_predictions",
]
