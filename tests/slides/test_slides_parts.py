"""Cache, levels, file access: the small parts, alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.errors import SlideError
from napari_her2.slides.cache import TileCache
from napari_her2.slides.files import FileBytes
from napari_her2.slides.levels import computed_grids, downsample_between, pyramid_indices


def tile(value: int, size: int = 100) -> np.ndarray:
    return np.full(size, value, np.uint8)


def test_cache_keeps_what_was_used_last():
    cache = TileCache(limit_bytes=300)
    for k in range(3):
        cache.get((0, 0, 0, k), lambda k=k: tile(k))
    cache.get((0, 0, 0, 0), lambda: pytest.fail("it was held"))
    cache.get((0, 0, 0, 3), lambda: tile(3))  # tile 1 goes
    assert cache.get((0, 0, 0, 0), lambda: pytest.fail("it was held"))[0] == 0
    decoded = []
    cache.get((0, 0, 0, 1), lambda: decoded.append(1) or tile(1))
    assert decoded == [1]
    assert cache.info().held_bytes == 300


def test_cache_forgets_one_slide_and_shrinks():
    cache = TileCache(limit_bytes=1000)
    for slide in (1, 2):
        for k in range(4):
            cache.get((slide, 0, 0, k), lambda: tile(0))
    cache.forget(1)
    assert (cache.info().tiles, cache.info().held_bytes) == (4, 400)
    cache.resize(150)
    assert (cache.info().tiles, cache.info().held_bytes) == (1, 100)
    cache.get((3, 0, 0, 0), lambda: tile(0, 200))  # larger than the whole cache: passed through
    assert cache.info().tiles == 1


def test_cached_tiles_cannot_be_changed():
    got = TileCache().get((0, 0, 0, 0), lambda: tile(1))
    with pytest.raises(ValueError, match="read-only"):
        got[0] = 5


def test_cache_is_bounded_under_threads():
    cache = TileCache(limit_bytes=1000)

    def work(seed: int) -> None:
        for k in np.random.default_rng(seed).integers(0, 50, 500):
            assert cache.get((0, 0, 0, int(k)), lambda k=k: tile(int(k)))[0] == k

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    info = cache.info()
    assert info.held_bytes == 100 * info.tiles <= 1000
    assert info.hits + info.misses == 4000


@pytest.mark.parametrize(
    ("full", "small", "factor"),
    [
        ((5013, 5120), (156, 160), 32.0),  # sizes rounded down five times
        ((3567, 4443), (1783, 2221), 2.0),
        ((4691, 5120), (146, 160), 32.0),
        ((1001, 999), (501, 500), 2.0),  # rounded up
        ((3000, 2001), (1000, 667), 3.0),
        ((1000, 2000), (400, 800), 2.5),
        ((1000, 1000), (667, 667), 1000 / 667),
        ((100_000, 100_000), (6250, 6250), 16.0),
        ((77, 91), (77, 91), 1.0),
    ],
)
def test_downsample(full, small, factor):
    assert downsample_between(full, small) == pytest.approx(factor, rel=1e-9)


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(0, 6))
def test_downsample_of_halved_sizes_is_the_power_of_two(rows, cols, power):
    """Whatever the rounding, sizes never lie a whole pixel off."""
    small = (max(rows >> power, 1), max(cols >> power, 1))
    factor = downsample_between((rows, cols), small)
    if min(small) > 2:
        assert all(abs(f / factor - s) < 1 for f, s in zip((rows, cols), small, strict=True))
    if min(small) >= 2 ** (power + 1):
        assert factor == 2**power


@pytest.mark.parametrize(
    ("shapes", "kept"),
    [
        ([(100, 200)], (0,)),
        ([(100, 200), (50, 100), (25, 50)], (0, 1, 2)),
        ([(100, 200), (100, 200), (50, 100), (50, 100), (25, 50)], (0, 2, 4)),
        ([(100, 200), (50, 50), (50, 100)], (0, 2)),
        ([(100, 200), (200, 400)], (0,)),
        ([(100, 200), (0, 0)], (0,)),
    ],
)
def test_pyramid_of_what_strictly_shrinks(shapes, kept):
    assert pyramid_indices(shapes) == kept


@pytest.mark.parametrize(
    ("coarsest", "shapes"),
    [
        ((4096, 3000), []),
        ((4097, 10), [(2049, 5), (1025, 3)]),
        ((9911, 9274), [(4956, 4637), (2478, 2319), (1239, 1160)]),
    ],
)
def test_computed_levels(coarsest, shapes):
    assert [grid.shape for grid in computed_grids(coarsest)] == shapes


@pytest.mark.parametrize("with_pread", [True, False])
def test_bytes_by_position(tmp_path, monkeypatch, with_pread):
    if not with_pread:
        monkeypatch.delattr(os, "pread", raising=False)
    path = tmp_path / "numbers"
    data = np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    file = FileBytes(path)

    def work(seed: int) -> bool:
        places = np.random.default_rng(seed).integers(0, 90_000, 300)
        return all(file.read(int(at), 999) == data[at : at + 999] for at in places)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    with pytest.raises(SlideError, match="ends before"):
        file.read(99_999, 2)
    file.close()
    with pytest.raises(SlideError, match="is closed"):
        file.read(0, 1)
