"""What the cells cannot answer: stain they have not read, intensity nothing calibrates, null or ultralow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.vocabulary import ordered_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.cells import CellSettings, CellTable, Unread
    from napari_her2.scoring import Call, ControlResult, PathEntry

__all__ = ["as_flagged", "much_unread", "near_intense", "resolved", "unread_qc", "withheld"]

MOST_UNREAD: Final = 0.5
"""Share of membrane-like stain without a cell. Real cores that are read have 0.17 to 0.22."""
WORTH_READING_PER_MM2: Final = 5000.0
"""µm² of unread stain per mm² of tissue below which it is debris and edges: real 0 and 1+ have at most 1500,
stained tissue from 9000."""
CUT_OFF_PERCENTILE: Final = 90
"""Of the counted cells: the guideline asks for more than 10 %."""
NEAR_FACTOR: Final = 1.2


def unread_qc(unread: Unread | None) -> dict[str, float] | None:
    """Return the field of the report; None where nobody measured."""
    if unread is None:
        return None
    return {"share": round(unread.share, 4), "area_um2": round(unread.area_um2, 1)}


def much_unread(unread: Unread | None) -> bool:
    """Whether most of the membrane-like stain, and enough to matter, belongs to no counted cell."""
    return unread is not None and unread.share > MOST_UNREAD and unread.per_mm2 > WORTH_READING_PER_MM2


def near_intense(cells: CellTable, settings: CellSettings) -> bool:
    """Whether the slide's strongest complete membranes lie so near to *intense* that a scanner may decide.

    Looked at is the intensity which a tenth of the counted cells exceed: it parts 2+ from 3+.
    """
    counted = cells.select(cells.evaluable)
    if not len(counted):
        return False
    strong = np.where(counted.completeness >= settings.complete_from, counted.intensity_od, 0)
    level = float(np.percentile(strong, CUT_OFF_PERCENTILE))
    return settings.intense_od / NEAR_FACTOR <= level <= settings.intense_od * NEAR_FACTOR


def resolved(call: Call, unread: Unread | None, controls: Sequence[ControlResult]) -> Call:
    """Withhold what unread stain could change, and null or ultralow where no control vouches for faint.

    Parameters
    ----------
    call : Call
    unread : Unread or None
    controls : sequence of ControlResult
        An adequate one that ought to be 0 shows how often unstained epithelium reads as faint.
    """
    vouched = any(control.expected == "0" and control.adequate for control in controls)
    if unread is not None and much_unread(unread):
        why = f"{100 * unread.share:.0f} % of the membrane-like staining belongs to no counted cell."
        call = _flagged(call, "unread_stain", f"{call.reason} {why}")
    if call.category in ("null", "ultralow") and not vouched:
        open_ = (
            "0; null or ultralow not resolved: no 0 control shows how often unstained cells read as faint."
        )
        call = _flagged(call, "null_ultralow_unresolved", f"{open_} {call.reason}")
    return as_flagged(call)


def as_flagged(call: Call) -> Call:
    """Withhold what the flags of a call say is open."""
    if "unread_stain" in call.flags and call.score not in ("3+", None):
        why = f"staining that was not read could change the call. {call.reason}"
        return withheld(call, why, call.path)
    if "null_ultralow_unresolved" in call.flags and call.category in ("null", "ultralow"):
        return replace(call, category="negative")
    return call


def withheld(call: Call, reason: str, path: tuple[PathEntry, ...] = ()) -> Call:
    """Take the score away; without tissue or HER2 stain no test of the guideline was of any use."""
    return replace(
        call,
        path=path,
        score=None,
        category="not_scorable",
        her2_status="indeterminate",
        reason=f"not scorable: {reason}",
        alternatives={},
        borderline=False,
        reflex_ish=False,
    )


def _flagged(call: Call, flag: str, reason: str) -> Call:
    return replace(call, flags=ordered_flags((*call.flags, flag)), reason=reason)
