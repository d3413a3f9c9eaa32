"""Words over the canvas, and one stain alone; no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.napari.test_napari_steps import Desk

from napari_her2._napari.case_view import CellsView
from napari_her2._napari.hud import counted_in, legend_for, magnification_words
from napari_her2._napari.stains import StainView
from napari_her2._napari.viewing import zoom_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("wanted", "words"), [(2.5, "2.5"), (5, "5.0"), (9.96, "10"), (40, "40")])
def test_magnification(wanted: float, words: str) -> None:
    assert magnification_words(zoom_of(wanted)) == f"{words}\u00d7"


def test_legend_names_what_is_shown_and_nothing_else() -> None:
    assert legend_for([]) == ()
    assert [words for _, words in legend_for(["cells"])] == ["3+", "2+", "unusual", "1+", "0"]
    assert legend_for(["error"]) == (("#FDE737", "alignment error ≥ 100 µm"),)
    both = [words for _, words in legend_for(["heat", "her2", "outline"])]
    assert both[0] == "3+"
    assert both[-2:] == ["tumour area", "tumour probability"]


def test_field_counter() -> None:
    points = np.array([(10.0, 10.0), (20.0, 20.0), (30.0, 30.0), (99.0, 99.0)])
    cells = CellsView(points_um=points, class_code=np.array([3, 3, 0, 2], np.uint8), features={}, total=4)
    counts = counted_in(cells, np.array([(0, 0), (0, 50), (50, 50), (50, 0)]))
    assert counts.tolist() == [1, 0, 0, 2, 0]
    words = [text for _, text in legend_for(["cells"], counts)]
    assert words[0].split() == ["3+", "2", "(67", "%)"]
    assert words[-1].split() == ["0", "1", "(33", "%)"]
    assert legend_for(["cells"], np.zeros(5, int)) == legend_for(["cells"])


def test_overlays_hide_while_a_key_is_held(case: Path) -> None:
    desk = Desk()
    desk.control.open([case])
    assert desk.canvas.visible_keys() == {"outline", "outline_he", "cells"}
    hidden = desk.canvas.hide_overlays()
    assert desk.canvas.visible_keys() == set()
    assert {layer.name for layer in hidden} == {"cells", "tumour area, IHC", "tumour area, H&E"}
    desk.worklist.close()
    desk.control.close()


def test_one_stain_goes_round(pair: tuple[Path, Path]) -> None:
    desk = Desk()
    desk.control.open(pair)
    view = StainView(desk.session, desk.canvas)
    seen: list[Any] = []
    for _ in range(4):
        view.cycle()
        layer = desk.canvas.layer("stain")
        seen.append(None if layer is None else layer.name)
    assert seen == ["IHC, haematoxylin alone", "IHC, dab alone", None, "IHC, haematoxylin alone"]
    ihc: Any = desk.canvas.layer("ihc")
    layers = desk.viewer.layers
    assert layers.index(desk.canvas.layer("stain")) > layers.index(ihc)
    desk.control.close_slide("ihc")
    assert desk.canvas.layer("stain") is None
    desk.worklist.close()
    desk.control.close()
