"""Wide, flat foreground must not cost more than many small nuclei."""

from __future__ import annotations

import numpy as np

from napari_her2.cells.nuclei import _first_of_each, _seeds


def test_a_wide_flat_blob_gives_few_seeds() -> None:
    mask = np.zeros((600, 600), np.uint8)
    mask[50:550, 50:550] = 1
    assert len(_seeds(mask, 0.5)) < 50


def test_one_pixel_stands_for_a_connected_peak() -> None:
    peaks = np.zeros((20, 20), np.uint8)
    peaks[2:5, 2:9] = 1
    peaks[10, 10] = 1
    assert _first_of_each(peaks).tolist() == [[2, 2], [10, 10]]
