"""One model, or the cell engine, on what is in view, on a shape or on a slide: events for a layer. No Qt.

What is in view comes first, and the rest is sorted anew when the camera has moved. What was done stays in
the layer, so that a run that was cancelled goes on where it was. The case's own results come from scoring.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.events import Progress
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.geometry import Box
    from napari_her2.inference import Agenda, Plan
    from napari_her2.models import PatchModel
    from napari_her2.patches import PatchGrid
    from napari_her2.slides import Slide

__all__ = [
    "PARTS",
    "Begun",
    "CellsFound",
    "LoadedOnce",
    "Painted",
    "Part",
    "PartRequest",
    "run_part",
    "values_of",
]

Letter = Literal["C", "L", "M", "cells"]
FINEST_UM: Final = 1.0
MOST_PX: Final = 6000
"""Longest side of the picture of a segmentation; the raster of a scored case is finer."""
BLOCK_UM: Final = 400.0
"""Cells come in blocks of this side."""
HALO_UM: Final = 60.0
"""Cells are judged with their neighbours: so much is looked at around a block."""


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the analysis.

    Attributes
    ----------
    letter : str
    words : str
    role : {"he", "ihc"}
    setting : str or None
        Name of the setting that names its model; None for the cell engine.
    """

    letter: Letter
    words: str
    role: Literal["he", "ihc"]
    setting: str | None


PARTS: Final = {
    part.letter: part
    for part in (
        Part("C", "Tumour heat map", "he", "tumour_model"),
        Part("L", "Stain classes", "ihc", "stain_model"),
        Part("M", "MaskFormer overlay", "ihc", "segment_model"),
        Part("cells", "Cells", "ihc", None),
    )
}


class LoadedOnce:
    """The model of a row, loaded and its precision settled once for a slide: later runs begin at once."""

    def __init__(self) -> None:
        self._of: Any = None
        self._plan: Plan | None = None
        self._models: Sequence[PatchModel] = ()

    def ready(self, plan: Plan, slide: Slide) -> tuple[Plan, Sequence[PatchModel]]:
        """Return a plan with the precision that holds for its slide and model, and its models.

        Raises
        ------
        ModelError
            If the model cannot be loaded.
        SlideError
            If a tile that precisions are compared on cannot be read.
        """
        from napari_her2.inference import load_planned

        of = (plan.spec.sha256, plan.devices, id(slide))
        if self._plan is None or of != self._of:
            self._plan, self._models = load_planned(plan, slide)
            self._of = of
        precision, change = self._plan.precision, self._plan.precision_change
        return replace(plan, on_trial=False, precision=precision, precision_change=change), self._models


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartRequest:
    """What is to run.

    Attributes
    ----------
    part : Part
    slide : Slide
        Open; it stays open.
    region : Box or None
        Level-0 pixels; None is the whole slide.
    view : Box or None
        What is in view: it comes first.
    model : str
        Name of a model; empty takes the package's own.
    device : str
    done : callable
        ``done(grid)`` says which patches (rows, cols of the grid) need not run again.
    loaded : LoadedOnce
        Of the row, over its runs.
    """

    part: Part
    slide: Slide
    region: Box | None = None
    view: Box | None = None
    model: str = ""
    device: str = "auto"
    done: Callable[[tuple[int, int]], NDArray[np.bool_] | None] = field(default=lambda _: None)
    loaded: LoadedOnce = field(default_factory=LoadedOnce)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Begun:
    """A model begins: the picture it paints, and its agenda, which may be sorted anew.

    Attributes
    ----------
    shape : tuple of int
        (rows, cols) of the picture.
    um_per_px : float
        Of the picture, whose corner is the slide's.
    grid : PatchGrid
    agenda : Agenda
    model : str
    """

    shape: tuple[int, int]
    um_per_px: float
    grid: PatchGrid
    agenda: Agenda
    model: str


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """Some patches are done: (row, col) of their corners in the picture, and their pixels (n, h, w)."""

    cells: NDArray[np.int64]
    corners: NDArray[np.int64]
    pixels: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class CellsFound:
    """The cells of one block."""

    table: CellTable


def run_part(request: PartRequest) -> Steps[None]:
    """Run one part; yields :class:`Begun`, :class:`Painted` or :class:`CellsFound`, and progress.

    Raises
    ------
    Her2Error
        If slide, model or device cannot be used.
    """
    steps: Any = _cells(request) if request.part.setting is None else _model(request)
    yield from steps


def _model(request: PartRequest) -> Iterator[Any]:
    from napari_her2.inference import Agenda, BatchDone, PlanWishes, camera_first, pick_device, resolve, run
    from napari_her2.models import find_model
    from napari_her2.pipeline.engine import check_serves, choose_model
    from napari_her2.tissue import find_tissue

    setting = str(request.part.setting)
    entry = find_model(request.model) if request.model else choose_model(setting, None)
    spec, slide = entry.spec, request.slide
    check_serves(spec, slide)
    device = pick_device(request.device).sparing(1)  # one core is left to the window
    wishes = PlanWishes(region=request.region, overlap=0.0)
    yield Progress(request.part.words, 0, 0, "patches")
    tissue = find_tissue(slide) if request.region is None else None
    plan = resolve(wishes, slide, spec, device, tissue=tissue, weights_bytes=entry.weights_bytes)
    if tissue is None:
        plan = _without_glass(plan, slide)
    done = request.done(plan.grid.shape)
    cells = plan.cells if done is None else plan.cells[~done[plan.cells[:, 0], plan.cells[:, 1]]]
    agenda = Agenda(cells, done=len(plan) - len(cells))
    if request.view is not None:
        agenda.reorder(camera_first(plan.grid, request.view))
    shape, um = _picture(plan, slide)
    yield Begun(shape=shape, um_per_px=um, grid=plan.grid, agenda=agenda, model=spec.name)
    if len(cells):
        plan, models = request.loaded.ready(plan, slide)
        for event in run(plan, slide=slide, model=models, agenda=agenda):
            if isinstance(event, BatchDone):
                yield _painted(plan, event.cells, event.probabilities, um)
                yield Progress(request.part.words, event.done, event.total, "patches")


def _without_glass(plan: Plan, slide: Slide) -> Plan:
    """Leave bare glass out of a region: a class would read as a result. Where all is bare, all stays."""
    from napari_her2.tissue import off_glass

    keep = off_glass(slide, [plan.grid.box(*cell) for cell in plan.cells.tolist()])
    return replace(plan, cells=plan.cells[keep]) if keep.any() else plan


def _picture(plan: Plan, slide: Slide) -> tuple[tuple[int, int], float]:
    """Return shape and µm/px of the picture: a pixel per patch, or finer where the model says more."""
    if plan.spec.task != "segment":
        return plan.grid.shape, plan.grid.step_px * slide.um_per_px
    rows, cols = (n * slide.um_per_px for n in slide.shape)
    um = max(FINEST_UM, max(rows, cols) / MOST_PX)
    return (int(np.ceil(rows / um)), int(np.ceil(cols / um))), um


def _painted(
    plan: Plan, cells: NDArray[np.int64], probabilities: NDArray[np.float32], um_per_px: float
) -> Painted:
    values = values_of(plan.spec.task, probabilities)
    if plan.spec.task != "segment":
        return Painted(cells, cells, values[:, None, None])
    corners = np.floor(plan.grid.starts(cells) * plan.grid.slide_um_per_px / um_per_px).astype(np.int64)
    side = max(round(plan.grid.size_um / um_per_px), 1)
    at = ((np.arange(side) + 0.5) / side * values.shape[1]).astype(np.intp)
    return Painted(cells, corners, values[:, at][:, :, at])


def values_of(task: str, probabilities: NDArray[np.float32]) -> NDArray[Any]:
    """Return what is painted of probabilities (n, classes[, h, w]).

    The tumour model's last class as a byte (0..255), else the label of the likeliest class: labels of
    patches have no background, those of pixels begin with it.
    """
    if task == "classify":
        return np.asarray(np.rint(255 * probabilities[:, -1]), np.uint8)
    best = probabilities.argmax(axis=1).astype(np.uint8)
    return np.asarray(best + (RASTER_LABELS[SCORES[0]] if task == "ordinal" else 0), np.uint8)


def _cells(request: PartRequest) -> Iterator[Any]:
    from napari_her2.cells import CellSettings, detect_cells, slide_stain
    from napari_her2.events import drain
    from napari_her2.geometry import Box
    from napari_her2.threads import cores
    from napari_her2.tissue import find_tissue

    slide, words = request.slide, request.part.words
    yield Progress(words, 0, 0, "blocks")
    tissue = find_tissue(slide)
    stain, settings = slide_stain(slide, tissue), CellSettings(threads=max(cores() - 1, 1))
    blocks = _blocks(request, Box.of_shape(slide.shape))
    for at, block in enumerate(blocks):
        yield Progress(words, at, len(blocks), "blocks")
        wide = block.padded(round(HALO_UM / slide.um_per_px)).intersect(Box.of_shape(slide.shape))
        found = drain(detect_cells(slide, wide, mask=tissue, settings=settings, stain=stain))
        yield CellsFound(found.select(_inside(found, block)))
    yield Progress(words, len(blocks), len(blocks), "blocks")


def _blocks(request: PartRequest, whole: Box) -> list[Box]:
    """Return the blocks of a region, those nearest to the middle of the view first."""
    side = max(round(BLOCK_UM / request.slide.um_per_px), 1)
    blocks = list((request.region or whole).tiles(side))
    row, col = (request.view or request.region or whole).centre
    return sorted(blocks, key=lambda box: np.hypot(box.centre[0] - row, box.centre[1] - col))


def _inside(table: CellTable, box: Box) -> NDArray[np.bool_]:
    rows = (table.row_px >= box.row) & (table.row_px < box.row_stop)
    return np.asarray(rows & (table.col_px >= box.col) & (table.col_px < box.col_stop))
