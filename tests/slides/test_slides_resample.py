"""Resampling keeps its place to a fraction of a pixel and means what an area mean means."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.geometry import Box
from napari_her2.slides import open_slide
from napari_her2.slides.resample import resample

ROWS, COLS = 90, 110
PICTURE = np.random.default_rng(3).integers(0, 256, (ROWS, COLS, 3), dtype=np.uint8)


def padded_read(box: Box) -> np.ndarray:
    """Read PICTURE with white outside."""
    out = np.full((box.height, box.width, 3), 255, np.uint8)
    part = box.intersect(Box(0, 0, ROWS, COLS))
    if part is not None:
        out[part.shifted(-box.row, -box.col).slices] = PICTURE[part.slices]
    return out


def exact_means(start: tuple[float, float], step: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """Mean over each footprint by the overlap of every pixel with it, written as plainly as can be."""
    box = Box(-20, -20, ROWS + 40, COLS + 40)
    source = padded_read(box).astype(np.float64)
    for axis in (0, 1):
        lower = np.arange(source.shape[axis]) - 20.0
        low = start[axis] + step[axis] * np.arange(shape[axis])[:, None]
        overlap = np.clip(np.minimum(low + step[axis], lower + 1) - np.maximum(low, lower), 0, None)
        source = np.moveaxis(np.tensordot(overlap / step[axis], source, axes=(1, axis)), 0, axis)
    return source


@settings(max_examples=60, deadline=None)
@given(
    start=st.tuples(st.floats(-15, 60), st.floats(-15, 60)),
    step=st.floats(1.0, 7.0),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_fractional_footprints_give_the_exact_area_mean(start, step, shape):
    got = resample(padded_read, start, (step, step), shape)
    assert got.shape == (*shape, 3)
    fine = step > 1.001  # else cv2 interpolates, with weights in steps of 1/32
    assert np.abs(got - exact_means(start, (step, step), shape)).max() <= (0.51 if fine else 9)


def test_bands_do_not_show(monkeypatch):
    whole = resample(padded_read, (1.3, 2.6), (1.7, 1.7), (40, 50))
    monkeypatch.setattr("napari_her2.slides.resample.BLOCK_PX", 20)
    assert np.array_equal(resample(padded_read, (1.3, 2.6), (1.7, 1.7), (40, 50)), whole)


def test_whole_footprints_equal_opencv():
    got = resample(padded_read, (10, 20), (4, 4), (15, 20))
    expected = cv2.resize(PICTURE[10:70, 20:100], (20, 15), interpolation=cv2.INTER_AREA)
    assert np.array_equal(got, expected)


def test_same_size_is_a_copy():
    assert np.array_equal(resample(padded_read, (3, 5), (1, 1), (30, 40)), PICTURE[3:33, 5:45])


GREY_PX = 8  # level-0 pixels per grey value of the ramp


def ramp_level(factor: float) -> np.ndarray:
    """Red rises with the row, green with the column; noise of one grey value hides the steps."""
    rows, cols = int(1600 / factor), int(1760 / factor)
    noise = np.random.default_rng(9).uniform(0, 1, (rows, cols, 2))
    row = (np.arange(rows)[:, None] + 0.5) * factor / GREY_PX + noise[..., 0]
    col = (np.arange(cols)[None] + 0.5) * factor / GREY_PX + noise[..., 1]
    return np.floor(np.stack([row, col, np.full_like(row, 100)], axis=2)).astype(np.uint8)


def worst_place(values: np.ndarray, start: float, step: float) -> float:
    """Largest error of a fitted line of places, at both ends, in level-0 pixels."""
    places = start + (np.arange(len(values)) + 0.5) * step
    line = np.polynomial.Polynomial.fit(places, (values + 0.0) * GREY_PX - places, 1)
    return float(np.abs(line(places[[0, -1]])).max())


@pytest.mark.parametrize("factor", [2.0, 2.5, 3.0])
@pytest.mark.parametrize(
    ("region", "um"),
    [
        (Box(0, 0, 1600, 1760), 4.0),
        (Box(3, 5, 1500, 1600), 1.0),
        (Box(101, 203, 777, 1111), 1.7),
        (Box(17, 333, 640, 641), 0.5),
        (Box(250, 251, 900, 901), 5.3),
        (Box(7, 9, 300, 310), 0.2),
    ],
)
def test_read_at_is_aligned_whatever_the_levels(make_slide, factor, region, um):
    """The place of the pixels, read off the ramp, is right to half a pixel of the level it came from."""
    levels = [ramp_level(factor**k) for k in range(4)]
    with open_slide(make_slide("ome.tif", levels[0], levels=levels, compression="lzw", um=0.25)) as slide:
        pixels = slide.read_at(region, um).astype(float)
        fine = max(level.downsample for level in slide.levels if level.downsample <= max(um / 0.25, 1) * 1.02)
    rows = worst_place(pixels[..., 0].mean(axis=1), region.row, region.height / pixels.shape[0])
    cols = worst_place(pixels[..., 1].mean(axis=0), region.col, region.width / pixels.shape[1])
    rounded = (
        0.2 if factor in (2.0, 3.0) else 0.5
    )  # grey values are rounded, and sizes of the other levels hide their exact factor
    assert max(rows, cols) <= rounded * fine + 0.3


@pytest.mark.parametrize(
    ("region", "um", "shape"),
    [
        (Box(0, 0, 400, 600), 0.5, (200, 300)),
        (Box(0, 0, 401, 601), 1.0, (100, 150)),
        (Box(10, 10, 1, 1), 10.0, (1, 1)),
        (Box(0, 0, 100, 100), 0.25, (100, 100)),
        (Box(0, 0, 100, 101), 0.1, (250, 252)),
        (Box(-50, -50, 100, 100), 0.3, (83, 83)),
    ],
)
def test_shape_of_read_at(make_slide, soft_picture, region, um, shape):
    with open_slide(make_slide("ome.tif", soft_picture, n_levels=3)) as slide:
        assert slide.read_at(region, um).shape == (*shape, 3)


def test_read_at_takes_a_level_up_to_two_percent_too_coarse(make_slide, soft_picture):
    """Levels of one flat colour each tell which one was read."""
    levels = [np.full((400 // 2**k, 600 // 2**k, 3), 50 + 50 * k, np.uint8) for k in range(3)]
    path = make_slide("ome.tif", soft_picture, levels=levels, compression="lzw")
    with open_slide(path) as slide:
        region = Box(40, 40, 200, 200)
        taken = {
            um: int(slide.read_at(region, um)[5, 5, 0]) for um in (0.25, 0.485, 0.492, 0.5, 0.97, 0.99, 8.0)
        }
    assert taken == {0.25: 50, 0.485: 50, 0.492: 100, 0.5: 100, 0.97: 100, 0.99: 150, 8.0: 150}


def test_neighbouring_regions_meet_without_a_seam(make_slide, soft_picture):
    """Cells near the border of two blocks must see the same pixels in both."""
    with open_slide(make_slide("ome.tif", soft_picture, n_levels=3, factor=2.5, compression="lzw")) as slide:
        whole = slide.read_at(Box(0, 0, 400, 600), 0.5)
        left, right = (slide.read_at(Box(0, col, 400, 300), 0.5) for col in (0, 300))
    assert np.array_equal(whole, np.hstack([left, right]))


def test_thumbnail(make_slide, soft_picture):
    with open_slide(make_slide("ome.tif", soft_picture, n_levels=3, compression="lzw")) as slide:
        small = slide.thumbnail(100)
        assert small.shape == (72, 100, 3)
        assert slide.thumbnail(5000).shape == soft_picture.shape
    expected = cv2.resize(soft_picture, (100, 72), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 1.5
