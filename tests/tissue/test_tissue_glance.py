"""Bare glass or not, looked at where patches lie."""

from __future__ import annotations

import numpy as np
from tests.napari import handmade

from napari_her2.geometry import Box
from napari_her2.patches import PatchGrid
from napari_her2.slides import open_slide
from napari_her2.tissue import TISSUE_LABELS, find_tissue, off_glass


def test_patches_of_bare_glass_are_told_from_the_others(tmp_path):
    path = handmade.write_slide(tmp_path / "s.tif", handmade.picture("ihc"), 0.5)
    with open_slide(path) as slide:
        grid = PatchGrid.over(slide, 128, 0.5)
        boxes = [grid.box(*cell) for cell in grid.cells.tolist()]
        found = off_glass(slide, boxes)
        mask = find_tissue(slide)
        share = np.array([(mask.labels[_within(box, mask.level0_px)] > 0).mean() for box in boxes])
        assert found[share > 0.05].all()
        assert not found[share == 0].any()
        assert 0 < found.sum() < len(found)
        some = [5, 9, len(boxes) - 1]
        assert off_glass(slide, [boxes[i] for i in some]).shape == (3,)
        assert off_glass(slide, []).shape == (0,)
    assert mask.labels.max() <= max(TISSUE_LABELS.values())


def test_only_the_neighbourhood_is_read(tmp_path, monkeypatch):
    path = handmade.write_slide(tmp_path / "s.tif", handmade.picture("he", (4000, 4000)), 0.5)
    read = []
    with open_slide(path) as slide:
        whole = type(slide).read_at
        monkeypatch.setattr(
            type(slide), "read_at", lambda self, box, um: read.append(box) or whole(self, box, um)
        )
        assert off_glass(slide, [Box(2000, 2000, 256, 256)]).tolist() == [True]
        assert off_glass(slide, [Box(0, 3700, 256, 256)]).tolist() == [False]
    assert max(box.height for box in read) < 2200


def _within(box, scale):
    return np.s_[
        int(box.row // scale) : int(np.ceil(box.row_stop / scale)),
        int(box.col // scale) : int(np.ceil(box.col_stop / scale)),
    ]
