"""Where the edit window stands, and what a model says in its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.annotation.strokes import opened, stroke

from napari_her2.annotation.model_labels import ModelLabels, read_labels, sampled
from napari_her2.annotation.uncertain import uncertain_labels, uncertain_places
from napari_her2.annotation.window import COARSEST, MOST_PX, View, place_window
from napari_her2.geometry import Box
from napari_her2.store import read_multiscale, write_multiscale
from napari_her2.store.multiscale import level_shapes

if TYPE_CHECKING:
    from pathlib import Path

UM = 0.25


@given(
    st.floats(-5_000, 30_000),
    st.floats(-5_000, 30_000),
    st.floats(1, 60_000),
    st.floats(0.2, 5),
    st.sampled_from([1000, 4096, 32_768, 100_000]),
)
def test_a_window_is_bounded_and_covers_the_view(
    top: float, left: float, height: float, aspect: float, size: int
) -> None:
    shapes = level_shapes((size, size))
    view = View(top, left, top + height, left + height * aspect)
    window = place_window(view, shapes, UM)
    end = size * UM
    if top >= end or left >= end or view.bottom <= 0 or view.right <= 0:
        assert window is None
        return
    if window is None:
        return
    assert window.box.height * window.box.width <= MOST_PX
    assert Box.of_shape(shapes[window.level]).contains(window.box)
    seen = View(max(top, 0), max(left, 0), min(view.bottom, end), min(view.right, end))
    if window.level < min(COARSEST, len(shapes) - 1):
        assert window.covers(seen)
    assert place_window(view, shapes, UM, window) is window, "it stays as long as it serves"


def test_the_finest_level_is_taken_that_serves() -> None:
    shapes = level_shapes((100_000, 100_000))
    assert place_window(View(1000, 1000, 1200, 1400), shapes, UM).level == 0  # type: ignore[union-attr]
    assert place_window(View(1000, 1000, 2000, 2600), shapes, UM).level == 2  # type: ignore[union-attr]
    far = place_window(View(0, 0, 25_000, 25_000), shapes, UM)
    assert far is not None
    assert far.level == COARSEST
    assert far.box.centre == (3125, 3125), "what is beyond it lies evenly about the middle of the view"


def test_napari_gets_the_middle_of_the_first_pixel() -> None:
    window = place_window(View(1000, 1000, 2000, 2600), level_shapes((100_000, 100_000)), UM)
    assert window is not None
    assert window.translate_um[0] == (window.box.row + 0.5) * 1.0
    assert window.scale_um == 1.0


def test_a_raster_of_other_pixels_is_read_at_their_middles(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 6, (700, 900)).astype(np.uint8)
    write_multiscale(tmp_path / "r.zarr", values, um_per_px=1.0, labels={1: ("0", "#000000")})
    raster = read_multiscale(tmp_path / "r.zarr")
    box = Box(-10, 3000, 50, 700)
    found = sampled(raster, box, 0.25)
    rows, cols = np.arange(-10, 40), np.arange(3000, 3700)
    expected = np.where(
        (rows[:, None] >= 0) & (cols < 3600),
        values[np.clip(rows, 0, None)[:, None] // 4, np.clip(cols // 4, 0, 899)],
        0,
    )
    assert (found == expected).all()
    coarse = sampled(raster, Box(0, 0, 350, 450), 2.0)
    assert (coarse == raster.levels[1][:]).all()


def test_a_person_s_word_goes_before_the_model_s(tmp_path: Path) -> None:
    probability = np.zeros((300, 400), np.float32)
    probability[:, 200:] = 0.9
    write_multiscale(tmp_path / "p.zarr", probability, um_per_px=2.0)
    model = ModelLabels(read_multiscale(tmp_path / "p.zarr"), 0.25, value=1)
    mask = opened(tmp_path / "m", shape=(2400, 3200))
    mask.paint(stroke(100, 1500, 200, 1))  # background, says a person
    box = Box(0, 1400, 400, 400)
    labels = read_labels(mask, model, box)
    assert labels[200, 201:].sum() == 199 - 99, "the model's, but for the disc"
    assert not labels[200, :200].any()
    mask.undo()
    assert read_labels(mask, model, box)[200].sum() == 200
    assert (ModelLabels(None, 0.25).read(box) == 0).all()
    mask.close()


def test_uncertain_places_come_by_their_doubt(tmp_path: Path) -> None:
    probability = np.zeros((500, 500), np.float32)
    probability[100:150, 300:350] = 0.5
    probability[400:425, 50:100] = 0.5
    probability[0:200, 0:200] = 0.99
    write_multiscale(tmp_path / "p.zarr", probability, um_per_px=2.0)
    places = uncertain_places(read_multiscale(tmp_path / "p.zarr"))
    assert (places[0].row_um, places[0].col_um, places[0].doubt) == (250, 650, 1.0)
    assert (places[1].row_um, places[1].col_um, places[1].doubt) == (850, 150, 0.5)
    assert len(places) == 2


def test_scores_that_meet_are_uncertain(tmp_path: Path) -> None:
    labels = np.zeros((400, 400), np.uint8)
    labels[:, 100:200], labels[:, 200:300] = 2, 3
    labels[50:150, 300:] = 255
    write_multiscale(tmp_path / "l.zarr", labels, um_per_px=1.0, labels={2: ("1+", "#000000")})
    places = uncertain_labels(read_multiscale(tmp_path / "l.zarr"))
    assert {(p.row_um, p.col_um) for p in places[:2]} == {(50.0, 350.0), (150.0, 350.0)}
    assert any(p.col_um == 250 for p in places)
    assert not any(p.col_um == 50 for p in places)
