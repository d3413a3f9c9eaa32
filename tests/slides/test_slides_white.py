"""White is the empty glass, not the pale tissue and not 255 by habit."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.slides.white import PLAIN_WHITE, estimate_white


def glass(colour: tuple[int, int, int], noise: float = 1.5, side: int = 300) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.clip(np.array(colour) + rng.normal(0, noise, (side, side, 3)), 0, 255).round().astype(np.uint8)


def with_tissue(
    picture: np.ndarray, colour: tuple[int, int, int], share: float, noise: float = 12
) -> np.ndarray:
    rng = np.random.default_rng(6)
    rows = int(picture.shape[0] * share)
    tissue = np.array(colour) + rng.normal(0, noise, (rows, picture.shape[1], 3))
    picture[:rows] = np.clip(tissue, 0, 255).round().astype(np.uint8)
    return picture


@pytest.mark.parametrize("colour", [(240, 242, 238), (228, 230, 235), (246, 236, 244), (205, 205, 210)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_glass_of_any_tint(colour, share):
    picture = with_tissue(glass(colour), (150, 90, 130), share)
    assert estimate_white(picture) == pytest.approx(colour, abs=1)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_pale_tissue_that_covers_most_is_not_white(share):
    """IHC 0: pale blue tissue of 215 to 225 beside glass of 243."""
    picture = with_tissue(glass((243, 244, 242)), (212, 216, 224), share, noise=5)
    assert estimate_white(picture) == pytest.approx((243, 244, 242), abs=1.5)


def test_clipped_white_stays_255():
    picture = with_tissue(glass((260, 260, 260), noise=4), (150, 90, 130), 0.5)
    assert estimate_white(picture) == (255.0, 255.0, 255.0)
    assert estimate_white(np.full((50, 50, 3), 255, np.uint8)) == (255.0, 255.0, 255.0)


@pytest.mark.parametrize("colour", [(150, 90, 130), (0, 0, 0), (250, 190, 250), (180, 180, 180)])
def test_without_glass_it_is_plain_white(colour):
    assert estimate_white(with_tissue(glass(colour), colour, 1.0, noise=3)) == PLAIN_WHITE


def test_a_few_bright_specks_do_not_make_a_white():
    picture = glass((150, 90, 130))
    picture[:1, :100] = 230  # 0.1 %
    assert estimate_white(picture) == PLAIN_WHITE


def test_transparent_pixels_do_not_count():
    picture = glass((238, 240, 236))
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    picture[:200], alpha[:200] = 255, 0
    assert estimate_white(picture, alpha) == pytest.approx((238, 240, 236), abs=1)
    assert estimate_white(picture, np.zeros_like(alpha)) == PLAIN_WHITE
