"""Landmarks that only seed: the finished map can be judged by them before it is bent through them."""

from __future__ import annotations

import numpy as np

from napari_her2.mapping import Landmarks, MappingSettings, leave_one_out_um, refit, register_images


def test_seeding_alone_equals_bending_later(make_pair):
    pair = make_pair(9, degrees=100.0, um=(6.0, 6.0))
    marks = Landmarks.of(pair.points_um[::12] / 6.0, pair.he_to_ihc_um(pair.points_um[::12]) / 6.0)
    um = {"he_um_per_px": 6.0, "ihc_um_per_px": 6.0}
    seeded = register_images(
        pair.he, pair.ihc, landmarks=marks, settings=MappingSettings(through_landmarks=False), **um
    )
    at_once = register_images(pair.he, pair.ihc, landmarks=marks, **um)
    later = refit(seeded, marks)
    points = pair.points_um / 6.0
    assert np.array_equal(later.he_to_ihc(points), at_once.he_to_ihc(points))
    assert not np.array_equal(seeded.he_to_ihc(points), at_once.he_to_ihc(points))
    assert np.median(leave_one_out_um(seeded, marks)) < 10.0
