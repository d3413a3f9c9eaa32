"""From a slide to its mask: rasters, strips, focus, real slides."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_her2.errors import NoResolutionError
from napari_her2.slides import open_slide
from napari_her2.tissue import TISSUE_LABELS, find_tissue, mean_dab, tissue_from_rgb, tissue_qc
from napari_her2.tissue.find import raster_step, read_raster
from napari_her2.tissue.focus import sharpness
from napari_her2.tissue.structure import read_structure, structure_of


@pytest.mark.parametrize(
    ("shape", "um", "step"),
    [
        ((100_000, 100_000), 0.25, 32),  # 8 um/px exactly
        ((80_000, 60_000), 0.2527, 32),  # whole level-0 pixels
        ((1200, 1200), 0.25, 4),  # small: about 256 px
        ((480, 640), 0.25, 1),  # a camera picture
        ((200, 200), 0.25, 1),
        ((2967, 2220), 0.499, 8),
        ((150_000, 150_000), 0.25, 44),  # huge: the raster stays bounded
        ((5000, 5000), 16.0, 2),
    ],
)
def test_step_of_the_raster(shape, um, step):
    assert raster_step(shape, um, 8.0) == step


def test_the_raster_shares_its_corners_with_the_slide(as_slide):
    rgb = np.full((1030, 1290, 3), 240, np.uint8)
    rgb[512:, 640:] = (200, 90, 150)
    with as_slide(rgb, 2.0) as slide:
        mask = find_tissue(slide)
    assert mask.level0_px == 4
    assert mask.labels.shape == (258, 323)
    points = [(514, 900), (504, 900), (800, 642), (800, 632), (1029.9, 1289.9)]
    assert mask.at(points).tolist() == [1, 0, 1, 0, 1]
    assert mask.piece_list[0].box.row == pytest.approx(512, abs=8)


def test_strips_do_not_show(page, as_slide):
    p = page(shape=(700, 620))
    p.tissue(p.ellipse(350, 310, 280, 250), "ihc_0")
    rgb = p.rgb()
    with as_slide(rgb, 4.0) as slide:
        assert (
            read_raster(slide, 2) == cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        ).all()
        mask = find_tissue(slide)
        structure = read_structure(slide, 2)
        whole = structure_of(rgb, 4.0, slide.white, 2)
        np.testing.assert_allclose(structure.energy, whole.energy, atol=1e-4)
        assert (mask.labels == tissue_from_rgb(read_raster(slide, 2), 8.0, slide.white, structure)).all()


@pytest.mark.parametrize(
    ("value", "reason"), [(255, "no connected tissue"), (240, "no connected tissue"), (0, "black")]
)
def test_empty_slides_say_why(as_slide, value, reason):
    with as_slide(np.full((300, 300, 3), value, np.uint8), 1.0) as slide:
        mask = find_tissue(slide)
    assert reason in mask.reason
    assert mask.piece_list == ()
    assert mask.tissue_mm2 == 0
    assert mask.focus is None


def test_a_slide_without_pixel_size_asks_for_it(as_slide, tmp_path):
    with as_slide(np.full((64, 64, 3), 240, np.uint8), None) as slide, pytest.raises(NoResolutionError):
        find_tissue(slide)


@pytest.mark.parametrize("side_px", [40, 300, 640])
def test_small_pictures_filled_with_tissue(page, as_slide, side_px):
    p = page(shape=(side_px, side_px), um_per_px=0.5)
    p.tissue(np.ones(p.shape, np.bool_), "he")
    with as_slide(p.rgb(), 0.5) as slide:
        mask = find_tissue(slide)
    assert mask.tissue.mean() > 0.98
    assert len(mask.piece_list) == 1


def half_blurred(page, sigma_um):
    p = page(shape=(900, 1200), um_per_px=1.0, seed=3)
    p.tissue(p.ellipse(450, 600, 400, 550), "he")
    rgb = p.rgb(noise=0.5)
    soft = cv2.GaussianBlur(rgb, (0, 0), sigma_um)
    rgb[:, 600:] = soft[:, 600:]
    return rgb


@pytest.mark.parametrize("sigma_um", [2.5, 5.0])
def test_a_blurred_half_is_found(page, as_slide, sigma_um):
    with as_slide(half_blurred(page, sigma_um), 1.0) as slide:
        mask = find_tissue(slide)
    wide = cv2.resize(mask.labels, (1200, 900), interpolation=cv2.INTER_NEAREST)
    inside = np.zeros(wide.shape, bool)
    inside[200:700, 150:1050] = True
    right = inside & (np.arange(1200) > 680)
    left = inside & (np.arange(1200) < 520)
    assert (wide[right] == TISSUE_LABELS["blur"]).mean() > 0.9
    assert (wide[left] == TISSUE_LABELS["blur"]).mean() < 0.02
    assert mask.focus == pytest.approx(0.5, abs=0.12)
    assert tissue_qc(mask)["excluded_mm2"]["blur"] > 0.2


def test_sharp_tissue_is_not_called_blurred(page, as_slide):
    with as_slide(half_blurred(page, 0.01), 1.0) as slide:
        assert find_tissue(slide).focus == 1.0


def test_sharpness_falls_with_blur_and_not_with_strength(page):
    p = page(shape=(256, 256), um_per_px=1.0)
    p.tissue(np.ones(p.shape, np.bool_), "he")
    sharp = p.rgb(noise=0)
    white = (243.0, 242.0, 244.0)
    values = [
        float(sharpness(cv2.GaussianBlur(sharp, (0, 0), s), 1.0, white, (1, 1))[0, 0])
        for s in (0.01, 1, 2, 4)
    ]
    assert np.all(np.diff(values) < -0.1)
    p.density *= 0.5
    assert float(sharpness(p.rgb(noise=0), 1.0, white, (1, 1))[0, 0]) == pytest.approx(values[0], abs=0.05)
    assert np.isnan(sharpness(np.full((64, 64, 3), 240, np.uint8), 1.0, white, (2, 2))).all()


def test_brown_pieces_are_told_from_blue_ones(page, as_slide):
    p = page(shape=(300, 700))
    p.tissue(p.ellipse(150, 150, 100, 100), "ihc_0")
    p.tissue(p.ellipse(150, 550, 80, 80), "ihc_3")
    with as_slide(p.rgb(), 8.0) as slide:
        mask = find_tissue(slide)
        brown = mean_dab(slide, mask)
    assert set(brown) == {1, 2}
    assert brown[1] < 0.1
    assert brown[2] > 0.8


@pytest.mark.parametrize(
    ("name", "um", "least_mm2", "most_mm2", "pieces"),
    [
        ("slides/CMU-1-Small-Region.svs", None, 0.6, 0.75, 1),
        ("slides/tcga-cr-7395-no-mpp.svs", 0.5, 2.3, 2.7, 1),
        ("slides/kidney-ihc.tif", 8.0, 0.29, 0.32, 1),
        ("slides/crc-ihc-8.tif", 3.0, 26.0, 36.0, None),
    ],
)
def test_real_slides(shared_data, name, um, least_mm2, most_mm2, pieces):
    with open_slide(shared_data(name), um_per_px=um) as slide:
        mask = find_tissue(slide)
    assert least_mm2 < mask.tissue_mm2 < most_mm2
    assert mask.excluded_mm2["pen"] == 0
    assert pieces is None or len(mask.piece_list) == pieces
    assert mask.focus is None or mask.focus > 0.95


@pytest.mark.parametrize("name", ["1_f8a2cea0", "2_726fa489", "0_ccb66c10"])
@pytest.mark.parametrize("place", [None, (2000, 2300)])
def test_pale_cores_and_fields_inside_them_are_tissue(shared_data, tmp_path, name, place):
    """The first two were refused as empty; a field of 250 µm shows no glass beside its tissue."""
    path = next(shared_data("her2_ihc/gea-tma").glob(f"{name}*.jpg"))
    least = 0.45
    if place is not None:
        field = cv2.imread(str(path))[place[0] : place[0] + 1000, place[1] : place[1] + 1000]
        path, least = tmp_path / "field.jpg", 0.95
        cv2.imwrite(str(path), field)
    with open_slide(path, um_per_px=0.25) as slide:
        mask = find_tissue(slide)
    assert mask.reason == ""
    assert float((mask.labels > 0).mean()) > least
