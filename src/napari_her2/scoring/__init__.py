"""The guideline as data: counts of cells in, a call with its reasons out. Pure; numpy alone."""

from napari_her2.scoring.apply import apply_rule
from napari_her2.scoring.call import Call, Evidence
from napari_her2.scoring.counts import CellCounts, percent_text
from napari_her2.scoring.decide import PathEntry
from napari_her2.scoring.guideline import DEFAULT_RULE, Rule
from napari_her2.scoring.intervals import wilson
from napari_her2.scoring.ish import Ish
from napari_her2.scoring.rule_files import list_rules, load_rule

__all__ = [
    "DEFAULT_RULE",
    "Call",
    "CellCounts",
    "Evidence",
    "Ish",
    "PathEntry",
    "Rule",
    "apply_rule",
    "list_rules",
    "load_rule",
    "percent_text",
    "wilson",
]
