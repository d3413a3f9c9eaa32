"""The guideline as data: counts of cells in, a call with its reasons out. Pure; numpy alone."""

from napari_her2.scoring.agreement import Agreement, ControlResult, agreement, control_call
from napari_her2.scoring.apply import apply_rule
from napari_her2.scoring.call import Call, Evidence
from napari_her2.scoring.clusters import largest_clusters
from napari_her2.scoring.counts import CellCounts, percent_text
from napari_her2.scoring.decide import PathEntry
from napari_her2.scoring.flips import Flip, what_would_flip
from napari_her2.scoring.guideline import DEFAULT_RULE, Rule
from napari_her2.scoring.heterogeneity import Clone, Heterogeneity
from napari_her2.scoring.intervals import wilson
from napari_her2.scoring.ish import Ish
from napari_her2.scoring.rule_files import list_rules, load_rule
from napari_her2.scoring.summary import (
    CellReading,
    CellSummary,
    SummarySettings,
    coverage_from_areas,
    percent_intervals,
    summarise_cells,
    widened,
)

__all__ = [
    "DEFAULT_RULE",
    "Agreement",
    "Call",
    "CellCounts",
    "CellReading",
    "CellSummary",
    "Clone",
    "ControlResult",
    "Evidence",
    "Flip",
    "Heterogeneity",
    "Ish",
    "PathEntry",
    "Rule",
    "SummarySettings",
    "agreement",
    "apply_rule",
    "control_call",
    "coverage_from_areas",
    "largest_clusters",
    "list_rules",
    "load_rule",
    "percent_intervals",
    "percent_text",
    "summarise_cells",
    "what_would_flip",
    "widened",
    "wilson",
]
