"""Regions of any place and level, by one thread or many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_her2.errors import SlideError
from napari_her2.geometry import Box
from napari_her2.slides import open_slide, set_tile_cache_bytes, tile_cache_info

WHITE = (236, 240, 233)


@pytest.fixture(scope="module")
def glass() -> np.ndarray:
    """Noise on glass of a known white, whose sides no tile divides."""
    rng = np.random.default_rng(5)
    picture = np.full((413, 587, 3), WHITE, np.uint8)
    picture[60:300, 100:450] = rng.integers(0, 200, (240, 350, 3), dtype=np.uint8)
    return picture


def cropped(picture: np.ndarray, box: Box) -> np.ndarray:
    out = np.full((box.height, box.width, 3), WHITE, np.uint8)
    part = box.intersect(Box.of_shape(picture.shape))
    if part is not None:
        out[part.shifted(-box.row, -box.col).slices] = picture[part.slices]
    return out


@pytest.mark.parametrize(
    ("kind", "how"),
    [("ome.tif", {"compression": "lzw"}), ("zarr", {"axes": "cyx"}), ("png", {}), ("tif", {})],
)
def test_a_region_is_a_crop_with_white_around(make_slide, glass, kind, how):
    with open_slide(make_slide(kind, glass, **how)) as slide:
        assert slide.white == WHITE

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.integers(-700, 700), st.integers(-700, 700), st.integers(1, 500), st.integers(1, 500))
        def check(row: int, col: int, height: int, width: int) -> None:
            box = Box(row, col, height, width)
            assert np.array_equal(slide.read(box), cropped(glass, box))

        check()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(-300, 900),
    st.integers(-300, 900),
    st.integers(1, 600),
    st.integers(1, 600),
    st.integers(0, 3),
)
def test_size_of_a_region_at_a_level(glass_pyramid, row, col, height, width, level):
    region = Box(row, col, height, width)
    expected = region.divided(glass_pyramid.levels[level].downsample)
    assert glass_pyramid.read(region, level).shape == (expected.height, expected.width, 3)


@pytest.fixture
def glass_pyramid(make_slide, glass):
    with open_slide(make_slide("ome.tif", glass, n_levels=4, factor=1.7, compression="lzw")) as slide:
        yield slide


def test_levels_that_shrink_by_broken_numbers(glass_pyramid):
    assert [level.shape for level in glass_pyramid.levels] == [(413, 587), (242, 345), (142, 203), (84, 119)]
    assert [level.downsample for level in glass_pyramid.levels] == pytest.approx(
        [1, 1.7, 1.7**2, 1.7**3], rel=0.01
    )
    assert [level.um_per_px for level in glass_pyramid.levels] == pytest.approx(
        [0.25, 0.425, 0.7225, 1.228], rel=0.01
    )


def test_levels_that_do_not_shrink_or_change_their_aspect_are_dropped(make_slide, glass):
    levels = [glass, glass, glass[::2, ::2], glass[:150, :150], glass[::4, ::4], glass[::2, ::2]]
    with open_slide(make_slide("ome.tif", glass, levels=levels, compression="lzw")) as slide:
        assert [level.shape for level in slide.levels] == [(413, 587), (207, 294), (104, 147)]
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        assert np.array_equal(slide.read_level(Box(0, 0, 104, 147), 2), glass[::4, ::4])


@pytest.mark.parametrize("level", [1, 2, 3])
def test_no_white_line_where_a_levels_size_was_rounded_down(make_slide, level):
    """439 x 611 at a factor of 4 is 109 x 152 stored, but the slide's last pixels reach into a 153rd."""
    dark = np.full((439, 611, 3), 90, np.uint8)
    path = make_slide("ome.tif", dark, n_levels=4, compression="lzw")
    with open_slide(path) as slide:
        whole = slide.read(Box(0, 0, 439, 611), level)
        corner = slide.read(Box(423, 595, 16, 16), level)
        around = slide.read(Box(0, 0, 439 + 80, 611 + 80), level)
    assert (whole == 90).all()
    assert (corner == 90).all()
    assert (around[-5:, -5:] == 255).all()


@pytest.mark.parametrize(
    ("kind", "how"), [("ome.tif", {"n_levels": 2}), ("zarr", {}), ("jpg", {"quality": 90})]
)
def test_eight_threads_read_what_one_reads(make_slide, soft_picture, kind, how):
    rng = np.random.default_rng(8)
    boxes = [Box(int(r), int(c), int(h), int(w)) for r, c, h, w in rng.integers(1, 300, (200, 4))]
    path = make_slide(kind, soft_picture, **how)
    with open_slide(path) as slide:
        expected = [slide.read(box) for box in boxes]
    start = threading.Barrier(8)
    with open_slide(path) as slide, ThreadPoolExecutor(8) as pool:

        def work(first: int) -> list[np.ndarray]:
            start.wait()
            return [slide.read(box) for box in boxes[first::8]]

        got = list(pool.map(work, range(8)))
    for first, blocks in enumerate(got):
        for block, right in zip(blocks, expected[first::8], strict=True):
            assert np.array_equal(block, right)


def test_a_tiny_cache_changes_nothing_but_the_speed(make_slide, glass):
    path = make_slide("ome.tif", glass, compression="lzw")
    try:
        set_tile_cache_bytes(100_000)  # two tiles
        with open_slide(path) as slide:
            assert np.array_equal(slide.read(Box.of_shape(glass.shape)), glass)
            assert 0 < tile_cache_info().held_bytes <= 100_000
        assert tile_cache_info().held_bytes == 0
    finally:
        set_tile_cache_bytes(256 * 2**20)


def test_what_is_read_may_be_changed_without_harm(make_slide, glass):
    with open_slide(make_slide("png", glass)) as slide:
        first = slide.read(Box(0, 0, 100, 100))
        first[...] = 0
        assert np.array_equal(slide.read(Box(0, 0, 100, 100)), glass[:100, :100])


@pytest.mark.parametrize(("kind", "how"), [("ome.tif", {}), ("zarr", {}), ("png", {})])
def test_a_closed_slide_says_so(make_slide, glass, kind, how):
    slide = open_slide(make_slide(kind, glass, **how))
    slide.read(Box(0, 0, 10, 10))
    slide.close()
    slide.close()
    assert slide.closed
    with pytest.raises(SlideError, match="is closed"):
        slide.read(Box(0, 0, 10, 10))


def test_the_file_is_released(make_slide, glass):
    path = make_slide("ome.tif", glass)
    with open_slide(path) as slide:
        slide.read(Box(0, 0, 10, 10))
    path.unlink()  # Windows refuses this while a handle is open
    assert not path.exists()


def test_pyramid_is_lazy_and_right(make_slide, glass):
    path = make_slide("ome.tif", glass, n_levels=3, compression="lzw")
    with open_slide(path) as slide:
        before = tile_cache_info().misses
        pyramid = slide.pyramid
        assert tile_cache_info().misses == before
        assert [level.shape for level in pyramid] == [(413, 587, 3), (206, 293, 3), (103, 146, 3)]
        assert all(level.dtype == np.uint8 for level in pyramid)
        assert pyramid[0].chunks == ((413,), (512, 75), (3,))
        with dask.config.set(scheduler="threads", num_workers=4):
            assert np.array_equal(pyramid[0].compute(), glass)
            assert np.array_equal(pyramid[0][50:77, 100:300, 1].compute(), glass[50:77, 100:300, 1])
        names = {level.name for level in pyramid}
    with open_slide(path) as again:
        assert not names & {level.name for level in again.pyramid}


@pytest.mark.parametrize(
    ("tile", "chunk"),
    [(64, 512), (128, 512), (240, 720), (256, 512), (512, 512), (1024, 1024), (1500, 1500), (9000, 1024)],
)
def test_chunks_are_whole_tiles(tile, chunk):
    from napari_her2.slides.lazy import chunk_px

    assert chunk_px(tile) == chunk


def test_computed_levels_below_a_large_coarsest_one(make_slide, monkeypatch):
    monkeypatch.setattr("napari_her2.slides.levels.COMPUTE_ABOVE_PX", 800)
    monkeypatch.setattr("napari_her2.slides.levels.COMPUTE_UNTIL_PX", 200)
    picture = np.random.default_rng(2).integers(0, 256, (901, 1203, 3), dtype=np.uint8)
    with open_slide(make_slide("ome.tif", picture, compression="lzw")) as slide:
        assert [level.shape for level in slide.levels] == [(901, 1203), (451, 602), (226, 301), (113, 151)]
        assert [level.downsample for level in slide.levels] == [1, 2, 4, 8]
        assert [level.stored for level in slide.levels] == [True, False, False, False]
        half = slide.read_level(Box(0, 0, 450, 601), 1)
        quarter = slide.read_level(Box(0, 0, 225, 300), 2)
    means = picture[:900, :1202].reshape(450, 2, 601, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - means).max() <= 0.51
    means = picture[:900, :1200].reshape(225, 4, 300, 4, 3).mean(axis=(1, 3))
    assert np.abs(quarter - means).max() <= 1.01


def test_computed_levels_keep_transparency_out_of_the_colours(make_slide, monkeypatch):
    monkeypatch.setattr("napari_her2.slides.levels.COMPUTE_ABOVE_PX", 800)
    monkeypatch.setattr("napari_her2.slides.levels.COMPUTE_UNTIL_PX", 500)
    rgba = np.zeros((1000, 1000, 4), np.uint8)
    rgba[:501, :, :] = (100, 120, 140, 255)
    with open_slide(make_slide("png", rgba)) as slide:
        half = slide.read_level(Box(0, 0, 500, 500), 1)
    assert (half[:250] == (100, 120, 140)).all()
    assert np.abs(half[250].astype(int) - [178, 188, 198]).max() <= 1  # half covered, half white
    assert (half[251:] == 255).all()
