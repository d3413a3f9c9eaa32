"""Pieces on the glass and what they probably are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_her2.geometry import Affine, Box
from napari_her2.tissue import Piece, TissueMask, find_pieces, propose_roles, with_roles

UM = 8.0


def outline(kind: str, size: int = 60, turn: float = 0.0) -> np.ndarray:
    """Binary shape in a square of twice its size."""
    canvas = np.zeros((2 * size, 2 * size), np.uint8)
    c = size
    if kind == "boot":
        points = [(-0.7, -0.7), (0.7, -0.7), (0.7, 0.6), (0.2, 0.6), (0.2, -0.1), (-0.7, -0.1)]
        cv2.fillPoly(canvas, [np.int32([(c + size * x, c + size * y) for y, x in points])], 1)
    elif kind == "round":
        cv2.circle(canvas, (c, c), int(0.7 * size), 1, -1)
    else:
        cv2.ellipse(canvas, (c, c), (int(0.9 * size), int(0.25 * size)), 20, 0, 360, 1, -1)
    matrix = cv2.getRotationMatrix2D((c, c), turn, 1.0)
    return cv2.warpAffine(canvas, matrix, canvas.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def glass(*shapes: np.ndarray, um_per_px: float = UM) -> TissueMask:
    """Shapes side by side."""
    height, width = max(s.shape[0] for s in shapes), sum(s.shape[1] for s in shapes)
    present, col = np.zeros((height, width), np.bool_), 0
    for shape in shapes:
        present[: shape.shape[0], col : col + shape.shape[1]] = shape
        col += shape.shape[1]
    return mask_of(present, um_per_px)


def mask_of(present: np.ndarray, um_per_px: float = UM) -> TissueMask:
    pieces, listed = find_pieces(present, present, um_per_px=um_per_px, level0_px=4.0)
    return TissueMask(
        labels=present.astype(np.uint8), pieces=pieces, piece_list=listed, um_per_px=um_per_px,
        slide_um_per_px=um_per_px / 4,
    )  # fmt: skip


def roles_by_col(pieces: tuple[Piece, ...]) -> list[tuple[str, str | None]]:
    return [(p.role, p.expected_score) for p in sorted(pieces, key=lambda p: p.box.col)]


def test_pieces_are_ordered_by_size_and_boxed_in_level_0():
    present = np.zeros((50, 100), np.bool_)
    present[10:20, 5:25], present[5:45, 60:90] = True, True
    usable = present.copy()
    usable[5:25, 60:90] = False
    labels, pieces = find_pieces(present, usable, um_per_px=10.0, level0_px=20.0, gap_um=50.0)
    assert [p.box for p in pieces] == [Box(100, 1200, 800, 600), Box(200, 100, 200, 400)]
    assert [p.area_mm2 for p in pieces] == pytest.approx([0.06, 0.02])
    assert labels[30, 70] == 1
    assert labels[15, 10] == 2
    assert labels[0, 0] == 0


@pytest.mark.parametrize(("gap_px", "n"), [(3, 1), (5, 1), (8, 2), (30, 2)])
def test_ragged_tissue_stays_one_piece(gap_px, n):
    present = np.zeros((120, 250), np.bool_)
    present[10:110, 10:110] = True
    present[10:110, 110 + gap_px : 200 + gap_px] = True
    assert len(find_pieces(present, present, um_per_px=UM, level0_px=4.0, gap_um=50.0)[1]) == n


def test_nothing_has_no_pieces():
    labels, pieces = find_pieces(np.zeros((9, 9), bool), np.zeros((9, 9), bool), um_per_px=8, level0_px=4)
    assert pieces == ()
    assert not labels.any()


def test_a_piece_without_he_is_proposed_as_control_until_a_person_says_otherwise():
    he = glass(outline("boot"))
    ihc = glass(outline("boot"), outline("long", 40))
    proposed = propose_roles(he, ihc, Affine.identity())
    assert roles_by_col(proposed) == [("patient", None), ("control", "3+")]
    assert not any(p.confirmed for p in proposed)
    told = with_roles(ihc, {2: "patient"})
    assert roles_by_col(propose_roles(he, told, Affine.identity())) == [("patient", None)] * 2


@pytest.mark.parametrize(("dab", "expected"), [({}, "3+"), ({2: 0.5}, "3+"), ({2: 0.04}, "0")])
def test_an_unstained_control_is_expected_to_be_0(dab, expected):
    ihc = glass(outline("boot"), outline("long", 40))
    assert (
        propose_roles(glass(outline("boot")), ihc, Affine.identity(), mean_dab=dab)[1].expected_score
        == expected
    )


def test_the_mapping_is_used():
    he, ihc = glass(outline("boot")), glass(outline("long"), outline("boot", turn=90))
    turned = Affine.translation(0, 120 * UM) @ Affine.rotation(90, (60 * UM, 60 * UM))
    assert roles_by_col(propose_roles(he, ihc, turned)) == [("control", "3+"), ("patient", None)]


def test_rasters_of_different_pixel_size_are_compared_in_um():
    he = glass(cv2.resize(outline("boot").astype(np.uint8), None, fx=2, fy=2) > 0, um_per_px=UM / 2)
    ihc = glass(outline("boot"), outline("long", 40))
    assert roles_by_col(propose_roles(he, ihc, Affine.identity())) == [("patient", None), ("control", "3+")]


def test_a_further_level_is_a_duplicate_with_or_without_he():
    ihc = glass(outline("boot"), outline("boot", turn=25), outline("long", 40))
    with_he = propose_roles(glass(outline("boot")), ihc, Affine.identity())
    assert roles_by_col(with_he) == [("patient", None), ("duplicate", None), ("control", "3+")]
    alone = propose_roles(None, ihc, None)
    assert sorted(p.role for p in alone) == ["duplicate", "patient", "patient"]


def test_round_cores_of_different_patients_are_no_duplicates():
    cores = glass(*(outline("round", s) for s in (40, 41, 42)))
    assert {p.role for p in propose_roles(None, cores, None)} == {"patient"}


def test_fragments_without_he_are_ignored():
    crumb = outline("round", 8)
    ihc = glass(outline("boot"), np.zeros((30, 40), bool), crumb)
    assert roles_by_col(propose_roles(glass(outline("boot")), ihc, Affine.identity())) == [
        ("patient", None), ("ignore", None),
    ]  # fmt: skip


def test_a_mapping_that_misses_everything_is_not_believed():
    he, ihc = glass(outline("boot")), glass(outline("boot"), outline("long", 40))
    away = Affine.translation(1e5, 1e5)
    assert {p.role for p in propose_roles(he, ihc, away)} == {"patient"}


def test_an_empty_slide_has_no_roles():
    empty = mask_of(np.zeros((40, 40), np.bool_))
    assert propose_roles(empty, empty, Affine.identity()) == ()
