"""The classical tumour estimate, and a person's outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_her2.events import Progress, drain
from napari_her2.slides import open_slide
from napari_her2.stain import H_E, mix, transmit
from napari_her2.tissue import (
    CLASSICAL,
    PERSON,
    TumourRaster,
    find_tissue,
    tumour_from_polygons,
    tumour_region,
    with_roles,
)
from napari_her2.tissue.ducts import in_situ_probability
from napari_her2.tissue.nests import Measured, nest_probability

WHITE = (243.0, 242.0, 244.0)


def scatter(shape, spacing, radius, rng):
    """Discs at jittered grid places: nuclei."""
    canvas = np.zeros(shape, np.uint8)
    for row in np.arange(spacing / 2, shape[0], spacing):
        for col in np.arange(spacing / 2, shape[1], spacing):
            place = (col + rng.uniform(-1, 1) * spacing / 5, row + rng.uniform(-1, 1) * spacing / 5)
            cv2.circle(
                canvas, (round(place[0]), round(place[1])), round(radius * rng.uniform(0.8, 1.2)), 1, -1
            )
    return canvas > 0


@pytest.fixture(scope="module")
def section():
    """1 mm of H&E at 1 µm/px: pink ground, a nest (left), fibroblasts, lymphocytes (right)."""
    rng = np.random.default_rng(1)
    shape = (700, 1000)
    h, e = np.full(shape, 0.02), np.full(shape, 0.28)
    h[scatter(shape, 26, 2.4, rng)] = 0.5  # sparse small nuclei everywhere
    r, c = np.indices(shape)
    nest = ((r - 350) / 200) ** 2 + ((c - 280) / 180) ** 2 < 1
    lymph = ((r - 350) / 130) ** 2 + ((c - 740) / 130) ** 2 < 1
    large, small = scatter(shape, 13, 4.8, rng), scatter(shape, 9, 2.8, rng)
    h[nest] = np.where(large, 0.32, 0.14)[nest]
    h[lymph] = np.where(small, 0.85, 0.02)[lymph]
    amounts = np.stack([h, e, np.zeros(shape)], axis=-1) * (1 + 0.08 * rng.normal(size=(*shape, 1)))
    inside = (r > 40) & (r < 660) & (c > 40) & (c < 960)
    density = np.where(inside[..., None], mix(amounts, H_E), 0)
    rgb = np.clip(np.rint(cv2.GaussianBlur(transmit(density, WHITE), (0, 0), 0.7)), 0, 255).astype(np.uint8)
    return rgb, nest, lymph, inside


def upsampled(raster: TumourRaster, shape):
    return cv2.resize(raster.probability, shape[::-1], interpolation=cv2.INTER_NEAREST)


def test_nests_score_and_stroma_and_lymphocytes_do_not(section, as_slide):
    rgb, nest, lymph, inside = section
    with as_slide(rgb, 1.0) as slide:
        tissue = find_tissue(slide)
        tumour = drain(tumour_region(slide, tissue))
    full = upsampled(tumour, nest.shape)
    inner = cv2.erode(nest.astype(np.uint8), np.ones((31, 31))) > 0
    stroma = inside & (cv2.dilate((nest | lymph).astype(np.uint8), np.ones((41, 41))) == 0)
    assert (full[inner] > 0.5).mean() > 0.98
    assert (full[stroma] > 0.5).mean() < 0.03
    assert (full[lymph] > 0.5).mean() < 0.1
    assert (full[~inside] < 0.5).all()
    assert tumour.method == CLASSICAL
    assert not tumour.confirmed
    assert tumour.area_mm2 == pytest.approx(nest.sum() / 1e6, rel=0.15)


@pytest.mark.parametrize("strength", [0.6, 1.0, 1.5])
def test_the_strength_of_the_stain_does_not_matter(section, as_slide, strength):
    rgb, nest, _, _ = section
    light = np.array(WHITE)
    changed = np.clip(np.rint(light * (rgb / light) ** strength), 1, 255).astype(np.uint8)
    with as_slide(changed, 1.0) as slide:
        tumour = drain(tumour_region(slide, find_tissue(slide)))
    found = upsampled(tumour, nest.shape) > 0.5
    assert (found & nest).sum() / (found | nest).sum() > 0.8


def test_results_do_not_depend_on_tiling(section, as_slide, monkeypatch):
    from napari_her2.tissue import tumour as module

    with as_slide(section[0], 1.0) as slide:
        tissue = find_tissue(slide)
        whole = drain(tumour_region(slide, tissue))
        monkeypatch.setattr(module, "_TILE_UM", 140.0)
        events = []
        steps = tumour_region(slide, tissue)
        try:
            while True:
                events.append(next(steps))
        except StopIteration as stop:
            tiled = stop.value
    assert np.abs(whole.probability - tiled.probability).max() < 1e-3
    assert all(isinstance(e, Progress) for e in events)
    assert len(events) > 20
    assert events[-1].done == events[-1].total == len(events)


def test_results_do_not_depend_on_threads(section, as_slide, monkeypatch):
    from napari_her2.tissue import tumour as module

    monkeypatch.setattr(module, "_TILE_UM", 140.0)
    with as_slide(section[0], 1.0) as slide:
        tissue = find_tissue(slide)
        one, three = (drain(tumour_region(slide, tissue, threads=n)) for n in (1, 3))
    np.testing.assert_array_equal(one.probability, three.probability)
    np.testing.assert_array_equal(one.in_situ, three.in_situ)


def test_only_usable_tissue_of_patient_pieces_is_judged(section, as_slide):
    with as_slide(section[0], 1.0) as slide:
        tissue = with_roles(find_tissue(slide), {1: "ignore"})
        tumour = drain(tumour_region(slide, tissue))
    assert not tumour.probability.any()
    assert tumour.probability.shape == tissue.labels.shape


@pytest.mark.parametrize("value", [255, 240, 0])
def test_empty_slides_hold_no_tumour(as_slide, value):
    with as_slide(np.full((300, 300, 3), value, np.uint8), 1.0) as slide:
        tumour = drain(tumour_region(slide, find_tissue(slide)))
    assert tumour.area_mm2 == 0


@pytest.mark.parametrize("um_per_px", [0.25, 0.5, 1.0, 3.0])
def test_any_pixel_size_is_accepted(section, as_slide, um_per_px):
    size = (round(1000 / um_per_px), round(700 / um_per_px))
    rgb = cv2.resize(section[0], size, interpolation=cv2.INTER_AREA if um_per_px > 1 else cv2.INTER_LINEAR)
    with as_slide(rgb, um_per_px) as slide:
        tumour = drain(tumour_region(slide, find_tissue(slide)))
    nest = section[1]
    found = upsampled(tumour, nest.shape) > 0.5
    assert (found & nest).sum() / nest.sum() > 0.9
    assert tumour.slide_um_per_px == um_per_px


def test_a_slide_that_is_all_tumour_is_not_split_in_two():
    amount = np.full((50, 50), 0.72, np.float32) + np.linspace(-0.05, 0.05, 50, dtype=np.float32)
    ones, zeros = np.ones_like(amount), np.zeros_like(amount)
    assert (nest_probability(Measured(ones, amount, zeros, zeros), 8.0) > 0.5).all()
    assert (nest_probability(Measured(ones, amount - 0.45, zeros, zeros), 8.0) < 0.5).all()
    assert (nest_probability(Measured(zeros, zeros, zeros, zeros), 8.0) == 0).all()


def test_points_are_looked_up():
    probability = np.array([[0.2, 0.8]], np.float32)
    raster = TumourRaster(probability=probability, um_per_px=8.0, slide_um_per_px=0.25, method="x")
    assert raster.at([(0, 0), (31.9, 32), (5, 64), (-1, 0)]).tolist() == pytest.approx([0.2, 0.8, 0, 0])
    assert raster.region.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("polygons", "holes", "area_px"),
    [
        ([[(0, 0), (0, 320), (320, 320), (320, 0)]], [], 320 * 320),
        (
            [[(40, 40), (40, 200), (200, 200), (200, 40)]],
            [[(80, 80), (80, 120), (120, 120), (120, 80)]],
            24000,
        ),
        ([[(0, 0), (0, 640), (640, 0)]], [], 640 * 640 / 2),
        ([[(-100, -100), (-100, 100), (100, 100), (100, -100)]], [], 100 * 100),
        ([], [], 0),
    ],
)
def test_a_persons_outline(polygons, holes, area_px):
    raster = tumour_from_polygons(polygons, (1000, 1200), slide_um_per_px=0.5, um_per_px=8.0, holes_px=holes)
    assert raster.probability.shape == (63, 75)
    assert raster.probability.sum() * 16**2 == pytest.approx(area_px, rel=0.02)
    assert raster.method == PERSON
    assert raster.confirmed


def amounts(shape=(300, 400), um=4.0):
    """Amount of haematoxylin: in pale ground a round nest with a cuff in a sheet, one alone, a band."""
    r, c = np.indices(shape) * um
    sheet = (c > 700) & (c < 1100)
    far_in_sheet = np.hypot(r - 500, c - 900)
    alone = np.hypot(r - 300, c - 300) < 90
    band = (np.abs(r - 900 - 60 * np.sin(c / 70)) < 60) & (c < 650)
    cuffed = far_in_sheet < 70
    dense = (sheet & (far_in_sheet > 88)) | cuffed | alone | band
    rng = np.random.default_rng(0)
    values = np.where(dense, 0.8, 0.2) + 0.04 * rng.normal(size=shape)
    return cv2.GaussianBlur(values.astype(np.float32), (0, 0), 1.0), cuffed, alone, band | (sheet & ~cuffed)


def test_round_nests_with_a_cuff_are_in_situ_and_others_are_not():
    amount, cuffed, alone, other = amounts()
    hint = in_situ_probability(amount, 4.0, amount.shape, 1.0)
    assert (hint[cuffed] >= 0.5).mean() > 0.95
    assert (hint[alone] >= 0.5).mean() > 0.95
    assert (hint[other] >= 0.5).mean() < 0.03
    assert not in_situ_probability(np.full((200, 200), 0.8, np.float32), 4.0, (100, 100), 0.5).any()


def test_in_situ_nests_keep_their_place_on_a_coarser_raster_and_across_blocks(monkeypatch):
    from napari_her2.tissue import ducts as module

    amount, cuffed, _, _ = amounts()
    fine = in_situ_probability(amount, 4.0, amount.shape, 1.0)
    coarse = in_situ_probability(amount, 4.0, (150, 200), 0.5)
    assert (cv2.resize(coarse, (400, 300), interpolation=cv2.INTER_NEAREST)[cuffed] >= 0.5).mean() > 0.9
    monkeypatch.setattr(module, "_BLOCK_UM", 400.0)
    assert (np.abs(in_situ_probability(amount, 4.0, amount.shape, 1.0) - fine) < 0.2).mean() > 0.995


@pytest.mark.slow  # the phantom's machine code is compiled first
def test_the_nests_of_a_phantom_are_found(tmp_path):
    import pyarrow.parquet as pq
    from scipy.spatial import cKDTree

    from napari_her2.phantom import PhantomScene, PhantomSpec, render_phantom

    spec = PhantomSpec(seed=1, size_um=(400, 400))
    drain(render_phantom(spec, tmp_path))
    cells = pq.read_table(tmp_path / "truth_cells.parquet").to_pydict()
    carcinoma = PhantomScene(spec).ihc_to_he(np.column_stack([cells["y"], cells["x"]]))
    invasive = carcinoma[np.array(cells["in_tumour"])]
    with open_slide(tmp_path / "he.ome.tif") as slide:
        tissue = find_tissue(slide)
        tumour = drain(tumour_region(slide, tissue))
    assert (tissue.at(invasive) == 1).mean() > 0.99
    assert (tumour.at(invasive) >= 0.5).mean() > 0.92
    centres = (np.argwhere(tissue.tissue) + 0.5) * tissue.level0_px
    stroma = centres[cKDTree(carcinoma).query(centres)[0] > 15 / 0.25]
    assert (tumour.at(stroma) < 0.5).mean() > 0.85


@pytest.mark.parametrize(
    ("name", "um", "least", "most"),
    [
        ("he_tumour/carcinoma-tiles/TUPAC-TR-002-tile-r34-c34-x33793-y33799-w1024-h1024.png", 0.43, 0.9, 1.0),
        ("stain/breast_he_1.png", 0.25, 0.4, 0.7),
        ("slides/CMU-1-Small-Region.svs", None, 0.2, 0.6),
    ],
)
def test_share_of_tumour_on_real_pictures(shared_data, name, um, least, most):
    with open_slide(shared_data(name), um_per_px=um) as slide:
        tissue = find_tissue(slide)
        tumour = drain(tumour_region(slide, tissue))
    assert least <= tumour.region.sum() / tissue.tissue.sum() <= most


def test_labels_of_a_real_slide(shared_data):
    """IDC mosaic, one patient at 4 µm/px: area under the ROC curve over 50 px squares."""
    labels = cv2.imread(str(shared_data("he_tumour/idc-14306/labels_50px_grid.png")), 0)
    with open_slide(shared_data("he_tumour/idc-14306/mosaic.png"), um_per_px=4.0) as slide:
        tumour = drain(tumour_region(slide, find_tissue(slide)))
    side = round(50 / tumour.level0_px)
    full = np.zeros((labels.shape[0] * side, labels.shape[1] * side), np.float32)
    part = tumour.probability[: full.shape[0], : full.shape[1]]
    full[: part.shape[0], : part.shape[1]] = part
    means = full.reshape(labels.shape[0], side, labels.shape[1], side).mean(axis=(1, 3))
    yes, no = means[labels == 1], means[labels == 0]
    assert (yes[:, None] > no[None]).mean() + 0.5 * (yes[:, None] == no[None]).mean() > 0.82
