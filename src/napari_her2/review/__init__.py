"""What people decided about a case: the log of edits and overrides, and verdicts on cells. No Qt."""

from __future__ import annotations

from napari_her2.review.cells import CellVerdicts, cell_entry, read_cell_verdicts
from napari_her2.review.log import ReviewLog
from napari_her2.review.queue import (
    Doubts,
    Field,
    FieldVerdicts,
    field_entry,
    read_field_verdicts,
    review_queue,
)

__all__ = [
    "CellVerdicts",
    "Doubts",
    "Field",
    "FieldVerdicts",
    "ReviewLog",
    "cell_entry",
    "field_entry",
    "read_cell_verdicts",
    "read_field_verdicts",
    "review_queue",
]
