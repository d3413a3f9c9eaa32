"""Landmarks bend a finished map where they lie, and their own errors are noticed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_her2.geometry import Affine
from napari_her2.mapping import Landmarks, SlideFrame, leave_one_out_um, refit

FRAME = SlideFrame((8000, 8000), 0.5)
SPREAD = np.array([[2000, 2000], [2000, 6000], [6000, 2000], [6000, 6000], [4000, 4000], [3000, 5000]], float)


def shifted(mapping, points, by_px):
    return Landmarks.of(points, mapping.he_to_ihc(points) + by_px)


@pytest.fixture
def mapping(make_mapping):
    return make_mapping(Affine.rotation(10.0, (2000.0, 2000.0)), FRAME, FRAME, error_um=40.0)


def test_no_landmarks_change_nothing(mapping):
    assert refit(mapping, Landmarks.of()) is mapping
    assert leave_one_out_um(mapping, Landmarks.of()).shape == (0,)


def test_one_landmark_pulls_its_surroundings_only(mapping):
    marks = shifted(mapping, [[4000.0, 4000.0]], [60.0, 0.0])
    bent = refit(mapping, marks)
    moved_um = np.linalg.norm(bent.he_to_ihc(SPREAD) - mapping.he_to_ihc(SPREAD), axis=1) * 0.5
    assert np.linalg.norm(bent.he_to_ihc(marks.he_px) - marks.ihc_px) * 0.5 < 5.0
    assert moved_um[4] > 25
    assert (moved_um[:4] < 3).all()
    assert bent.kind == "nonrigid"
    assert bent.min_jacobian > 0


def test_agreeing_landmarks_stay_within_their_error_and_are_quick(mapping):
    rng = np.random.default_rng(0)
    points = rng.uniform(1000, 7000, (40, 2))
    marks = shifted(mapping, points, np.array([30.0, -20.0]) + rng.normal(0, 4, (40, 2)))
    began = time.perf_counter()
    bent = refit(mapping, marks)
    assert time.perf_counter() - began < 3.0
    left = np.linalg.norm(bent.he_to_ihc(points) - marks.ihc_px, axis=1) * 0.5
    assert np.median(left) < 4
    assert not bent.needs_review
    between = rng.uniform(2000, 6000, (100, 2))
    miss = bent.he_to_ihc(between) - mapping.he_to_ihc(between) - [30.0, -20.0]
    assert np.median(np.linalg.norm(miss, axis=1)) * 0.5 < 8


def test_the_wrong_one_stands_out_when_left_out(mapping):
    points = np.random.default_rng(1).uniform(1000, 7000, (30, 2))
    marks = shifted(mapping, points, [0.0, 0.0])
    wrong = marks.moved(7, ihc_px=marks.ihc_px[7] + [400.0, 0.0])
    errors = leave_one_out_um(mapping, wrong)
    assert errors.argmax() == 7
    assert errors[7] > 150
    assert np.median(errors) < 10


def test_left_out_errors_match_a_true_refit_without_the_landmark(mapping):
    rng = np.random.default_rng(2)
    points = rng.uniform(1000, 7000, (12, 2))
    marks = shifted(mapping, points, rng.normal(0, 30, (12, 2)))
    quick = leave_one_out_um(mapping, marks)
    for which in (0, 5):
        without = refit(mapping, marks.without(which))
        true = np.linalg.norm(without.he_to_ihc(points[[which]]) - marks.ihc_px[[which]]) * 0.5
        assert quick[which] == pytest.approx(true, abs=2.0)


def test_landmarks_that_contradict_the_pose_replace_it(mapping, make_mapping):
    true = make_mapping(Affine.rotation(190.0, (2000.0, 2000.0)), FRAME, FRAME)
    marks = Landmarks.of(SPREAD, true.he_to_ihc(SPREAD))
    turned = refit(mapping, marks)
    elsewhere = np.array([[2500.0, 3000.0], [5200.0, 4100.0]])
    assert np.allclose(turned.he_to_ihc(elsewhere), true.he_to_ihc(elsewhere), atol=4)
