"""What people said is laid on what a run found, and told: who, when, how many, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation import EXCLUSIONS, HER2, KINDS, TUMOUR, to_codes
from napari_her2.events import Notice
from napari_her2.pipeline.gate import apply_gate
from napari_her2.pipeline.recount import judged_cells
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.pipeline.corrections import Corrections
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run

__all__ = ["WHAT", "Corrected", "correct_cells", "corrected_areas"]

READER: Final = EXCLUDED_REASONS.index("reader")
NO_CELL: Final = (0, RASTER_LABELS["unsure"])
"""Labels of the HER2 mask under which a cell does not count: background, unsure."""
STROKES: Final = ("paint", "undo", "redo")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrected:
    """The cells as they count.

    Attributes
    ----------
    cells : CellTable
        With all corrections.
    unjudged : CellTable
        The same without the verdicts on single cells, which can be taken back one by one.
    edits : tuple of mapping
        For the report: ``what``, ``by`` (who, first, last, how many), and how many cells it changed.
    """

    cells: CellTable
    unjudged: CellTable
    edits: tuple[Mapping[str, Any], ...] = ()


def correct_cells(run: Run, gate: Gate, found: CellTable) -> Steps[Corrected]:
    """Gate the cells and lay on them what people said.

    Parameters
    ----------
    run : Run
    gate : Gate
        With what people painted and drew.
    found : CellTable
        As found on the IHC alone.
    """
    said = run.said
    gated = apply_gate(found, gate)
    for note in said.notes:
        yield Notice(note)
    painted = _with_classes(gated, said)
    cells, lost = judged_cells(painted, said.verdicts, run.plan.ihc.um_per_px)
    edits: list[dict[str, Any]] = [*_drawn_area(run)]
    if said.where:
        changed = _changed(apply_gate(found, gate.unsaid), gated)
        edits += [{**edit, "changed_cells": changed} for edit in _of_places(said)]
    if "ihc_her2" in said.masks:
        edits.append({**_of_mask(said, "ihc_her2"), "changed_cells": _changed(gated, painted)})
    if len(said.verdicts):
        edits.append({**_of_cells(said), "changed_cells": _changed(painted, cells), "lost": lost})
    if lost:
        yield Notice(f"{lost} verdicts belong to cells that this run did not find: they are kept in the log.")
    if edits:
        yield Notice("Corrections by people are used: " + ", ".join(_short(edit) for edit in edits) + ".")
    return Corrected(cells=cells, unjudged=painted, edits=tuple(edits))


def _with_classes(cells: CellTable, said: Corrections) -> CellTable:
    """Return the cells with the HER2 classes that were painted under their middles."""
    mask = said.masks.get("ihc_her2")
    if mask is None:
        return cells
    codes = mask.codes_at(cells.points_px)
    classes = cells.class_code.copy()
    for k, name in enumerate(CELL_CLASSES):
        classes[codes == int(to_codes(RASTER_LABELS[name]))] = k
    none = np.isin(codes, [int(to_codes(label)) for label in NO_CELL])
    excluded = np.where(none & (cells.excluded == 0), READER, cells.excluded)
    return cells.with_(class_code=classes, excluded=excluded)


def _changed(before: CellTable, after: CellTable) -> int:
    """Count the cells that count otherwise: another class, or in where they were out."""
    classes = (before.class_code != after.class_code) & (before.evaluable | after.evaluable)
    return int(np.count_nonzero(classes | (before.evaluable != after.evaluable)))


def _drawn_area(run: Run) -> Iterator[dict[str, Any]]:
    """Tell of the tumour area that was drawn or confirmed as a whole."""
    if "roi" in run.paths:
        entries = [entry for entry in run.said.entries if entry.get("act") == "tumour_area"]
        yield {"what": "tumour_area", "file": run.paths["roi"].name, "by": _people(entries)}


def _of_places(said: Corrections) -> Iterator[dict[str, Any]]:
    for name in said.masks:
        if not name.endswith("_her2"):
            yield _of_mask(said, name)
    for role, areas in said.areas.items():
        by = _people({"who": area.who, "time": area.time} for area in areas)
        classes = dict.fromkeys(area.name for area in areas)
        numbers = {name: sum(area.name == name for area in areas) for name in classes}
        yield {"what": f"{role}_areas", "areas": numbers, "by": by}


def _of_mask(said: Corrections, name: str) -> dict[str, Any]:
    """Tell of a mask: the strokes that stand, and the area of each class at level 0."""
    mask, kind = said.masks[name], KINDS[name.partition("_")[2]]
    pixels = np.zeros(256, np.int64)
    for box in mask.chunks:
        pixels += np.bincount(mask.mask.read(box).ravel(), minlength=256)
    mm2 = {
        one.name: round(float(pixels[int(to_codes(one.value))]) * mask.mask.pyramid.um_per_px**2 / 1e6, 6)
        for one in kind.classes
    }
    return {
        "what": name,
        "mm2": {label: area for label, area in mm2.items() if area},
        "by": _people(_standing(said, name)),
    }


def _standing(said: Corrections, name: str) -> list[Mapping[str, Any]]:
    """Return the strokes of a mask that were not taken back."""
    strokes: dict[Any, Mapping[str, Any]] = {}
    stands: dict[Any, bool] = {}
    for entry in said.entries:
        if entry.get("mask") == name and entry.get("act") in STROKES:
            step = entry.get("of", entry.get("step"))
            stands[step] = entry["act"] != "undo"
            if entry["act"] == "paint":
                strokes[step] = entry
    return [entry for step, entry in strokes.items() if stands[step]]


def _of_cells(said: Corrections) -> dict[str, Any]:
    """Tell of the verdicts on single cells that were not taken back."""
    held: list[Mapping[str, Any]] = []
    for entry in said.entries:
        if entry.get("act") == "cells":
            held.append(entry)
        elif entry.get("act") == "undo-cells" and held:
            held.pop()
    return {"what": "cells", "cells": len(said.verdicts), "by": _people(held)}


def _people(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return who did how much from when to when."""
    people: dict[str, list[str]] = {}
    for entry in entries:
        people.setdefault(str(entry.get("who", "")), []).append(str(entry.get("time", "")))
    return [
        {"who": who, "acts": len(times), "first": min(times), "last": max(times)}
        for who, times in people.items()
    ]


def _short(edit: Mapping[str, Any]) -> str:
    acts = sum(one["acts"] for one in edit["by"])
    changed = f" ({edit['changed_cells']} cells count otherwise)" if "changed_cells" in edit else ""
    times = f", {acts} act{'s' * (acts != 1)}" if acts else ""
    return f"{WHAT[str(edit['what'])]}{times}{changed}"


WHAT: Final[dict[str, str]] = {
    "tumour_area": "the tumour area",
    "cells": "verdicts on cells",
    **{f"{role}_areas": f"areas on the {slide}" for role, slide in (("he", "H&E"), ("ihc", "IHC"))},
    **{
        f"{role}_{kind.name}": f"{words} on the {slide}"
        for role, slide in (("he", "H&E"), ("ihc", "IHC"))
        for kind, words in ((TUMOUR, "tumour mask"), (EXCLUSIONS, "exclusions"), (HER2, "HER2 mask"))
    },
}


def corrected_areas(
    said: Corrections, raster: Any, areas_mm2: Mapping[str, float], um_per_px: float
) -> dict[str, float]:
    """Return the area of each score with the labels that people painted in place of the model's.

    Parameters
    ----------
    said : Corrections
    raster : Multiscale
        Labels of the model on the IHC; 255 where pixels do not count.
    areas_mm2 : mapping of score to mm²
        Of the model.
    um_per_px : float
        Of the IHC.
    """
    from napari_her2.annotation import sampled

    mask = said.masks.get("ihc_her2")
    if mask is None:
        return dict(areas_mm2)
    gained = np.zeros(256, np.int64)
    for box in mask.chunks:
        codes = mask.mask.read(box)
        model = sampled(raster, box, um_per_px).astype(np.uint8)
        chosen = (codes > 0) & (model != RASTER_LABELS["unsure"])
        person: NDArray[np.uint8] = codes[chosen] - (codes[chosen] != 255)
        gained += np.bincount(person, minlength=256) - np.bincount(model[chosen], minlength=256)
    mm2 = um_per_px**2 / 1e6
    return {
        score: max(area + float(gained[RASTER_LABELS[score]]) * mm2, 0.0) for score, area in areas_mm2.items()
    }
