"""A stress test of the call: called again with what may be wrong about the picture made worse.

A sample of fields is measured as it is and under each change. What the change does to the shares of the
sample is added to the shares of the case, so that a sample which differs from the case flips nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells import COARSEST_UM_PER_PX, detect_cells
from napari_her2.events import Progress
from napari_her2.geometry import Box
from napari_her2.pipeline.finding import quiet
from napari_her2.pipeline.gate import under
from napari_her2.scoring import CellCounts, apply_rule, load_rule
from napari_her2.slides import open_slide
from napari_her2.stain import mix, optical_density, transmit, unmix
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.scoring.guideline import Rule
    from napari_her2.vocabulary import Score

__all__ = ["CHANGES", "Change", "Mark", "called_again", "called_under", "changed", "stress_test"]

STAGE: Final = "stress"
SMALL_MM2: Final = 0.5
"""Pictures up to this size are measured whole, others in fields that make about as much."""
FIELD_UM: Final = 400.0
FIELDS: Final = 3
SEED: Final = 13
EDGE_UM: Final = 50.0
CRUSHED: Final = 0.6
"""Of the median nucleus: smaller ones are crushed, cut or pyknotic."""
SPARE: Final = "without edge and crushed cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the picture.

    Attributes
    ----------
    what : str
        In words.
    white, size, dab : float
        Factors of the light through glass, of the pixel size, and of the density of DAB.
    blur_um : float
        Standard deviation.
    jpeg : int
        Quality of the copy; 0 keeps the pixels.
    """

    what: str
    white: float = 1.0
    size: float = 1.0
    dab: float = 1.0
    blur_um: float = 0.0
    jpeg: int = 0


CHANGES: Final = (
    Change(what="white - 3 %", white=0.97),
    Change(what="white + 3 %", white=1.03),
    Change(what="µm/px - 15 %", size=0.85),
    Change(what="µm/px + 15 %", size=1.15),
    Change(what="DAB - 20 %", dab=0.8),
    Change(what="DAB + 20 %", dab=1.2),
    Change(what="blur", blur_um=0.35),
    Change(what="JPEG 60", jpeg=60),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The score under one change; None is not scorable."""

    what: str
    score: Score | None


def stress_test(run: Run, gate: Gate, cells: CellTable, stain: TileStain | None) -> Steps[tuple[Mark, ...]]:
    """Call the case again under each change; nothing where it is not asked for or the rule counts no cells.

    Clusters of single cells cannot be sampled, so that the rule for gastric biopsies is not tested.
    """
    rule = load_rule(run.plan["rule"])
    if not run.plan["stress"] or stain is None or rule.counted != "cells" or not cells.evaluable.any():
        return ()

    def work() -> Steps[tuple[Mark, ...]]:
        marks = yield from called_under(run, gate, cells, stain, CHANGES)
        whole = _counted(run, cells, cells.evaluable)
        spared = _counted(run, cells, cells.evaluable & _sound(gate, cells))
        return (*marks, Mark(SPARE, called_again(whole, whole, spared, rule, run.plan["min_cells"])))

    facts = run.plan.facts("rule", "min_cells") | {"said": run.said.key}
    return (yield from run.stage(STAGE, work, needs=("cell_table",), **facts))


def called_under(
    run: Run, gate: Gate, cells: CellTable, stain: TileStain, changes: Sequence[Change]
) -> Steps[tuple[Mark, ...]]:
    """Call the case again under each of some changes, by a sample of its fields."""
    rule, least = load_rule(run.plan["rule"]), run.plan["min_cells"]
    whole, inside = _counted(run, cells, cells.evaluable), gate.inside()
    fields = _fields(run, cells)
    yield Progress(STAGE, 0, len(changes) + 1, "calls")
    before = yield from _measured(run, (gate, inside), fields, (stain, Change(what="")))
    marks = []
    for done, change in enumerate(changes, start=2):
        after = yield from _measured(run, (gate, inside), fields, (stain, change))
        marks.append(Mark(change.what, called_again(whole, before, after, rule, least)))
        yield Progress(STAGE, done, len(changes) + 1, "calls")
    return tuple(marks)


def called_again(
    whole: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64], rule: Rule, least: int
) -> Score | None:
    """Score of a case once what changed in a sample holds for all of it.

    Parameters
    ----------
    whole, before, after : int64 ndarray of shape (6,)
        Cells by column: of the case, and of the sample as it is and under the change.
    rule : Rule
    least : int
        Fewest cells for a score.
    """
    total = round(float(whole.sum()) * after.sum() / max(float(before.sum()), 1.0))
    if not after.sum() or total < least:
        return None
    share = whole / whole.sum() + after / after.sum() - before / max(float(before.sum()), 1.0)
    share = np.maximum(share, 0)
    number = np.round(total * share / share.sum()).astype(int).tolist()
    none, faint, moderate, intense, weak, strong = number
    counts = CellCounts(
        complete_intense=strong, complete_weak_moderate=weak, incomplete_faint=faint, none=none,
        incomplete_moderate=moderate, incomplete_intense=intense,
        incomplete_moderate_intense=moderate + intense,
    )  # fmt: skip
    return apply_rule(counts, rule, min_cells=1).score


def _counted(run: Run, cells: CellTable, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cells by column of a guideline's table."""
    code, intense = cells.class_code[chosen], cells.intensity_od[chosen] >= run.cell_settings.intense_od
    of_class = np.bincount(code, minlength=len(CELL_CLASSES))
    name = dict(zip(CELL_CLASSES, of_class.tolist(), strict=True))
    strong = int((intense & (code == CELL_CLASSES.index("unusual"))).sum())
    return np.array([name["0"], name["1+"], name["unusual"] - strong, strong, name["2+"], name["3+"]])


def _fields(run: Run, cells: CellTable) -> tuple[Box, ...]:
    """All of a small picture, else seeded fields, each the likelier the more evaluable cells it has."""
    shape, um = run.ihc.shape, run.plan.ihc.um_per_px
    if shape[0] * shape[1] * um**2 / 1e6 <= SMALL_MM2:
        return (Box.of_shape(shape),)
    side = round(FIELD_UM / um)
    tile = np.floor(cells.points_px[cells.evaluable] / side).astype(np.int64)
    places, number = np.unique(tile, axis=0, return_counts=True)
    rng = np.random.default_rng(SEED)
    few = min(FIELDS, len(places))
    drawn = rng.choice(len(places), few, replace=False, p=number / number.sum())
    whole = Box.of_shape(shape)
    boxes = (
        Box(int(r) * side, int(c) * side, side, side).intersect(whole) for r, c in places[np.sort(drawn)]
    )
    return tuple(box for box in boxes if box is not None)


def _measured(
    run: Run,
    area: tuple[Gate, NDArray[np.bool_]],
    fields: Sequence[Box],
    how: tuple[TileStain, Change],
) -> Steps[NDArray[np.int64]]:
    """Count the cells of the sample under a change."""
    (gate, inside), (stain, change) = area, how
    total = np.zeros(6, np.int64)
    um = min(run.plan.ihc.um_per_px * change.size, COARSEST_UM_PER_PX)
    red, green, blue = (min(value * change.white, 255.0) for value in stain.white)
    settings = replace(run.cell_settings, threads=run.own_threads)
    with tempfile.TemporaryDirectory() as folder:
        for number, field in enumerate(fields):
            rgb = changed(run.ihc.read(field), stain, change, run.plan.ihc.um_per_px)
            path = Path(folder) / f"{number}.{'jpg' if change.jpeg else 'png'}"
            _write(path, rgb, change.jpeg)
            with open_slide(path, um_per_px=um) as slide:
                seen = replace(stain, white=(red, green, blue))
                found = yield from quiet(detect_cells(slide, settings=settings, stain=seen))
            places = found.points_px + np.array((field.row, field.col))
            counts = under(places, inside, gate.tissue.level0_px)
            total += _counted(run, found, found.evaluable & counts)
    return total


def changed(rgb: NDArray[np.uint8], stain: TileStain, change: Change, um_per_px: float) -> NDArray[np.uint8]:
    """Return the pixels under a change: another density of DAB, or out of focus."""
    if change.dab != 1:
        amounts = unmix(optical_density(rgb, stain.white), stain.vectors)
        amounts[..., 1] *= np.where(amounts[..., 1] > 0, change.dab, 1.0)
        light = transmit(mix(amounts, stain.vectors), stain.white)
        rgb = np.clip(np.round(light), 0, 255).astype(np.uint8)
    if change.blur_um:
        import cv2

        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), change.blur_um / um_per_px), np.uint8)
    return rgb


def _write(path: Path, rgb: NDArray[np.uint8], jpeg: int) -> None:
    import cv2

    how = [cv2.IMWRITE_JPEG_QUALITY, jpeg] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]), how)


def _sound(gate: Gate, cells: CellTable) -> NDArray[np.bool_]:
    """Cells that are neither at the tissue's edge nor crushed."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(gate.tissue.counted, 1))[1:-1, 1:-1]
    depth_um = under(cells.points_px, depth, gate.tissue.level0_px) * gate.tissue.um_per_px
    areas = cells.nucleus_area_um2
    known = areas[cells.evaluable & np.isfinite(areas)]
    small = areas < CRUSHED * float(np.median(known)) if len(known) else np.zeros(len(areas), bool)
    return np.asarray((depth_um >= EDGE_UM) & ~small)
