"""Magic wand and superpixels on pictures with known truth."""

from __future__ import annotations

import numpy as np

from napari_her2.annotation.tools import stain_plane, superpixels, wand


def test_the_wand_takes_what_is_alike_and_connected() -> None:
    plane = np.zeros((60, 80), np.float32)
    plane[10:30, 10:30], plane[40:50, 40:60], plane[10:30, 30:34] = 0.8, 0.8, 0.7
    found = wand(plane, (15, 15), 0.05, gap_px=0)
    assert found.sum() == 400
    assert wand(plane, (15, 15), 0.15, gap_px=0).sum() == 480
    assert wand(plane, (0, 0), 0.05, gap_px=0).sum() == plane.size - 480 - 200
    assert wand(plane, (0, 79), 0.05)[0, 79]


def test_the_wand_closes_small_gaps() -> None:
    plane = np.ones((40, 40), np.float32)
    plane[20, :], plane[5, 5] = 0, 0
    assert wand(plane, (10, 10), 0.1, gap_px=0).sum() == 20 * 40 - 1
    assert wand(plane, (10, 10), 0.1, gap_px=1).all()


def test_brown_and_blue_are_told_apart() -> None:
    rgb = np.full((20, 60, 3), 245, np.uint8)
    rgb[:, 20:40], rgb[:, 40:] = (150, 100, 60), (110, 110, 190)
    white = np.array([245.0, 245, 245])
    brown, blue = (stain_plane(rgb, white, which) for which in ("brown", "blue"))
    assert brown[10, 30] > 0.3 > brown[10, 50] + 0.2
    assert blue[10, 50] > blue[10, 30] + 0.1
    assert abs(brown[10, 5]) < 0.02


def test_superpixels_follow_edges() -> None:
    rows, cols = np.mgrid[:256, :320]
    inside = np.hypot(rows - 120, cols - 150) < 80
    rgb = np.where(inside[..., None], (150, 90, 60), (235, 232, 240)).astype(np.uint8)
    labels = superpixels(rgb, 0.5)
    assert labels.shape == (256, 320)
    n = labels.max()
    assert 0.5 < n / (256 * 320 * 0.25 / 144) < 1.6
    share = np.array([inside[labels == k].mean() for k in range(1, n + 1)])
    assert ((share < 0.15) | (share > 0.85)).mean() > 0.95


def test_large_pictures_are_reduced_first() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (1000, 1203, 3)).astype(np.uint8)
    labels = superpixels(rgb, 0.25)
    assert labels.shape == (1000, 1203)
    assert (labels[::2, ::2][:500, :601] == labels[1::2, 1::2]).all()
