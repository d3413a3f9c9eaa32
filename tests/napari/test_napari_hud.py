"""Words over the canvas, and one stain alone; no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Points, Shapes
from tests.napari import handmade
from tests.napari.test_napari_steps import Desk

from napari_her2._napari.cell_index import CellIndex
from napari_her2._napari.density import cells_of, painted
from napari_her2._napari.hands import Ruler, length_words
from napari_her2._napari.hud import counted_words, fitted, legend_for, magnification_words
from napari_her2._napari.layers import fit_lines
from napari_her2._napari.paired import Cover
from napari_her2._napari.probe import Probe, error_words
from napari_her2._napari.stains import StainView
from napari_her2._napari.viewing import zoom_of
from napari_her2.cells import CellTable
from napari_her2.geometry import Affine
from napari_her2.patches import PatchGrid
from napari_her2.vocabulary import EXCLUDED_REASONS

if TYPE_CHECKING:
    from pathlib import Path


def table(places: Any, codes: Any, **columns: Any) -> CellTable:
    """Return cells at places (row, col) in pixels, all of them counted unless said otherwise."""
    row, col = np.asarray(places, float).T
    n = len(row)
    values: dict[str, Any] = {
        "row_px": row, "col_px": col, "class_code": codes, "completeness": np.full(n, 0.9),
        "intensity_od": np.full(n, 0.61), "membrane_width_um": np.full(n, 1.9),
        "nucleus_area_um2": np.full(n, 40.0), "epithelial": np.ones(n), "in_tumour": np.ones(n, bool),
        "excluded": np.zeros(n, int), **columns,
    }  # fmt: skip
    return CellTable.of(**values)


def many(n: int, seed: int = 0) -> CellTable:
    """Return cells anywhere on 4 mm, sorted as a case keeps them."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 4000, (n, 2))
    places = places[np.lexsort(places.T[::-1])]
    return table(places, rng.integers(0, 5, n), in_tumour=rng.random(n) < 0.8)


@pytest.mark.parametrize(("wanted", "words"), [(2.5, "2.5"), (5, "5.0"), (9.96, "10"), (40, "40")])
def test_magnification(wanted: float, words: str) -> None:
    assert magnification_words(zoom_of(wanted)) == f"{words}\u00d7"


def test_legend_names_what_is_shown_and_nothing_else() -> None:
    assert legend_for([]) == ()
    assert [words for _, words in legend_for(["cells"])] == ["3+", "2+", "unusual", "1+", "0"]
    assert legend_for(["error"]) == (("#FDE737", "alignment error ≥ 100 µm"),)
    both = [words for _, words in legend_for(["heat", "her2", "outline"])]
    assert both[0] == "3+"
    assert both[-2:] == ["tumour area", "tumour probability"]


@pytest.mark.parametrize(
    ("room", "wanted"),
    [
        (40, ("cell 1+ \u00b7 membrane 0 % \u00b7 not counted", "alone")),
        (22, ("cell 1+ \u00b7 membrane 0 %", "not counted", "alone")),
        (3, ("cell 1+", "membrane 0 %", "not counted", "alone")),
    ],
)
def test_what_is_told_is_broken_at_its_dots(room: float, wanted: tuple[str, ...]) -> None:
    assert fitted(("cell 1+ \u00b7 membrane 0 % \u00b7 not counted", "alone"), len, room) == wanted


def test_field_counter() -> None:
    index = CellIndex.of(table([(10, 10), (20, 20), (30, 30), (99, 99)], [3, 3, 0, 2]), 1.0)
    counts = index.by_class(index.within((0, 0), (50, 50)))
    assert counts.tolist() == [1, 0, 0, 2, 0]
    words = [text for _, text in legend_for(["cells"], counts)]
    assert words[0].split() == ["3+", "2", "(67", "%)"]
    assert words[-1].split() == ["0", "1", "(33", "%)"]
    assert legend_for(["cells"], np.zeros(5, int)) == legend_for(["cells"])
    assert counted_words(1234, 0.0) == "1,234 tumour cells in view"
    assert counted_words(5, 500.0) == "5 tumour cells in \u2300 0.50 mm"


def test_overlays_hide_while_a_key_is_held(case: Path) -> None:
    desk = Desk()
    desk.control.open([case])
    assert desk.canvas.visible_keys() == {"outline", "outline_he", "cells"}
    hidden = desk.canvas.hide_overlays()
    assert desk.canvas.visible_keys() == set()
    assert {layer.name for layer in hidden} == {"cells", "tumour area, IHC", "tumour area, H&E"}
    desk.worklist.close()
    desk.control.close()


def test_one_stain_goes_round(pair: tuple[Path, Path]) -> None:
    desk = Desk()
    desk.control.open(pair)
    view = StainView(desk.session, desk.canvas)
    seen: list[Any] = []
    for _ in range(4):
        view.cycle()
        layer = desk.canvas.layer("stain")
        seen.append(None if layer is None else layer.name)
    assert seen == ["IHC, haematoxylin alone", "IHC, dab alone", None, "IHC, haematoxylin alone"]
    ihc: Any = desk.canvas.layer("ihc")
    layers = desk.viewer.layers
    assert layers.index(desk.canvas.layer("stain")) > layers.index(ihc)
    desk.control.close_slide("ihc")
    assert desk.canvas.layer("stain") is None
    desk.worklist.close()
    desk.control.close()


def test_counts_agree_with_looking_at_every_cell() -> None:
    cells = many(20_000)
    index = CellIndex.of(cells, 0.5)
    points = np.column_stack([cells.row_px, cells.col_px]) * 0.5
    low, high, centre = np.array((310.0, 20.0)), np.array((900.0, 1500.0)), np.array((1000.0, 700.0))
    inside = ((points >= low) & (points < high)).all(axis=1) & cells.in_tumour
    np.testing.assert_array_equal(
        index.by_class(index.within(low, high)), np.bincount(cells.class_code[inside], minlength=5)
    )
    near = (np.linalg.norm(points - centre, axis=1) <= 250) & cells.in_tumour
    found = index.in_circle((1000.0, 700.0), 500.0)
    assert len(found) == near.sum() > 100
    np.testing.assert_array_equal(
        CellIndex.of(cells.select(np.arange(len(cells))[::-1]), 0.5).points_um[:, 0],
        index.points_um[:, 0],
    )


def test_densities_count_every_cell_once_and_hide_classes_at_once() -> None:
    index = CellIndex.of(many(5000), 0.5)
    counts, um = index.densities()
    assert counts.sum() == index.counted.sum()
    np.testing.assert_array_equal(counts.sum(axis=(0, 1)), index.by_class(np.flatnonzero(index.counted)))
    row, col = np.floor(index.points_um[index.counted][7] / um).astype(int)
    assert counts[row, col].sum() >= 1
    picture = painted(counts, {3})
    assert ((picture[..., 3] > 0) == (counts[..., 3] > 0)).all(), "clear where no such cell is"
    assert (picture[..., :3][picture[..., 3] > 0] == (215, 48, 39)).all(), "the colour of 3+"
    assert (painted(counts, set())[..., 3] == 0).all()
    drawn = cells_of(index, (0, 0), (2000, 2000), 1000)
    assert drawn.total == index.counted.sum()
    assert len(drawn.points_um) <= 1000
    assert set(drawn.features) == {"class", "completeness", "intensity_od", "width_um"}


def test_cells_are_points_when_near_and_densities_when_far(case: Path) -> None:
    desk = Desk()
    desk.control.open([case])
    canvas = desk.canvas
    canvas.show_near(True)
    assert canvas.layer("cells").visible
    canvas.show_near(False)
    assert not canvas.layer("cells").visible
    assert canvas.layer("density").visible
    assert canvas.layer("density").data[..., 3].max() > 0
    canvas.show_classes({4})
    only = canvas.layer("density").data
    canvas.show_classes({0, 1, 2, 3, 4})
    assert (only[..., 3] > 0).sum() < (canvas.layer("density").data[..., 3] > 0).sum()
    canvas.set_visible("cells", False)
    assert not canvas.layer("density").visible
    canvas.show_near(True)
    assert not canvas.layer("cells").visible, "switched off it stays off"
    canvas.set_visible("cells", True)
    canvas.show_classes({3})
    index = desk.session.result.probe.cells  # type: ignore[union-attr]
    canvas.draw_cells(cells_of(index, (0, 0), (400, 400), 10**6))
    layer = canvas.layer("cells")
    assert 0 < len(layer.data) < 1000
    assert (layer.data < 400).all()
    np.testing.assert_array_equal(layer.shown, layer.metadata["class_code"] == 3)
    desk.worklist.close()
    desk.control.close()


def test_what_lies_under_the_cursor() -> None:
    cells = table(
        [(100, 100), (100, 140)], [3, 0], intensity_od=[0.61, 0.0],
        in_tumour=[True, False], excluded=[0, EXCLUDED_REASONS.index("unsure_gate")],
    )  # fmt: skip
    frame = handmade.mapping().ihc
    ihc_grid, he_grid = PatchGrid.ihc(frame), PatchGrid.he(frame)
    n = len(ihc_grid.cells)
    shares = {f"p{k}": np.full(n, share) for k, share in enumerate((0.1, 0.2, 0.6, 0.1))}
    ihc = handmade.patches(ihc_grid, "ihc", score=np.full(n, "2+"), **shares)
    he = handmade.patches(he_grid, "he", tumour_probability=np.full(len(he_grid.cells), 0.87))

    def cover(grid: PatchGrid) -> Cover:
        none = np.full(len(grid.cells), -1)
        return Cover.of(grid, grid.cells, none, none.astype(float))

    probe = Probe(cells=CellIndex.of(cells, 0.5), he=(he, cover(he_grid)), ihc=(ihc, cover(ihc_grid)))
    assert probe.at_ihc((50.0, 53.0)) == (
        "cell 3+ · membrane 90 % · 0.61 OD · 1.9 µm wide",
        "patch 2+ (0: 10 %, 1+: 20 %, 2+: 60 %, 3+: 10 %)",
    )
    assert (
        probe.at_ihc((50.0, 70.0))[0]
        == "cell 0 · membrane 90 % · not counted: at the edge of the tumour area"
    )
    assert len(probe.at_ihc((300.0, 300.0))) == 1, "no cell there"
    assert probe.at_he((50.0, 50.0)) == ("patch: tumour 87 %",)
    assert probe.at_he((-5.0, 50.0)) == ()
    assert error_words(handmade.mapping(error_um=14.0), (300.0, 300.0)) == "alignment ± 14 µm"
    far = handmade.mapping(Affine.translation(0, 5000))
    assert error_words(far, (300.0, 300.0)) == "not on both slides"


def test_the_ruler_measures_on_the_slide() -> None:
    seen: list[Any] = []
    ruler = Ruler(
        lambda _: Affine.translation(7, 9) @ Affine.rotation(30) @ Affine.scaling(1.25), seen.append
    )
    assert ruler.press((10.0, 10.0), 5.0)
    ruler.drag((10.0, 260.0))
    assert seen[0] is None
    assert seen[1] == ((10.0, 10.0), (10.0, 260.0), "200 µm"), "a slide that shrank is measured on itself"
    ruler.drag((10.0, 2510.0))
    assert seen[2][2] == "2.00 mm"
    assert length_words(12.34) == "12.3 µm"
    assert length_words(512.4, "px") == "512 px"


def test_lines_are_as_wide_on_the_screen_at_any_zoom() -> None:
    ring = np.array([(0.0, 0.0), (0.0, 90.0), (80.0, 90.0)])
    outline = Shapes([ring], shape_type="path", edge_width=3.0)
    empty, points = Shapes(ndim=2), Points(np.zeros((1, 2)), size=6)
    for zoom in (0.02, 0.5, 4.0):
        fit_lines([outline, points, empty], zoom)
        assert outline.edge_width[0] * zoom == pytest.approx(2.0)
        empty.add(ring, shape_type="polygon")
        assert empty.edge_width[-1] * zoom == pytest.approx(2.0), "what is drawn next, too"
    fit_lines([outline], 4.4)
    assert outline.edge_width[0] == 0.5, "a little zoom changes nothing"
    assert points.size[0] == 6
