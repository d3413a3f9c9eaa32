"""What the case rests on, as areas for other programs: tumour on both slides, pieces of the IHC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.exchange import Area, areas_of_mask
from napari_her2.mapping import carry_polygon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_her2.pipeline.gate import Gate
    from napari_her2.scoring import Clone

__all__ = ["clone_areas", "piece_areas", "tumour_areas"]


def tumour_areas(gate: Gate) -> Iterator[Area]:
    """Outline the tumour on both slides, as drawn or as estimated and carried over."""
    tumour, mapping = gate.tumour, gate.mapping
    if gate.roi is not None:
        for area in gate.roi.areas:
            yield Area(
                outline=area.outline,
                holes=area.holes,
                name="Tumor",
                slide="ihc",
                properties={"method": "person"},
            )
    if tumour is None or mapping is None:
        return
    facts: dict[str, Any] = {"method": tumour.method, "confirmed": tumour.confirmed}
    region = tumour.region if gate.area is None else gate.area
    for area in areas_of_mask(region, tumour.level0_px, name="Tumor", slide="he", **facts):
        yield area
        if gate.roi is None:
            outline = carry_polygon(mapping, area.outline, "he")
            holes = tuple(carry_polygon(mapping, hole, "he") for hole in area.holes)
            yield Area(
                outline=outline, holes=holes, name="Tumor", slide="ihc", properties={**facts, "carried": True}
            )


def piece_areas(gate: Gate) -> Iterator[Area]:
    """Outline the pieces of the IHC with their roles."""
    tissue = gate.tissue
    for piece in tissue.piece_list:
        facts = {
            "piece": piece.label,
            "role": piece.role,
            "expected_score": piece.expected_score,
            "confirmed": piece.confirmed,
        }
        name = "Control" if piece.role == "control" else "Tissue"
        yield from areas_of_mask(
            tissue.pieces == piece.label, tissue.level0_px, name=name, slide="ihc", **facts
        )


def clone_areas(clones: Sequence[Clone], um_per_px: float) -> Iterator[Area]:
    """Outline the 3+ clones of a case with few 3+ cells."""
    for clone in clones:
        facts = {"cells": clone.cells, "strong_cells": clone.strong_cells}
        outline = np.asarray(clone.outline_um, np.float64) / um_per_px
        yield Area(outline=outline, name="3+ clone", slide="ihc", properties=facts)
