"""Pyramids for the screen: at once for napari, true for everybody else, coarse first, bounded."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2._napari.pyramid import TILE_PX, TilePyramid, view_levels
from napari_her2._napari.sources import ArraySource
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2.errors import SlideError
from napari_her2.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2._napari.pyramid import LazyLevel

RNG = np.random.default_rng(0)


class Counting(ArraySource):
    """A raster that remembers which thread read what, and waits where told."""

    def __init__(self, levels: list[NDArray[Any]]) -> None:
        super().__init__(levels)
        self.reads: list[tuple[int, Box]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def read(self, box: Box, level: int) -> NDArray[Any]:
        """Read after the gate is open."""
        self.gate.wait(5)
        self.reads.append((level, box))
        self.threads.add(threading.get_ident())
        return super().read(box, level)

    def close(self) -> None:
        """Note it."""
        self.closed = True


def raster(rows: int, cols: int) -> NDArray[np.uint8]:
    """Return noise, never 0 (the colour of nothing)."""
    return RNG.integers(1, 255, (rows, cols), np.uint8)


def pyramid_of(*levels: NDArray[Any], live: bool = True, mib: int = 64) -> tuple[TilePyramid, Counting]:
    """Return a pyramid and its source."""
    source = Counting(list(levels))
    return TilePyramid(source, TileLoader(TileCache(mib << 20), threads=2), live=live), source


def ask_like_napari(level: LazyLevel, key: Any) -> NDArray[Any]:
    """Index a level from a module of napari."""
    scope: dict[str, Any] = {"__name__": "napari.layers.pretended", "level": level, "key": key}
    exec("answer = level[key]", scope)  # noqa: S102 the caller's module is what counts
    answer: NDArray[Any] = scope["answer"]
    return answer


def materialise_like_napari(level: LazyLevel) -> NDArray[Any]:
    """Make an array of a level from a module of napari, as it does once for the coarsest level."""
    scope: dict[str, Any] = {"__name__": "napari.layers.pretended", "level": level, "asarray": np.asarray}
    exec("answer = asarray(level)", scope)  # noqa: S102 the caller's module is what counts
    answer: NDArray[Any] = scope["answer"]
    return answer


def settle(pyramid: TilePyramid) -> None:
    """Wait for all wanted tiles."""
    end = time.monotonic() + 10
    while not pyramid.loader.idle and time.monotonic() < end:
        time.sleep(0.005)
    assert pyramid.loader.idle


LEVEL_CASES = [
    ("nothing to do", [(900, 800)], [(900, 800)], [0]),
    ("halved until an overview", [(4000, 3000)], [(4000, 3000), (2000, 1500), (1000, 750)], [0, None, None]),
    (
        "gap of 4 filled",
        [(4000, 4000), (1000, 1000)],
        [(4000, 4000), (2000, 2000), (1000, 1000)],
        [0, None, 1],
    ),
    ("halves kept", [(2000, 1000), (1000, 500)], [(2000, 1000), (1000, 500)], [0, 1]),
    (
        "a level that does not shrink is left out",
        [(900, 900), (899, 900), (450, 450)],
        [(900, 900), (450, 450)],
        [0, 2],
    ),
    ("odd sizes round up", [(2001, 1999)], [(2001, 1999), (1001, 1000)], [0, None]),
]


@pytest.mark.parametrize(("name", "stored", "shapes", "native"), LEVEL_CASES, ids=[c[0] for c in LEVEL_CASES])
def test_levels_on_the_screen(name: str, stored: Any, shapes: Any, native: Any) -> None:
    levels = view_levels(tuple(stored))
    tops = [level.shape for level in levels[: len(shapes)]]
    assert tops == shapes
    assert [level.native for level in levels[: len(shapes)]] == native
    assert max(levels[-1].shape) <= 1024 or len(levels) == len(shapes)


def test_everybody_but_napari_gets_true_pixels() -> None:
    image = raster(1300, 1100)
    pyramid, _ = pyramid_of(image)
    level = pyramid.data[0]
    keys = [
        np.s_[100:700, 50:1000],
        np.s_[::7, 3:90:2],
        np.s_[5],
        np.s_[5, 17],
        np.s_[-1, -20:],
        np.s_[..., 4],
        np.s_[10:10, :],
        np.s_[:],
    ]
    for key in keys:
        np.testing.assert_array_equal(level[key], image[key])
    np.testing.assert_array_equal(level[np.array([3, 1, 7])], image[[3, 1, 7]])
    np.testing.assert_array_equal(np.asarray(level), image)
    assert level.shape == image.shape
    assert level.nbytes == image.nbytes
    assert len(level) == len(image)


def test_napari_is_answered_at_once_and_gets_the_pixels_later() -> None:
    image = raster(2000, 2000)
    pyramid, source = pyramid_of(image)
    source.gate.clear()
    started = time.monotonic()
    before = ask_like_napari(pyramid.data[0], np.s_[0:1024, 0:1024])
    assert time.monotonic() - started < 1
    assert not before.any(), "nothing is decoded yet: background everywhere"
    source.gate.set()
    settle(pyramid)
    np.testing.assert_array_equal(
        ask_like_napari(pyramid.data[0], np.s_[0:1024, 0:1024]), image[:1024, :1024]
    )
    assert threading.get_ident() not in source.threads


def test_coarsest_level_that_napari_keeps_for_ever_fills_itself() -> None:
    image = raster(900, 800)
    pyramid, source = pyramid_of(image)
    source.gate.clear()
    kept = materialise_like_napari(pyramid.data[-1])
    assert not kept.any()
    source.gate.set()
    settle(pyramid)
    np.testing.assert_array_equal(kept, image)
    assert threading.get_ident() not in source.threads


def test_without_a_window_napari_gets_true_pixels_too() -> None:
    image = raster(700, 600)
    pyramid, _ = pyramid_of(image, live=False)
    np.testing.assert_array_equal(ask_like_napari(pyramid.data[0], np.s_[:, :]), image)


def test_overview_is_read_first_and_shown_in_the_holes() -> None:
    fine = np.full((2048, 2048), 10, np.uint8)
    coarse = np.full((1024, 1024), 200, np.uint8)
    pyramid, source = pyramid_of(fine, coarse)
    source.gate.clear()
    ask_like_napari(pyramid.data[0], np.s_[:, :])
    source.gate.set()
    settle(pyramid)
    overview = [i for i, (level, _) in enumerate(source.reads) if level == 1]
    assert max(overview) < 8, "the four overview tiles are read with the first ones"
    pyramid.loader.cache.drop(id(pyramid))
    source.gate.clear()
    shown = ask_like_napari(pyramid.data[0], np.s_[0:1024, 0:1024])
    assert (shown == 200).all(), "the coarse tile stands in"
    source.gate.set()
    settle(pyramid)


def test_new_view_replaces_the_wishes_of_the_old_one() -> None:
    pyramid, source = pyramid_of(raster(4096, 4096), raster(1024, 1024))
    source.gate.clear()
    ask_like_napari(pyramid.data[0], np.s_[0:2048, 0:2048])
    ask_like_napari(pyramid.data[0], np.s_[3584:4096, 3584:4096])
    source.gate.set()
    settle(pyramid)
    level0 = [box for level, box in source.reads if level == 0]
    assert Box(3584, 3584, 512, 512) in level0
    assert len(level0) <= 4, "tiles that left the screen are not read (those under way are)"


def test_tiles_come_from_the_middle_of_the_view_outwards() -> None:
    pyramid, source = pyramid_of(raster(2560, 2560), raster(640, 640))
    pyramid.loader.threads = 1
    source.gate.clear()
    ask_like_napari(pyramid.data[0], np.s_[:, :])
    source.gate.set()
    settle(pyramid)
    boxes = [box for level, box in source.reads if level == 0]
    far = [np.hypot(box.centre[0] - 1280, box.centre[1] - 1280) for box in boxes]
    assert far == sorted(far)


def test_levels_that_the_file_lacks_are_means_or_picks() -> None:
    labels = np.repeat(np.repeat(raster(1024, 1024), 2, 0), 2, 1)
    pyramid, _ = pyramid_of(labels)
    np.testing.assert_array_equal(np.asarray(pyramid.data[1]), labels[::2, ::2])


def test_cache_stays_in_its_budget_and_keeps_the_overview() -> None:
    image = raster(8192, 8192)
    pyramid, source = pyramid_of(image, raster(512, 512), mib=4)
    np.asarray(pyramid.data[-1])
    for row in range(0, 8192, 1024):
        pyramid.data[0][row : row + 1024, 0:4096]
    cache = pyramid.loader.cache
    assert 0 < cache.held_bytes <= 4 << 20
    source.reads.clear()
    np.asarray(pyramid.data[-1])
    assert not source.reads, "the overview is kept"
    pyramid.close()
    assert cache.held_bytes == 0
    with pytest.raises(SlideError, match="closed"):
        pyramid.data[0][:10]


def test_close_waits_for_a_read_under_way_and_ends_the_threads() -> None:
    before = threading.active_count()
    pyramid, source = pyramid_of(raster(4096, 4096))
    source.gate.clear()
    ask_like_napari(pyramid.data[0], np.s_[0:2048, 0:2048])
    time.sleep(0.05)
    pyramid.close()
    assert not source.closed, "a tile is being read"
    source.gate.set()
    end = time.monotonic() + 5
    while (not source.closed or threading.active_count() > before) and time.monotonic() < end:
        time.sleep(0.01)
    assert source.closed
    assert threading.active_count() == before
    pyramid.close()


def test_tile_that_cannot_be_read_is_told_once_and_not_asked_again() -> None:
    class Broken(Counting):
        def read(self, box: Box, level: int) -> NDArray[Any]:
            self.reads.append((level, box))
            raise OSError("truncated")

    source = Broken([raster(600, 600)])
    pyramid = TilePyramid(source, TileLoader(TileCache(1 << 20)), live=True)
    told: list[BaseException] = []
    pyramid.loader.failed.connect(lambda _, error: told.append(error))
    for _ in range(3):
        ask_like_napari(pyramid.data[0], np.s_[0:TILE_PX, 0:TILE_PX])
        settle(pyramid)
    assert [str(error) for error in told] == ["truncated"]
    assert len(source.reads) == 1


def test_two_slides_take_turns() -> None:
    loader = TileLoader(TileCache(64 << 20), threads=1)
    order: list[str] = []

    class Named(Counting):
        name = ""

        def read(self, box: Box, level: int) -> NDArray[Any]:
            order.append(self.name)
            return super().read(box, level)

    pyramids = []
    for name in "ab":
        source = Named([raster(512, 2560)])
        source.name = name
        source.gate.clear()
        pyramids.append(TilePyramid(source, loader, live=True))
    for pyramid in pyramids:
        ask_like_napari(pyramid.data[0], np.s_[:, :])
    for pyramid in pyramids:
        pyramid.source.gate.set()  # type: ignore[attr-defined]
    settle(pyramids[0])
    assert {"a", "b"} == set(order[:4])
