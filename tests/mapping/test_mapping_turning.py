"""The pose search: turned features are those of a turned picture, and no symmetry is lost."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.geometry import Affine
from napari_her2.mapping.coarse import search
from napari_her2.mapping.picture import Picture
from napari_her2.mapping.turning import Scaled, planes_of


@pytest.fixture(scope="module")
def blobs():
    """Smooth dark blobs on white, 60 x 80 pixels of 10 µm, without any symmetry."""
    import cv2

    rng = np.random.default_rng(5)
    dark = cv2.GaussianBlur(rng.random((60, 80), np.float32), (0, 0), 3.0)
    dark = np.clip(8 * (dark - dark.mean()), 0, None).astype(np.float32)
    return Picture(dark, np.ones(dark.shape, bool), np.ones(dark.shape, bool), (10.0, 10.0))


def drawn(picture: Picture, quarters: int, mirror: bool) -> Picture:
    planes = [np.rot90(plane, quarters) for plane in (picture.dark, picture.tissue, picture.seen)]
    dark, tissue, seen = (np.ascontiguousarray(plane[:, ::-1] if mirror else plane) for plane in planes)
    return Picture(dark, tissue, seen, picture.pixel_um)


def test_all_eight_symmetries_are_those_of_the_turned_picture(blobs):
    scaled = Scaled.of(blobs, 1.0)
    corners = np.array([[0.0, 0.0], [0.0, 80.0], [60.0, 0.0], [60.0, 80.0], [11.0, 53.0]])
    seen = set()
    for face in scaled.turned(0.0).faces:
        for turn in (face.turn, face.half_turn):
            seen.add(tuple(np.round(turn.linear, 9).ravel()))
            assert (turn(corners) >= 0).all()
            assert (turn(corners) <= scaled.side).all()
    assert len(seen) == 8


@pytest.mark.parametrize("quarters", [0, 1])
@pytest.mark.parametrize("mirror", [False, True])
def test_turned_features_equal_features_of_the_turned_picture(blobs, quarters, mirror):
    faces = list(Scaled.of(blobs, 1.0).turned(0.0).faces)
    canvas = faces[2 * quarters + mirror]
    turned = drawn(blobs, quarters, mirror)
    expected = planes_of(turned.dark, turned.seen, turned.tissue)
    corners = canvas.turn(np.array([[0.0, 0.0], [60.0, 80.0]]))
    top, left = np.round(corners.min(axis=0)).astype(int)
    rows, cols = expected.shape[1:]
    found = canvas.planes[:, top : top + rows, left : left + cols]
    inner = (slice(None), slice(3, -3), slice(3, -3))
    assert np.abs(found - expected)[inner].max() < 0.05


@pytest.mark.parametrize("degrees", [20.0, 63.0])
def test_features_turn_with_any_angle(blobs, degrees):
    import cv2

    scaled = Scaled.of(blobs, 1.0)
    canvas = scaled.turned(degrees)
    linear = canvas.turn.linear
    matrix = np.zeros((2, 3))
    matrix[:, :2] = linear[::-1, ::-1]
    matrix[:, 2] = (canvas.turn(np.array([[0.5, 0.5]]))[0] - 0.5)[::-1]
    dark = cv2.warpAffine(blobs.dark, matrix, (scaled.side, scaled.side), flags=cv2.INTER_CUBIC)
    whole = np.ones(dark.shape, bool)
    expected = planes_of(np.clip(dark, 0, None), whole, whole)
    middle = slice(scaled.side // 2 - 15, scaled.side // 2 + 15)
    for channel in (1, 2):
        pair = np.corrcoef(
            canvas.planes[channel, middle, middle].ravel(), expected[channel, middle, middle].ravel()
        )
        assert pair[0, 1] > 0.95


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_the_search_finds_every_symmetry_exactly(blobs, quarters, mirror):
    turned = drawn(blobs, quarters, mirror)
    ((_, poses),) = search(blobs, turned, degrees=45.0, scales=(1.0,))
    assert len(poses) <= 16
    best = max(poses, key=lambda pose: pose.score)
    rows, cols = blobs.shape
    points = np.array([[100.0, 100.0], [350.0, 620.0]])
    truth = points
    size = np.array([rows, cols]) * 10.0
    for _ in range(quarters):
        truth = np.stack([size[1] - truth[:, 1], truth[:, 0]], axis=1)
        size = size[::-1]
    if mirror:
        truth = np.stack([truth[:, 0], size[1] - truth[:, 1]], axis=1)
    assert np.abs(best.affine_um(points) - truth).max() <= 10.0
    assert (best.affine_um.determinant < 0) is mirror


def test_a_scale_is_undone(blobs):
    small = Scaled.of(blobs, 0.5)
    turn = small.turned(30.0).turn
    assert turn.stretch == pytest.approx(0.5, rel=0.02)
    assert np.allclose(turn.linear / 0.5, Affine.rotation(30.0).linear, atol=0.02)
