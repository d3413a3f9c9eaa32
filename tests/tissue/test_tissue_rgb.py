"""Tissue, ink, folds and edges on pages with known truth, and on real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.tissue import TISSUE_LABELS, tissue_from_rgb

WHITE = (243.0, 242.0, 244.0)
TISSUE, PEN, FOLD, EDGE = (TISSUE_LABELS[k] for k in ("tissue", "pen", "fold", "edge"))


def share(labels, where, value):
    return float((labels[where] == value).mean())


def inner(mask, by=3):
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)) > 0


def outer(mask, by=4):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)) == 0


@pytest.mark.parametrize("um_per_px", [1.0, 2.0, 8.0, 16.0])
@pytest.mark.parametrize("stain", ["he", "he_pale", "ihc_0", "ihc_1", "ihc_3"])
def test_tissue_of_any_stain_is_found_and_glass_is_not(page, stain, um_per_px):
    p = page(um_per_px=um_per_px)
    where = p.tissue(p.ellipse(200, 230, 120, 150), stain)
    labels = tissue_from_rgb(p.rgb(), um_per_px, WHITE)
    assert share(labels, inner(where), TISSUE) > 0.98
    assert share(labels, outer(where, max(round(25 / um_per_px), 4)), TISSUE) < 0.005


def test_very_pale_tissue_is_kept(page):
    p = page()
    where = p.tissue(p.ellipse(200, 230, 120, 150), "ihc_0", strength=0.5)
    assert p.density[where].sum(axis=1).mean() < 0.17
    assert share(tissue_from_rgb(p.rgb(), 8.0, WHITE), inner(where), TISSUE) > 0.95


@pytest.mark.parametrize("colour", ["green", "dark_green", "red", "blue", "black"])
@pytest.mark.parametrize(("stain", "width"), [("he", 12), ("he", 50), ("ihc_0", 30), ("ihc_3", 30)])
def test_ink_beside_tissue_is_pen(page, colour, stain, width):
    p = page()
    where = p.tissue(p.ellipse(200, 200, 110, 120), stain)
    ink = p.ink(p.stroke([(30, 30), (30, 300), (200, 450), (380, 300)], width), colour)
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    found = PEN if colour != "black" else (PEN, EDGE)  # a long thin grey line may be a coverslip's edge
    assert np.isin(labels[inner(ink, 1)], found).mean() > 0.95
    assert share(labels, ink, TISSUE) < 0.03
    assert share(labels, inner(where) & ~ink, TISSUE) > 0.97


@pytest.mark.parametrize("colour", ["dark_green", "black"])
def test_ink_over_tissue_is_pen(page, colour):
    p = page()
    where = p.tissue(p.ellipse(200, 200, 110, 150), "he")
    ink = p.ink(p.stroke([(200, 20), (200, 480)], 40), colour)
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    assert np.isin(labels[inner(ink, 2) & where], (PEN, EDGE)).mean() > 0.9
    assert share(labels, inner(where) & outer(ink), TISSUE) > 0.95


@pytest.mark.parametrize("share_3", [0.05, 0.4, 1.0])
def test_strongly_stained_tissue_is_neither_pen_nor_fold(page, share_3):
    p = page()
    where = p.tissue(p.ellipse(200, 250, 150, 200), "ihc_0")
    nests = where & (cv2.GaussianBlur(p.rng.random(p.shape), (0, 0), 8) > 0)
    level = cv2.GaussianBlur(p.rng.random(p.shape), (0, 0), 8)
    nests = where & (level >= np.quantile(level[where], 1 - share_3))
    p.tissue(nests, "ihc_3")
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    assert share(labels, inner(nests, 1), TISSUE) > 0.97


@pytest.mark.parametrize("stain", ["he", "ihc_0"])
def test_a_fold_is_found(page, stain):
    p = page()
    where = p.tissue(p.ellipse(200, 250, 150, 200), stain)
    fold = p.stroke([(150, 120), (200, 200), (210, 320)], 7)
    p.tissue(fold, stain, strength=2.0)
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    assert share(labels, inner(fold, 1), FOLD) > 0.75
    assert share(labels, where & outer(fold), FOLD) < 0.002


def test_a_cord_of_lymphocytes_is_no_fold(page):
    p = page()
    p.tissue(p.ellipse(200, 250, 150, 200), "he")
    cord = p.stroke([(150, 120), (200, 200), (210, 320)], 7)
    p.density[cord] += 0.8 * np.array([0.65, 0.7, 0.29])
    assert share(tissue_from_rgb(p.rgb(), 8.0, WHITE), cord, FOLD) < 0.1


def test_a_coverslip_edge_is_no_tissue(page):
    p = page()
    where = p.tissue(p.ellipse(220, 280, 110, 120), "he")
    edge = p.grey(p.stroke([(0, 60), (399, 90)], 5), 0.35)
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    assert share(labels, edge, EDGE) > 0.8
    assert share(labels, edge, TISSUE) == 0
    assert share(labels, where, EDGE) == 0


def test_a_smooth_shadow_is_no_tissue(page):
    p = page()
    p.tissue(p.ellipse(240, 280, 100, 120), "he")
    p.density[:60] += np.linspace(0.12, 0, 60)[:, None, None]
    assert share(tissue_from_rgb(p.rgb(), 8.0, WHITE), np.s_[:50], TISSUE) < 0.01


def test_black_and_pure_white_borders_of_a_scan_are_not_tissue(page):
    p = page()
    where = p.tissue(p.ellipse(200, 250, 110, 150), "he")
    rgb = p.rgb()
    rgb[:50], rgb[-50:] = 0, 255
    labels = tissue_from_rgb(rgb, 8.0, WHITE)
    assert (labels[:48] == EDGE).all()
    assert (labels[-48:] == 0).all()
    assert share(labels, inner(where), TISSUE) > 0.98


def test_padding_taken_for_white_does_not_turn_glass_into_tissue(page):
    p = page()
    where = p.tissue(p.ellipse(200, 250, 110, 150), "he")
    rgb = p.rgb()
    rgb[:, :80] = 255
    labels = tissue_from_rgb(rgb, 8.0, (255.0, 255.0, 255.0))
    assert share(labels, outer(where), TISSUE) < 0.01
    assert share(labels, inner(where), TISSUE) > 0.98


def test_small_holes_are_filled_and_specks_removed(page):
    p = page()
    hole, lumen = p.ellipse(200, 200, 3, 3), p.ellipse(200, 260, 30, 30)
    speck = p.ellipse(30, 450, 4, 4)
    p.tissue((p.ellipse(200, 230, 120, 150) & ~hole & ~lumen) | speck, "he")
    labels = tissue_from_rgb(p.rgb(), 8.0, WHITE)
    assert share(labels, hole, TISSUE) == 1
    assert share(labels, inner(lumen, 5), TISSUE) == 0
    assert share(labels, speck, TISSUE) == 0


@pytest.mark.parametrize("value", [0, 12, 255, 243])
def test_uniform_pictures_hold_no_tissue(value):
    labels = tissue_from_rgb(np.full((120, 150, 3), value, np.uint8), 8.0, WHITE)
    assert not np.isin(labels, [TISSUE, PEN, FOLD]).any()


def test_a_picture_filled_with_tissue_is_all_tissue(page):
    p = page(shape=(128, 128), um_per_px=2.0)
    p.tissue(np.ones(p.shape, np.bool_), "he")
    assert share(tissue_from_rgb(p.rgb(), 2.0, (255.0, 255.0, 255.0)), np.s_[:], TISSUE) > 0.98


@settings(max_examples=8, deadline=None)
@given(turn=st.integers(0, 3), flip=st.booleans(), seed=st.integers(0, 5))
def test_nothing_depends_on_the_orientation(turn, flip, seed):
    from tests.tissue.conftest import Page

    p = Page(shape=(160, 160), seed=seed)
    p.tissue(p.ellipse(80, 70, 45, 50), "he")
    p.ink(p.stroke([(20, 20), (30, 140)], 9), "green")
    rgb = p.rgb()

    def moved(a):
        return np.ascontiguousarray(np.rot90(a[:, ::-1] if flip else a, turn))

    expected, got = moved(tissue_from_rgb(rgb, 8.0, WHITE)), tissue_from_rgb(moved(rgb), 8.0, WHITE)
    assert (expected == got).mean() > 0.995


@pytest.mark.parametrize(("name", "um_per_px"), [("pen_green", 80.0), ("pen_red", 40.0)])
def test_real_pen_is_no_tissue(shared_data, name, um_per_px):
    rgb = cv2.imread(str(shared_data(f"artefacts/{name}.png")))[..., ::-1]
    ink = cv2.imread(str(shared_data(f"artefacts/{name}_mask.png")), 0) > 0
    labels = tissue_from_rgb(np.ascontiguousarray(rgb), um_per_px, (243.0, 243.0, 243.0))
    assert share(labels, ink, PEN) >= 0.9
    assert share(labels, ink, TISSUE) <= 0.05


@pytest.mark.parametrize(
    ("name", "um_per_px", "least", "most"),
    [
        ("artefacts/histolab_no-tissue-green-pen.png", 1.0, 0, 0.01),
        ("artefacts/histolab_no-tissue-red-pen.png", 1.0, 0, 0.75),
        ("artefacts/histolab_no-tissue.png", 1.0, 0, 0),
        ("artefacts/histolab_almost-white-1.png", 1.0, 0, 0),
        ("artefacts/histolab_wsi-blue-pen.png", 80.0, 0.25, 0.45),
        ("artefacts/ihc_coverslip_edge.png", 20.0, 0.05, 0.17),
        ("registration/lung-lesion-1/proSPC.jpg", 10.0, 0.5, 0.8),
        ("registration/rat-kidney/PanCytokeratin.jpg", 10.0, 0.55, 0.68),
    ],
)
def test_share_of_tissue_on_real_pictures(shared_data, name, um_per_px, least, most):
    rgb = cv2.imread(str(shared_data(name)))[..., ::-1]
    labels = tissue_from_rgb(np.ascontiguousarray(rgb), um_per_px, (243.0, 243.0, 243.0))
    assert least <= float((labels == TISSUE).mean()) <= most
