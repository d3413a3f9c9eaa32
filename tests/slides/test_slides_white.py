"""White is the empty glass, not the pale tissue and not 255 by habit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_her2.errors import UsageError
from napari_her2.slides import open_slide
from napari_her2.slides.white import PLAIN_WHITE, White, find_white, given_white


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
    assert find_white(picture).rgb == pytest.approx(colour, abs=1)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_pale_tissue_that_covers_most_is_not_white(share):
    """IHC 0: pale blue tissue of 215 to 225 beside glass of 243."""
    picture = with_tissue(glass((243, 244, 242)), (212, 216, 224), share, noise=5)
    assert find_white(picture).rgb == pytest.approx((243, 244, 242), abs=1.5)


def test_clipped_white_stays_255():
    picture = with_tissue(glass((260, 260, 260), noise=4), (150, 90, 130), 0.5)
    assert find_white(picture).rgb == (255.0, 255.0, 255.0)
    assert find_white(np.full((50, 50, 3), 255, np.uint8)).rgb == (255.0, 255.0, 255.0)


@pytest.mark.parametrize("colour", [(150, 90, 130), (0, 0, 0), (250, 190, 250), (180, 180, 180)])
def test_without_glass_it_is_plain_white(colour):
    assert find_white(with_tissue(glass(colour), colour, 1.0, noise=3)).rgb == PLAIN_WHITE


def test_a_few_bright_specks_do_not_make_a_white():
    picture = glass((150, 90, 130))
    picture[:1, :100] = 230  # 0.1 %
    assert find_white(picture).rgb == PLAIN_WHITE


def test_transparent_pixels_do_not_count():
    picture = glass((238, 240, 236))
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    picture[:200], alpha[:200] = 255, 0
    assert find_white(picture, alpha).rgb == pytest.approx((238, 240, 236), abs=1)
    assert find_white(picture, np.zeros_like(alpha)) == White(PLAIN_WHITE, "assumed")


@pytest.mark.parametrize("pad", [255, 240])
@pytest.mark.parametrize("colour", [(243, 238, 241), (233, 234, 242), (246, 238, 224)])
def test_padding_is_blank_and_glass_is_beside_it(colour, pad):
    picture = with_tissue(glass(colour), (150, 90, 130), 0.3)
    picture[:, :120] = pad
    found = find_white(picture)
    assert found.rgb == pytest.approx(colour, abs=1)
    assert found.origin == "glass"


def fibres(level: float, contrast: float, side: int = 400) -> np.ndarray:
    """Pale tissue without any gap: soft fibres, and grain of the camera."""
    rng = np.random.default_rng(8)
    rough = cv2.GaussianBlur(rng.random((side, side)), (0, 0), 4)
    rough = (rough - rough.mean()) / rough.std()
    tissue = level + contrast * rough[..., None] + rng.normal(0, 1.5, (side, side, 3))
    return np.clip(tissue + np.array((-2, 1, 4)), 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("level", [205, 222, 236])
@pytest.mark.parametrize("contrast", [5, 9])
def test_pale_tissue_without_glass_is_never_white(level, contrast):
    assert find_white(fibres(level, contrast)) == White(PLAIN_WHITE, "assumed")


def test_a_flat_patch_of_tissue_is_no_glass_where_other_places_are_brighter():
    picture = fibres(222, 9)
    picture[100:180, 100:180] = glass((219, 222, 226), 1.0, 80)
    assert find_white(picture) == White(PLAIN_WHITE, "assumed")


def test_a_lumen_is_glass():
    picture = fibres(200, 8)
    picture[100:130, 100:140] = glass((232, 243, 250), 1.0, 40)[:30]
    found = find_white(picture)
    assert found.rgb == pytest.approx((232, 243, 250), abs=1)
    assert found.origin == "glass"


def test_glass_that_falls_off_towards_the_corners_is_still_glass():
    picture = glass((244, 242, 240), 1.0).astype(float)
    rows, cols = np.indices(picture.shape[:2]) / 300 - 0.5
    picture *= (1 - 0.12 * (rows**2 + cols**2))[..., None]
    assert find_white(picture.round().astype(np.uint8)).rgb == pytest.approx((244, 242, 240), abs=6)


@pytest.mark.parametrize(("glass", "expected"), [(247, 247), (255, 255)])
def test_flat_places_in_tissue_are_no_glass_beside_much_that_has_no_noise(glass, expected):
    rng = np.random.default_rng(4)
    rgb = np.full((400, 400, 3), glass, np.uint8)
    rgb[100:300, 100:300] = rng.integers(120, 200, (200, 200, 1))
    rgb[120:180, 120:180] = np.clip(rng.normal(233, 1, (60, 60, 1)), 0, 255).astype(np.uint8)
    assert find_white(rgb).rgb == (expected,) * 3


def test_compressed_glass_without_any_noise_is_still_glass():
    picture = with_tissue(np.full((300, 300, 3), (238, 240, 241), np.uint8), (150, 90, 130), 0.5)
    assert find_white(picture) == White((238.0, 240.0, 241.0), "glass")


@pytest.mark.parametrize("values", [(1, 2, 3), (240, 240), (256, 255, 255), (float("nan"), 240, 240)])
def test_what_a_person_gives_must_be_a_white(values):
    with pytest.raises(UsageError, match="--white-ihc"):
        given_white(values, "--white-ihc")
    assert given_white((233, 234, 242)) == White((233.0, 234.0, 242.0), "given")
    assert given_white(None) is None


def test_a_white_that_is_given_goes_before_what_the_slide_shows_and_stays_with_it(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), glass((240, 242, 238)))
    with open_slide(tmp_path / "a.png") as slide:
        assert slide.background.origin == "glass"
    given = White((230.0, 231.0, 232.0), "given")
    with open_slide(tmp_path / "a.png", white=given) as slide:
        assert slide.white == given.rgb
        with slide.ref.open() as again:
            assert again.background == given


@pytest.mark.parametrize("look", [None, (255.0, 255.0, 255.0), (232.0, 243.0, 250.0)])
@pytest.mark.parametrize("name", ["1_f8a2cea0", "2_726fa489", "0_ccb66c10"])
def test_white_of_real_fields_is_glass_or_assumed(shared_data, tmp_path, name, look):
    """A field of 250 µm cut wholly inside pale tissue; the core's glass is 234, 233, 242."""
    path = next(shared_data("her2_ihc/gea-tma").glob(f"{name}*.jpg"))
    rgb = cv2.imread(str(path))[2000:3000, 2300:3300]
    if look is not None:
        rgb = np.clip(rgb * (np.array(look) / (234, 233, 242))[::-1], 0, 255).round().astype(np.uint8)
    cv2.imwrite(str(tmp_path / "field.jpg"), rgb, [cv2.IMWRITE_JPEG_QUALITY, 76])
    with open_slide(tmp_path / "field.jpg", um_per_px=0.25) as slide:
        white = slide.background
    if white.origin == "assumed":
        assert white.rgb == PLAIN_WHITE
    else:
        assert white.rgb == pytest.approx(look or (234, 233, 242), abs=5)
