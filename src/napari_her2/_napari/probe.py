"""What lies under the cursor, in words: cell, patch of each slide, error of the alignment. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2._napari.hud import DOT
from napari_her2._napari.score_view import EXCLUDED_WORDS
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS, SCORES

if TYPE_CHECKING:
    from napari_her2._napari.cell_index import CellIndex
    from napari_her2._napari.paired import Cover
    from napari_her2.case import PatchTable
    from napari_her2.mapping import SlideMapping

__all__ = ["Probe", "error_words"]

Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """What is known of each place of a case; asking touches memory only.

    Attributes
    ----------
    cells : CellIndex
    he, ihc : (PatchTable, Cover) or None
        Patches of each slide.
    """

    cells: CellIndex
    he: tuple[PatchTable, Cover] | None = None
    ihc: tuple[PatchTable, Cover] | None = None

    def at_ihc(self, place_um: Place) -> tuple[str, ...]:
        """Return lines about a place of the IHC, µm: its cell and its patch."""
        return tuple(words for words in (self._cell(place_um), _ihc_patch(self.ihc, place_um)) if words)

    def at_he(self, place_um: Place) -> tuple[str, ...]:
        """Return a line about a place of the H&E, µm: its patch."""
        words = _he_patch(self.he, place_um)
        return (words,) if words else ()

    def _cell(self, place_um: Place) -> str:
        at = self.cells.under(place_um)
        if at is None:
            return ""
        table = self.cells.table
        words = [
            f"cell {CELL_CLASSES[table.class_code[at]]}",
            f"membrane {100 * table.completeness[at]:.0f} %",
        ]
        if table.intensity_od[at] > 0:
            words += [f"{table.intensity_od[at]:.2f} OD", f"{table.membrane_width_um[at]:.1f} µm wide"]
        if not self.cells.counted[at]:
            words.append(f"not counted: {_why(int(table.excluded[at]))}")
        return DOT.join(words)


def _why(excluded: int) -> str:
    """Say why a cell does not count."""
    reason = EXCLUDED_REASONS[excluded]
    return EXCLUDED_WORDS.get(reason, reason.replace("_", " ")) if reason else "not tumour"


def _row(found: tuple[PatchTable, Cover] | None, place_um: Place) -> int:
    return -1 if found is None else found[1].at(place_um)


def _ihc_patch(found: tuple[PatchTable, Cover] | None, place_um: Place) -> str:
    at = _row(found, place_um)
    if found is None or at < 0:
        return ""
    table = found[0]
    shares = [float(getattr(table, f"p{k}")[at]) for k in range(len(SCORES))]
    if not np.isfinite(shares).all():
        return ""
    parts = ", ".join(f"{score}: {100 * share:.0f} %" for score, share in zip(SCORES, shares, strict=True))
    return f"patch {table.score[at] or 'not scored'} ({parts})"


def _he_patch(found: tuple[PatchTable, Cover] | None, place_um: Place) -> str:
    at = _row(found, place_um)
    value = float("nan") if found is None or at < 0 else float(found[0].tumour_probability[at])
    return f"patch: tumour {100 * value:.0f} %" if np.isfinite(value) else ""


def error_words(mapping: SlideMapping, ihc_um: Place) -> str:
    """Return the error of the alignment at a place of the IHC, or that the slides do not share it."""
    px = mapping.ihc.to_px([ihc_um])
    if not mapping.inside(px, "ihc")[0]:
        return "not on both slides"
    return f"alignment ± {mapping.local_error_um(px, 'ihc')[0]:.0f} µm"
