"""What people decided about a case: the log of edits and overrides, and verdicts on cells. No Qt."""

from __future__ import annotations

from napari_her2.review.cells import CellVerdicts, cell_entry, read_cell_verdicts
from napari_her2.review.log import ReviewLog

__all__ = ["CellVerdicts", "ReviewLog", "cell_entry", "read_cell_verdicts"]
