"""Patches in pairs, the veil over what is not shared, and the H&E on its own canvas; no window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.napari import handmade
from tests.napari.test_napari_steps import Desk

from napari_her2._napari.case_view import load_case
from napari_her2._napari.he_side import HeSide
from napari_her2._napari.paired import find_pairs
from napari_her2._napari.preparing import Prepared
from napari_her2._napari.roi import Ring
from napari_her2.events import drain
from napari_her2.geometry import Affine
from napari_her2.patches import PatchGrid
from napari_her2.pipeline.patches import match_patches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SQUARE = np.array([(200.0, 200.0), (200.0, 400.0), (400.0, 400.0), (400.0, 200.0)])
MOVED = np.array((20.0, 10.0))
SHIFT = Affine.translation(0.0, 256.0)


def bounds(ring: Any) -> Any:
    """Return the least and the greatest (row, col)."""
    return np.array([ring.min(axis=0), ring.max(axis=0)])


def half_shared(mapping: Any) -> Any:
    """Return the mapping with shared tissue in the left half of the H&E only."""
    values = mapping.trust.values.copy()
    middle = mapping.he.size_um[1] / 2
    right = mapping.trust.nodes_um[:, 1].reshape(values.shape[:2]) > middle
    values[..., 1] = np.where(right, 0.0, 1.0)
    return replace(mapping, trust=mapping.trust.with_values(values))


def test_the_patch_under_the_cursor_and_its_partner() -> None:
    mapping = handmade.mapping(SHIFT)
    found = drain(find_pairs(mapping, None, matched=True))
    one = found.at("he", (300.0, 300.0))
    assert one is not None
    assert one.matched
    assert one.he_um is not None
    assert one.ihc_um is not None
    low, high = one.he_um.min(axis=0), one.he_um.max(axis=0)
    assert (low <= 300).all()
    assert (high > 300).all()
    np.testing.assert_allclose(high - low, 112.0, err_msg="224 px of 0.5 µm")
    np.testing.assert_allclose(np.ptp(one.ihc_um, axis=0), 128.0, err_msg="512 px of 0.25 µm")
    apart = np.linalg.norm(SHIFT(one.he_um.mean(axis=0)[None])[0] - one.ihc_um.mean(axis=0))
    assert apart == pytest.approx(one.residual_um, abs=1e-6)
    back = found.at("ihc", tuple(one.ihc_um.mean(axis=0)))  # type: ignore[arg-type]
    assert back is not None
    np.testing.assert_array_equal(back.he_um, one.he_um)
    assert found.at("he", (-5.0, 3.0)) is None
    assert found.at("he", (300.0, 1000.0)) is None, "off the other slide no patch takes part"


def test_patches_without_partner_are_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    mapping = handmade.mapping(SHIFT)
    tables = []
    for side, grid in (("he", PatchGrid.he(mapping.he)), ("ihc", PatchGrid.ihc(mapping.ihc))):
        tables.append(handmade.patches(grid, side))
    from napari_her2.case import PatchTable

    table = PatchTable.concat(list(match_patches(tables[0], tables[1], mapping)))
    found = drain(find_pairs(mapping, table, matched=True))
    alone = found.at("ihc", (300.0, 60.0))
    assert alone is not None
    assert alone.he_um is None
    assert not alone.matched
    moved = drain(find_pairs(handmade.mapping(), table, matched=False))
    again = moved.at("ihc", (300.0, 60.0))
    assert again is not None
    assert again.matched, "another alignment, other partners"
    held = drain(find_pairs(handmade.mapping(), table, matched=True)).at("ihc", (300.0, 60.0))
    assert held is not None
    assert not held.matched, "the table's own partners are taken where they hold"


def test_the_veil_lies_where_nothing_is_shared() -> None:
    found = drain(find_pairs(half_shared(handmade.mapping()), None, matched=True))
    for picture, um in (found.he_veil, found.ihc_veil):
        rows, cols = picture.shape[:2]
        assert max(rows, cols) == 512
        assert rows * um == pytest.approx(handmade.SHAPE[0] * handmade.UM, abs=um)
        left, right = picture[:, : cols // 2 - 20, 3], picture[:, cols // 2 + 20 :, 3]
        assert (left == 0).all()
        assert (right > 100).all()


@pytest.fixture
def desk(pair: tuple[Path, Path]) -> Iterator[Any]:
    """An aligned pair with a proposed tumour area."""
    made = Desk()
    made.control.open(pair)
    made.control._prepared(
        Prepared(
            mapping=handmade.mapping(Affine.translation(20, 10)), outlines={"he": (SQUARE,), "ihc": (SQUARE,)}
        )
    )
    yield made
    made.worklist.close()
    made.control.close()


def test_areas_are_drawn_on_either_slide_and_carried_to_the_other(desk: Any) -> None:
    canvas, tumour = desk.canvas, desk.control.tumour
    canvas.fill_drawing([Ring("he", SQUARE), Ring("ihc", SQUARE + 300)])
    tumour.drawn()
    assert {ring.role for ring in tumour.rings()} == {"he", "ihc"}
    side = HeSide(ViewerModel(), canvas, tumour.drawn)
    side.show(desk.session.he)
    canvas.share(side)
    canvas.set_linked(True)
    tumour.drawn()
    np.testing.assert_allclose(
        side.rings()[0].points_um, SQUARE, err_msg="what lay on the H&E lies on its canvas"
    )
    np.testing.assert_allclose(canvas.drawing().data[0], SQUARE + 300)
    assert len(canvas.drawing().data) == 1
    on_ihc = np.asarray(canvas.layer("carried").data[0])
    np.testing.assert_allclose(bounds(on_ihc), bounds(SQUARE + MOVED), atol=1e-3)
    on_he = np.asarray(side.layer("carried").data[0])
    np.testing.assert_allclose(bounds(on_he), bounds(SQUARE + 300 - MOVED), atol=1e-3)

    side.lie(Affine.rotation(90, centre=(100, 100)))
    side.draw("Tumor")
    assert side.layer("tumour").mode == "add_polygon"
    side.layer("tumour").add(SQUARE + 250, shape_type="polygon")
    drawn = [ring for ring in tumour.rings() if ring.role == "he"]
    np.testing.assert_allclose(drawn[1].points_um, SQUARE + 250, atol=1e-6, err_msg="turned or not")
    assert desk.session.tumour.rings == 3
    assert len(canvas.layer("carried").data) == 2, "carried to the IHC at once"
    canvas.stop_drawing()
    assert side.layer("tumour").mode == "pan_zoom"

    canvas.set_linked(False)
    canvas.share(None)
    side.close()
    rings = tumour.rings()
    assert [ring.role for ring in rings] == ["ihc", "he", "he"]
    np.testing.assert_allclose(rings[2].points_um, SQUARE + 250, atol=1e-6, err_msg="nothing is lost")
    canvas.clear_drawing()
    assert not tumour.rings()


def test_what_is_drawn_on_a_turned_slide_lies_where_it_was_drawn(desk: Any) -> None:
    desk.canvas.turn(Affine.rotation(90, centre=(384, 512)))
    layer = desk.canvas._drawing_layer()
    layer.add(SQUARE, shape_type="polygon")
    np.testing.assert_allclose(desk.canvas.rings()[0].points_um, SQUARE, atol=1e-6)


def test_the_overlays_of_the_he_are_seen_on_its_canvas(case: Path) -> None:
    made = Desk()
    made.control.take(drain(made.control.load(case)))
    side = HeSide(ViewerModel(), made.canvas, lambda: None)
    side.show(made.session.he)
    assert [layer.name for layer in side.viewer.layers][1:] == ["tumour heat map", "tumour area, H&E"]
    made.canvas.set_linked(True)
    assert not side.layer("heat").visible
    made.canvas.set_visible("heat", True)
    made.canvas.set_threshold(0.5)
    assert side.layer("heat").visible
    np.testing.assert_array_equal(
        side.layer("heat").colormap.colors, made.canvas.layer("heat").colormap.colors
    )
    assert side.layer("outline_he").visible
    assert not made.canvas.layer("outline_he").visible
    made.canvas.set_visible("outline", False)
    assert not side.layer("outline_he").visible
    place = Affine.translation(5, 6)
    side.lie(place)
    assert all(np.allclose(np.asarray(layer.affine)[-3:, -3:], place.matrix) for layer in side.viewer.layers)
    made.canvas.clear_result()
    assert side.layer("heat") is None
    side.close()
    made.worklist.close()
    made.control.close()


def test_a_case_brings_its_patches(case: Path) -> None:
    from napari_her2.case import CaseFiles, PatchTable, write_patches

    grid = PatchGrid.ihc(handmade.mapping().ihc)
    write_patches(CaseFiles(case).patches, PatchTable.concat([handmade.patches(grid, "ihc")]))
    found = drain(load_case(case)).patches
    assert found is not None
    assert len(found) == len(grid.cells)
