"""Cells of the IHC, tile by tile, each tile kept as soon as it is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_her2.cells import CellTable, detect_cells, find_unread, slide_stain
from napari_her2.events import Progress, StageDone
from napari_her2.pipeline.gate import under
from napari_her2.tissue import TISSUE_LABELS

if TYPE_CHECKING:
    from napari_her2.case import StageStore
    from napari_her2.cells import CellSettings, Unread
    from napari_her2.cells.planes import TileStain
    from napari_her2.cells.tile import Measured
    from napari_her2.events import Steps
    from napari_her2.geometry import Box
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import TissueMask

__all__ = ["find_cells", "measure_stain", "measure_unread", "quiet"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept:
    """Finished tiles of one slide, settings and stain."""

    store: StageStore
    key: str

    def load(self, own: Box) -> Measured | None:
        found: Measured | None = self.store.load("cells", self.key, _name(own))
        return found

    def save(self, own: Box, tile: Measured) -> None:
        self.store.save("cells", self.key, tile, _name(own))


def _name(own: Box) -> str:
    return f"{own.row}_{own.col}_{own.height}_{own.width}"


def quiet(steps: Steps[T]) -> Steps[T]:
    """Pass progress on, but not the end of inner stages."""
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if not isinstance(event, StageDone):
            yield event


def measure_stain(run: Run, tissue: TissueMask) -> Steps[TileStain | None]:
    """Measure light and stain of the IHC, once for the whole slide; None where it shows no tissue."""
    if not tissue.piece_list:
        return None

    def work() -> Steps[TileStain]:
        yield Progress("stain", 0, 1, "slides")
        return slide_stain(run.ihc, tissue)

    return (yield from run.stage("stain", work, needs=("tissue_ihc",)))


def find_cells(run: Run, gate: Gate, stain: TileStain | None) -> Steps[CellTable]:
    """Find the cells near the tumour area and on controls.

    A changed area finds the tiles that were measured before; a changed slide, stain or setting does not.
    """
    if stain is None:
        return CellTable.empty()
    settings = replace(run.cell_settings, threads=run.own_threads)
    kept = _Kept(run.store, run.key("cells", ("stain",), _facts(settings)))
    wanted = gate.wanted()
    labels = gate.tissue.labels
    mask = replace(gate.tissue, labels=np.where((labels == TISSUE_LABELS["tissue"]) & ~wanted, 0, labels))

    def work() -> Steps[CellTable]:
        table = yield from quiet(detect_cells(run.ihc, mask=mask, settings=settings, stain=stain, kept=kept))
        return table.select(under(table.points_px, wanted, mask.level0_px))

    upstream = ("cells", "mapping", "tumour") if gate.tumour is not None else ("cells",)
    facts = run.plan.facts("roi", "pieces") | ({"said": run.said.where} if run.said.where else {})
    return (yield from run.stage("cell_table", work, needs=upstream, **facts))


def measure_unread(run: Run, gate: Gate, stain: TileStain | None, cells: CellTable) -> Steps[Unread | None]:
    """Measure the stain no counted cell explains, where cells count; None where the IHC shows no tissue."""
    if stain is None:
        return None
    yield Progress("unread", 0, 1, "squares")
    labels = np.where(gate.inside(), gate.tissue.labels, 0)
    return find_unread(run.ihc, stain, run.cell_settings, replace(gate.tissue, labels=labels), cells)


def _facts(settings: CellSettings) -> dict[str, object]:
    """Return the settings that change the result; how many threads share the work does not."""
    return {name: value for name, value in asdict(settings).items() if name not in ("threads", "tile_px")}
