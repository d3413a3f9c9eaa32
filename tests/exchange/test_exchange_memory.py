"""Cells go out as a stream: memory does not grow with their number."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.exchange.known import some_cells

from napari_her2.exchange import write_cells_geojson

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
def test_memory_is_flat(tmp_path: Path, name: str) -> None:
    peaks = []
    for n in (25_000, 75_000):
        cells = some_cells(n)
        tracemalloc.start()
        write_cells_geojson(tmp_path / name, cells, um_per_px=0.25)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 120e6
