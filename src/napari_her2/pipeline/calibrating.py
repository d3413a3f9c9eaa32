"""Thresholds of the cell engine for this slide: as they are, or set by its control tissue on request."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells import CellSettings, calibrate, detect_cells
from napari_her2.errors import UsageError
from napari_her2.pipeline.finding import quiet
from napari_her2.scoring import CellCounts, control_call

if TYPE_CHECKING:
    from napari_her2.cells.planes import TileStain
    from napari_her2.events import Steps
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import Piece, TissueMask

__all__ = ["set_thresholds"]

CALIBRATING: Final = ("0", "3+")
"""Scores whose control says where a threshold lies: nothing is faint, or everything is intense."""


def set_thresholds(run: Run, tissue: TissueMask, stain: TileStain | None) -> Steps[None]:
    """Set ``run.cell_settings`` by the control tissue, if that is wished for.

    Only pieces count that a person named as control of 0 or 3+, and only if they show that score with
    the usual thresholds: a failed control must make the case indeterminate, never be made to fit.

    Parameters
    ----------
    run : Run
    tissue : TissueMask
        Of the IHC, with the roles of its pieces.
    stain : TileStain or None
        Of the IHC; None where it shows no tissue.

    Raises
    ------
    UsageError
        If no such piece was named.
    """
    if not run.plan["calibrate"]:
        return
    controls = [piece for piece in tissue.piece_list if _calibrates(piece)]
    if not controls:
        raise UsageError(
            f"{run.ihc.name} has no piece that a person named as control of 0 or 3+: name it "
            '(--pieces \'{"2": "control 3+"}\'), or leave --calibrate out'
        )

    def work() -> Steps[CellSettings]:
        settings = CellSettings()
        for piece in controls:
            settings = yield from quiet(_by_control(run, piece, tissue, stain, settings))
        return settings

    run.cell_settings = yield from run.stage(
        "calibration", work, needs=("stain",), usual=asdict(CellSettings()), **run.plan.facts("pieces")
    )


def _calibrates(piece: Piece) -> bool:
    return piece.role == "control" and piece.confirmed and piece.expected_score in CALIBRATING


def _by_control(
    run: Run, piece: Piece, tissue: TissueMask, stain: TileStain | None, settings: CellSettings
) -> Steps[CellSettings]:
    own = replace(tissue, labels=np.where(tissue.pieces == piece.label, tissue.labels, 0).astype(np.uint8))
    usual = CellSettings(threads=run.own_threads)
    cells = yield from detect_cells(run.ihc, piece.box, mask=own, settings=usual, stain=stain)
    shown = control_call(
        CellCounts.from_codes(cells.class_code[cells.evaluable]), piece.expected_score or "3+"
    )
    if not shown.adequate:
        return settings
    name = "positive" if piece.expected_score == "3+" else "negative"
    return (yield from calibrate(run.ihc, settings, mask=own, stain=stain, **{name: piece.box}))
