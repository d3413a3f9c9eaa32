"""Cells are kept tile by tile: a run that was stopped measures only what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.case import StageStore
from napari_her2.cells import CellSettings, detect_cells, slide_stain
from napari_her2.events import Progress, drain
from napari_her2.pipeline.finding import _Kept
from napari_her2.slides import open_slide
from napari_her2.tissue import find_tissue

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SMALL = CellSettings(tile_px=512, threads=1)


def test_a_stopped_run_measures_only_the_missing_tiles(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    import napari_her2.cells.detect as detect

    original = detect._one_tile

    def counted(*words: Any) -> Any:
        measured.append(words[-1])
        return original(*words)

    monkeypatch.setattr(detect, "_one_tile", counted)
    kept = _Kept(StageStore(tmp_path), "key")
    with open_slide(pair / "ihc.ome.tif") as slide:
        tissue = find_tissue(slide)
        stain = slide_stain(slide, tissue)
        steps = detect_cells(slide, mask=tissue, settings=SMALL, stain=stain, kept=kept)
        total = next(e.total for e in steps if isinstance(e, Progress) and e.done == 2)
        steps.close()
        before = len(measured)
        assert 2 <= before < total
        resumed = drain(detect_cells(slide, mask=tissue, settings=SMALL, stain=stain, kept=kept))
        assert len(measured) == total
        assert len(set(measured)) == total, "no tile twice"
        again = drain(detect_cells(slide, mask=tissue, settings=SMALL, stain=stain, kept=kept))
        assert len(measured) == total
        whole = drain(detect_cells(slide, mask=tissue, settings=SMALL, stain=stain))
    assert len(whole) > 20
    for table in (resumed, again):
        np.testing.assert_array_equal(table.points_px, whole.points_px)
        np.testing.assert_array_equal(table.class_code, whole.class_code)
