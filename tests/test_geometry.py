"""One convention: (row, col), corner-based, level-0 pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.geometry import Affine, Box, from_xy, to_xy

boxes = st.builds(
    Box, st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 400), st.integers(1, 400)
)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
def test_a_box_has_a_size(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="positive size"):
        Box(0, 0, height, width)


def test_the_parts_of_a_box() -> None:
    box = Box(10, 20, 30, 40)
    assert (box.row_stop, box.col_stop, box.centre) == (40, 60, (25.0, 40.0))
    assert box.xywh == (20, 10, 40, 30)
    assert Box.from_xywh(*box.xywh) == box
    assert Box.of_shape((7, 9, 3)) == Box(0, 0, 7, 9)
    assert box.size_um(0.25) == (7.5, 10.0)
    assert box.shifted(-10, 5) == Box(0, 25, 30, 40)
    image = np.arange(100 * 100).reshape(100, 100)
    assert image[box.slices].shape == (30, 40)
    assert image[box.slices][0, 0] == image[10, 20]


@given(boxes, boxes)
def test_the_common_part_is_what_both_contain(one: Box, other: Box) -> None:
    common = one.intersect(other)
    assert common == other.intersect(one)
    if common is None:
        assert (
            one.row_stop <= other.row
            or other.row_stop <= one.row
            or one.col_stop <= other.col
            or (other.col_stop <= one.col)
        )
    else:
        assert one.contains(common)
        assert other.contains(common)


def test_boxes_that_only_touch_share_nothing() -> None:
    assert Box(0, 0, 5, 5).intersect(Box(5, 0, 5, 5)) is None
    assert Box(0, 0, 5, 5).intersect(Box(4, 4, 5, 5)) == Box(4, 4, 1, 1)
    assert not Box(0, 0, 5, 5).contains(Box(1, 1, 5, 2))


@given(boxes, st.integers(1, 90))
def test_padding_comes_back(box: Box, margin: int) -> None:
    assert box.padded(margin).padded(-margin) == box
    assert box.padded(margin).contains(box)


small_boxes = st.builds(
    Box, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 40), st.integers(1, 40)
)


@settings(max_examples=50, deadline=None)
@given(small_boxes, st.integers(1, 50))
def test_tiles_cover_a_box_once(box: Box, size: int) -> None:
    painted = np.zeros((box.height, box.width), int)
    for tile in box.tiles(size):
        assert box.contains(tile)
        assert max(tile.height, tile.width) <= size
        painted[tile.shifted(-box.row, -box.col).slices] += 1
    assert (painted == 1).all()


@given(boxes, st.sampled_from([1.0, 2.0, 4.0, 3.999, 16.0]))
def test_neighbours_stay_neighbours_in_a_coarser_level(box: Box, downsample: float) -> None:
    right = Box(box.row, box.col_stop, box.height, 400)
    small, beside = box.divided(downsample), right.divided(downsample)
    assert small.height >= 1
    assert small.width >= 1
    assert beside.col - small.col_stop in ((0, -1) if small.width == 1 else (0,))
    assert abs(small.row * downsample - box.row) <= downsample / 2 + 1e-9
    if downsample == 1:
        assert small == box


def test_points_swap_at_the_border_only() -> None:
    points = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert to_xy(points).tolist() == [[2.0, 1.0], [4.0, 3.0]]
    assert from_xy(to_xy(points)).tolist() == points.tolist()
    assert to_xy([5, 6]).shape == (1, 2)
    swapped = to_xy(points)
    swapped[:] = 0
    assert points[0, 0] == 1  # a copy


affines = st.builds(
    lambda angle, scale, shift, mirror: (
        Affine.translation(*shift)
        @ Affine.rotation(angle, (10.0, 20.0))
        @ Affine.of(np.diag([scale, -scale if mirror else scale]))
    ),
    st.floats(-360, 360),
    st.floats(0.1, 10),
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    st.booleans(),
)


@given(affines, st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=5))
def test_there_and_back(affine: Affine, points: list[tuple[float, float]]) -> None:
    assert affine.inverse(affine(points)) == pytest.approx(np.array(points), abs=1e-5)
    assert Affine.from_matrix(affine.matrix)(points) == pytest.approx(affine(points))


@given(affines, affines)
def test_composition_applies_the_right_one_first(second: Affine, first: Affine) -> None:
    points = np.array([[0.0, 0.0], [3.0, -7.0]])
    assert (second @ first)(points) == pytest.approx(second(first(points)), rel=1e-9, abs=1e-6)
    assert (second @ first).determinant == pytest.approx(second.determinant * first.determinant)
    assert (second @ first).matrix == pytest.approx(second.matrix @ first.matrix, rel=1e-9, abs=1e-6)


def test_a_rotation_turns_rows_towards_columns() -> None:
    quarter = Affine.rotation(90)
    assert quarter([(1, 0)]) == pytest.approx(np.array([[0, 1]]))
    about = Affine.rotation(30, (5, 6))
    assert about([(5, 6)]) == pytest.approx(np.array([[5, 6]]))
    assert about.determinant == pytest.approx(1)
    assert Affine.of(np.diag([1, -1])).determinant == pytest.approx(-1)
    assert Affine.identity()([(3, 4)]).tolist() == [[3, 4]]
    assert Affine.scaling(0.5)([(3, 4)]).tolist() == [[1.5, 2]]


def test_from_a_two_by_three_matrix() -> None:
    affine = Affine.from_matrix([[1, 0, 5], [0, 2, 6]])
    assert affine([(1, 1)]).tolist() == [[6, 8]]
