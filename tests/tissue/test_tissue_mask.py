"""The values: masks, pieces and roles, numbers of the report."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_her2.geometry import Box
from napari_her2.tissue import Piece, TissueMask, tissue_qc, with_roles


def small_mask() -> TissueMask:
    labels = np.array([[1, 1, 0, 1], [2, 3, 4, 5], [0, 0, 1, 1]], np.uint8)
    pieces = np.array([[1, 1, 0, 2], [0, 1, 1, 0], [0, 0, 1, 1]], np.int32)
    listed = tuple(Piece(label=k, box=Box(0, 0, 40, 40), area_mm2=0.1) for k in (1, 2))
    return TissueMask(
        labels=labels, pieces=pieces, piece_list=listed, um_per_px=5.0, slide_um_per_px=0.5, focus=0.75
    )


def test_points_are_looked_up_by_corner():
    mask = small_mask()
    points = [(0, 0), (9.99, 9.99), (10, 0), (10, 10), (0, 30), (29.9, 39.9), (30, 0), (-0.1, 0), (0, 40)]
    assert mask.at(points).tolist() == [1, 1, 2, 3, 1, 1, 0, 0, 0]
    assert mask.piece_at(points).tolist() == [1, 1, 0, 1, 2, 1, 0, 0, 0]
    assert mask.at([(4.9, 10.1)], slide_um_per_px=1.0).tolist() == [0]
    assert mask.at([(9.9, 0)], slide_um_per_px=1.0).tolist() == [2]


def test_areas_and_report_numbers():
    mask = small_mask()
    assert mask.tissue_mm2 == pytest.approx(5 * 25e-6)
    assert mask.excluded_mm2 == pytest.approx(dict.fromkeys(("pen", "fold", "blur", "edge"), 25e-6))
    assert tissue_qc(mask)["focus"] == 0.75
    assert set(tissue_qc(mask)) == {"tissue_mm2", "excluded_mm2", "focus"}


@pytest.mark.parametrize(
    ("role", "counts", "expected"),
    [("patient", True, None), ("control", False, "3+"), ("duplicate", False, None), ("ignore", False, None)],
)
def test_only_the_patients_pieces_count(role, counts, expected):
    mask = with_roles(small_mask(), {2: role})
    changed = mask.piece_list[1]
    assert (changed.role, changed.expected_score, changed.confirmed) == (role, expected, True)
    assert mask.counted.sum() == (5 if counts else 4)
    assert mask.tissue.sum() == 5
    assert not mask.piece_list[0].confirmed


def test_a_proposal_is_taken_over_as_it_is():
    proposed = Piece(label=2, box=Box(0, 0, 1, 1), area_mm2=9, role="control", expected_score="0")
    changed = with_roles(small_mask(), {2: proposed}).piece_list[1]
    assert (changed.role, changed.expected_score, changed.confirmed) == ("control", "0", False)
    assert changed.area_mm2 == 0.1


def test_an_unknown_piece_is_refused():
    with pytest.raises(ValueError, match="no piece 7"):
        with_roles(small_mask(), {7: "ignore"})


def test_fraction_of_a_box():
    mask = small_mask()
    assert mask.fraction(Box(0, 0, 10, 20)) == 1.0
    assert mask.fraction(Box(0, 0, 30, 40)) == pytest.approx(5 / 12)
    assert mask.fraction(Box(-50, -50, 10, 10)) == 0.0
    other = with_roles(mask, {2: "control"})
    assert other.fraction(Box(0, 30, 10, 10)) == 0.0
    assert other.fraction(Box(0, 30, 10, 10), counted=False) == 1.0


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 5)), st.integers(1, 40))
def test_every_raster_pixel_is_found_at_its_centre(labels, step):
    mask = TissueMask(
        labels=labels, pieces=np.zeros(labels.shape, np.int32), piece_list=(), um_per_px=step * 0.25,
        slide_um_per_px=0.25,
    )  # fmt: skip
    rows, cols = np.indices(labels.shape).reshape(2, -1)
    assert (mask.at((np.column_stack([rows, cols]) + 0.5) * step) == labels.ravel()).all()
