"""Apart and together again: to the last bit, whatever the overlap and the window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.patches import Stitcher, explode, implode, window_of


@given(
    rows=st.integers(1, 40),
    cols=st.integers(1, 40),
    size=st.integers(1, 16),
    share=st.floats(0.05, 1.0),
    channels=st.sampled_from([None, 1, 3]),
    kind=st.sampled_from([np.uint8, np.float32, np.int64]),
    window=st.sampled_from(["flat", "hann"]),
    seed=st.integers(0, 1000),
)
def test_implode_undoes_explode(
    rows: int, cols: int, size: int, share: float, channels: int | None, kind: Any, window: Any, seed: int
) -> None:
    shape = (rows, cols) if channels is None else (rows, cols, channels)
    image = (np.random.default_rng(seed).random(shape) * 255).astype(kind)
    stride = max(1, round(size * share))
    patches = explode(image, size, stride, fill=7)
    assert patches.dtype == image.dtype
    back = implode(patches, image.shape[:2], stride, window=window)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


def test_patches_come_row_by_row_and_are_filled_beyond_the_edge() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    patches = explode(image, 2, fill=9)
    assert patches.tolist() == [[[0, 1], [3, 4]], [[2, 9], [5, 9]]]
    colour = explode(np.zeros((1, 1, 3), np.uint8), 2, fill=(1, 2, 3))
    assert colour[0, 1, 1].tolist() == [1, 2, 3]


def test_hann_windows_at_half_overlap_add_up_to_one() -> None:
    window = window_of(16)
    assert window.min() > 0
    total = np.zeros((48, 48))
    for row in range(0, 33, 8):
        for col in range(0, 33, 8):
            total[row : row + 16, col : col + 16] += window
    np.testing.assert_allclose(total[8:40, 8:40], 1, atol=1e-12)


def test_a_blend_has_no_seam() -> None:
    """Two patches that disagree by 1 meet in a ramp, not in a step."""
    for window, steepest in (("flat", 0.51), ("hann", 0.16)):
        canvas = Stitcher((16, 32), 1, 16, window)  # type: ignore[arg-type]
        for k, col in enumerate((0, 8, 16)):
            canvas.add(np.full((1, 16, 16), float(k > 0)), 0, col)
        assert np.abs(np.diff(canvas.result()[0], axis=1)).max() == pytest.approx(steepest, abs=0.06)


def test_a_canvas_knows_what_it_lacks_and_takes_what_juts_out() -> None:
    canvas = Stitcher((8, 8), 2, 4)
    canvas.add(np.ones((2, 4, 4)), -2, -2)
    canvas.add(np.ones((2, 4, 4)), 20, 20)
    assert canvas.covered.sum() == 4
    assert np.isnan(canvas.result(np.nan)[:, 4:, 4:]).all()
    assert (canvas.result()[:, :2, :2] == 1).all()


@pytest.mark.parametrize("stride", [0, 5])
def test_strides_that_leave_gaps_are_refused(stride: int) -> None:
    with pytest.raises(ValueError, match="stride_px"):
        explode(np.zeros((8, 8)), 4, stride)


def test_a_wrong_number_of_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        implode(np.zeros((3, 4, 4)), (8, 8))
