"""Where cells may count: carried areas with their band, a person's areas, roles of pieces."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.pipeline.test_pipeline_patches import cells

from napari_her2.errors import CaseError
from napari_her2.geometry import Box
from napari_her2.pipeline.area import read_roi
from napari_her2.pipeline.gate import Gate, apply_gate, bilinear, closed, signed_depth_um
from napari_her2.pipeline.rasters import territories
from napari_her2.tissue import Piece, TissueMask, TumourRaster
from napari_her2.vocabulary import EXCLUDED_REASONS

if TYPE_CHECKING:
    from pathlib import Path

UM = 0.5
SIDE = 800  # level-0 pixels, 400 µm


def mask(*roles: str) -> TissueMask:
    """Pieces of equal width side by side."""
    labels = np.ones((100, 100), np.uint8)
    pieces = (np.arange(100) * len(roles) // 100 + 1)[None].repeat(100, axis=0).astype(np.int32)
    piece_list = tuple(
        Piece(label=k, box=Box(0, 0, SIDE, SIDE), area_mm2=0.1, role=role)  # type: ignore[arg-type]
        for k, role in enumerate(roles, 1)
    )
    return TissueMask(labels=labels, pieces=pieces, piece_list=piece_list, um_per_px=4.0, slide_um_per_px=UM)


def shifted(shift_px: float, error_um: float, shared_to: float = np.inf) -> Any:
    """A mapping that shifts columns, with the same error everywhere, of tissue shared up to a column."""
    move = np.array([0.0, shift_px])
    return SimpleNamespace(
        ihc_to_he=lambda points: np.asarray(points) - move,
        local_error_um=lambda points, side: np.full(len(points), error_um),
        inside=lambda points, side: np.asarray(points)[:, 1] < shared_to,
    )


def half_tumour(in_situ: bool = False) -> TumourRaster:
    """The left half, in pixels of 4 µm."""
    probability = np.zeros((100, 100), np.float32)
    probability[:, :50] = 1
    duct = np.zeros_like(probability)
    duct[:20] = 1
    return TumourRaster(
        probability=probability,
        um_per_px=4.0,
        slide_um_per_px=UM,
        method="classical",
        in_situ=duct if in_situ else None,
    )


def row_of_cells() -> Any:
    points = np.column_stack([np.full(80, 400.0), np.arange(80) * 10 + 5.0])
    return cells(points, ["2+"] * 80)


def reasons(table: Any) -> list[str]:
    return [EXCLUDED_REASONS[code] for code in table.excluded]


def test_the_carried_edge_has_a_band_of_the_local_error() -> None:
    gate = Gate.of(mask("patient"), None, half_tumour(), shifted(100.0, 15.0))
    judged = apply_gate(row_of_cells(), gate)
    edge = 500.0  # 400 px on the H&E, carried 100 px to the right
    band = 15.0 / UM
    for x, reason, inside in zip(judged.col_px, reasons(judged), judged.in_tumour, strict=True):
        unsure = abs(x - edge) < band
        assert reason == ("unsure_gate" if unsure else "")
        assert inside == (x < edge + band)
    assert judged.evaluable.sum() == 47


def test_models_look_at_the_area_and_its_margin_of_error_and_the_margin_does_not_count() -> None:
    gate = Gate.of(mask("patient"), None, half_tumour(), shifted(100.0, 15.0))
    inside, unsure = gate.inside_and_unsure()
    middles = (np.arange(100) + 0.5) * 8
    near = np.abs(middles - 500) * UM < 15.0
    assert (unsure == near).all()
    assert (inside == ((middles < 500) & ~near)).all()
    points = np.column_stack([np.full(100, 400.0), middles])
    judged = apply_gate(cells(points, ["2+"] * 100), gate)
    np.testing.assert_array_equal(judged.unsure, near)
    np.testing.assert_array_equal(judged.evaluable, inside[50])


def test_what_is_carried_onto_tissue_without_counterpart_is_unsure() -> None:
    gate = Gate.of(mask("patient"), None, half_tumour(), shifted(100.0, 15.0, shared_to=300.0))
    judged = apply_gate(row_of_cells(), gate)
    for x, reason, inside in zip(judged.col_px, reasons(judged), judged.in_tumour, strict=True):
        assert reason == ("unsure_gate" if 300 <= x < 500 else "")
        assert inside == (x < 500)


def test_carcinoma_in_situ_does_not_count() -> None:
    gate = Gate.of(mask("patient"), None, half_tumour(in_situ=True), shifted(0.0, 5.0))
    points = np.array([[50.0, 100.0], [400.0, 100.0]])
    judged = apply_gate(cells(points, ["3+", "3+"]), gate)
    assert reasons(judged) == ["in_situ", ""]


def test_without_he_all_tissue_of_the_patient_counts() -> None:
    judged = apply_gate(row_of_cells(), Gate.of(mask("patient"), None, None, None))
    assert judged.evaluable.all()


@pytest.mark.parametrize(
    ("role", "reason"), [("control", "control"), ("duplicate", "outside_roi"), ("ignore", "outside_roi")]
)
def test_other_pieces_never_count(role: str, reason: str) -> None:
    judged = apply_gate(row_of_cells(), Gate.of(mask("patient", role), None, None, None))
    right = judged.col_px > SIDE / 2
    assert not judged.in_tumour[right].any()
    assert set(np.array(reasons(judged))[right]) == {reason}
    assert judged.evaluable[~right].all()


def areas(tmp_path: Path, *features: tuple[str, int, int, dict[str, Any]]) -> Path:
    """Rectangles over all rows, from one column to another."""
    made = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[a, 0], [b, 0], [b, SIDE], [a, SIDE], [a, 0]]]},
            "properties": {"classification": {"name": name}, **more},
        }
        for name, a, b, more in features
    ]
    path = tmp_path / "roi.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": made}))
    return path


SHAPES = {"ihc": (SIDE, SIDE), "he": (SIDE, SIDE)}


def test_a_persons_area_goes_before_the_estimate_and_has_no_band(tmp_path: Path) -> None:
    path = areas(tmp_path, ("Tumor", 200, 600, {}), ("DCIS", 300, 400, {}), ("Ignore*", 400, 450, {}))
    roi = read_roi(path, SHAPES)
    gate = Gate.of(mask("patient"), roi, half_tumour(), shifted(0.0, 50.0))
    assert gate.confirmed
    judged = apply_gate(row_of_cells(), gate)
    for x, reason, inside in zip(judged.col_px, reasons(judged), judged.in_tumour, strict=True):
        expected = (
            "in_situ"
            if 300 < x < 400
            else "artefact"
            if 400 < x < 450
            else ""
            if 200 < x < 600
            else "outside_roi"
        )
        assert reason == expected
        assert inside == (200 < x < 600)


def test_areas_that_name_the_he_are_taken_there(tmp_path: Path) -> None:
    roi = read_roi(areas(tmp_path, ("Tumor", 0, 400, {"slide": "he"})), SHAPES)
    assert roi.slide == "he"
    mixed = read_roi(areas(tmp_path, ("Tumor", 0, 400, {"slide": "he"}), ("Tumor", 9, 99, {})), SHAPES)
    assert mixed.slide == "ihc"
    assert len(mixed.areas) == 1


@pytest.mark.parametrize(
    ("features", "shapes", "says"),
    [
        ([("Tumor", 0, 900, {})], SHAPES, "outside the image"),
        ([("Tumor", -5, 100, {})], SHAPES, "outside the image"),
        ([("Ignore*", 0, 100, {})], SHAPES, "none that counts"),
        ([("Tumor", 0, 100, {"slide": "he"})], {"ihc": (SIDE, SIDE)}, "--he"),
    ],
)
def test_areas_that_cannot_be_used(tmp_path: Path, features: Any, shapes: Any, says: str) -> None:
    with pytest.raises(CaseError, match=says):
        read_roi(areas(tmp_path, *features), shapes)


def test_cells_are_looked_for_near_the_area_and_on_controls_only() -> None:
    wide = Gate.of(mask("patient", "patient", "patient", "control"), None, half_tumour(), shifted(0.0, 5.0))
    wanted = wide.wanted()
    assert wanted.shape == (100, 100)
    assert wanted[:, :75].all(), "a margin of 100 µm and a block"
    assert wanted[:, 75:].all(), "the control"
    far = TumourRaster(
        probability=np.pad(np.ones((2, 2), np.float32), ((0, 98), (0, 98))),
        um_per_px=4.0,
        slide_um_per_px=UM,
        method="x",
    )
    wanted = Gate.of(mask("patient"), None, far, shifted(0.0, 5.0)).wanted()
    assert wanted[:10, :10].all()
    assert not wanted[60:, 60:].any()


def test_an_estimate_takes_in_the_stroma_between_nests_but_not_around_them() -> None:
    nests = np.zeros((100, 100), bool)
    nests[40:60, 10:30] = nests[40:60, 45:65] = nests[40:60, 92:] = True
    area = closed(nests, 60.0 / 4.0)
    assert area[45:55, 10:65].all(), "a gap of 60 µm"
    assert area[:38].sum() == area[62:].sum() == 0
    np.testing.assert_array_equal(closed(~nests & False, 5.0), False)
    assert closed(nests, 0.5).sum() == nests.sum()


def test_signed_depth_is_zero_at_the_edge() -> None:
    depth = signed_depth_um(half_tumour().region, 4.0)
    at = bilinear(depth, np.array([[50.0, 50.0], [50.0, 40.0], [50.0, 62.5]]))
    np.testing.assert_allclose(at, [0.0, 40.0, -50.0], atol=1e-6)
    assert (signed_depth_um(np.ones((3, 3), bool), 1.0) > 1e5).all()
    assert (signed_depth_um(np.zeros((3, 3), bool), 1.0) < -1e5).all()


def test_territories_belong_to_the_nearest_cell_whatever_the_tile() -> None:
    rng = np.random.default_rng(3)
    places = np.unique(rng.integers(0, 120, (60, 2)), axis=0)
    values = rng.integers(1, 6, len(places)).astype(np.uint8)
    whole = territories(places, values, Box(0, 0, 120, 120), 10.0)
    distance = np.linalg.norm(np.indices((120, 120)).transpose(1, 2, 0)[:, :, None] - places, axis=3)
    near = distance.min(axis=2)
    sure = (np.abs(near - 10) > 0.3) & ((distance < near[..., None] + 0.3).sum(axis=2) == 1)
    expected = np.where(near <= 10, values[distance.argmin(axis=2)], 0)
    assert (whole == expected)[sure].mean() > 0.999
    for tile in Box(0, 0, 120, 120).tiles(50):
        np.testing.assert_array_equal(territories(places, values, tile, 10.0), whole[tile.slices])
