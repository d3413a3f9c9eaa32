"""The pyramid of codes that is changed in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.errors import CaseError
from napari_her2.geometry import Box
from napari_her2.store import LabelPyramid, write_multiscale
from napari_her2.store.label_pyramid import halve_codes

if TYPE_CHECKING:
    from pathlib import Path


def make(path: Path, shape: tuple[int, int]) -> LabelPyramid:
    return LabelPyramid.create(path, shape, um_per_px=0.25, labels={1: ("a", "#112233")}, attributes={"k": 1})


def test_every_level_is_the_halved_one_above(tmp_path: Path) -> None:
    pyramid = make(tmp_path / "a.zarr", (1501, 2047))
    rng = np.random.default_rng(0)
    for _ in range(12):
        row, col = int(rng.integers(0, 1400)), int(rng.integers(0, 1900))
        box = Box(row, col, int(rng.integers(1, 1501 - row)), int(rng.integers(1, 2047 - col)))
        pyramid.write([(box, rng.integers(0, 4, (box.height, box.width)).astype(np.uint8))])
    again = LabelPyramid.open(tmp_path / "a.zarr")
    assert again.shapes[0] == (1501, 2047)
    assert max(again.shapes[-1]) <= 512
    for fine, coarse in zip(again.levels, again.levels[1:], strict=False):
        assert (halve_codes(fine[:]) == coarse[:]).all()


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_paint_survives_halving(values: list[int]) -> None:
    block = np.array(values, np.uint8).reshape(2, 2)
    said = [v for v in values if v]
    expected = max(said, key=lambda v: (said.count(v), v)) if said else 0
    assert halve_codes(block)[0, 0] == expected


def test_reads_beyond_the_edge_are_empty(tmp_path: Path) -> None:
    pyramid = make(tmp_path / "a.zarr", (100, 90))
    pyramid.write([(Box(90, 80, 10, 10), np.full((10, 10), 2, np.uint8))])
    found = pyramid.read(Box(95, 85, 20, 20))
    assert found[:5, :5].all()
    assert found.sum() == 2 * 25


def test_chunks_lists_what_is_stored_and_empty_ones_go(tmp_path: Path) -> None:
    pyramid = make(tmp_path / "a.zarr", (100_000, 100_000))
    box = Box(51_200, 99_900, 10, 100)
    pyramid.write([(box, np.ones((10, 100), np.uint8))])
    assert list(pyramid.chunks()) == [Box(51_200, 99_840, 512, 160)]
    pyramid.write([(box, np.zeros((10, 100), np.uint8))])
    assert not list(pyramid.chunks())
    assert not any(level[...].any() for level in pyramid.levels[5:])


def test_other_rasters_are_refused(tmp_path: Path) -> None:
    write_multiscale(tmp_path / "p.zarr", np.ones((10, 10), np.float32), um_per_px=1.0)
    with pytest.raises(CaseError, match=r"p\.zarr"):
        LabelPyramid.open(tmp_path / "p.zarr")
    with pytest.raises(CaseError, match=r"none\.zarr"):
        LabelPyramid.open(tmp_path / "none.zarr")


def test_a_write_costs_the_same_on_every_size(tmp_path: Path) -> None:
    seconds = {}
    for size in (4_096, 100_000):
        pyramid = make(tmp_path / f"{size}.zarr", (size, size))
        codes = np.ones((64, 64), np.uint8)
        times = []
        for step in range(8):
            began = time.process_time()
            pyramid.write([(Box(1000 + 70 * step, 2000, 64, 64), codes)])
            times.append(time.process_time() - began)
        seconds[size] = float(np.median(times))
    # Five more levels are brought up to date; nothing else may grow.
    assert seconds[100_000] < 4 * seconds[4_096]
