"""The linked view without a window: arithmetic, cameras, the warped H&E and its curtain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from tests.napari import handmade

from napari_her2._napari.linking import Link, LinkedCameras, local_affine
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2._napari.warped import Curtain, CurtainPyramid, StainSource, WarpedSource
from napari_her2.geometry import Affine, Box
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (handmade.SHAPE[0] * handmade.UM, handmade.SHAPE[1] * handmade.UM)
TURNED = Affine.translation(40, -30) @ Affine.rotation(12, centre=(300, 400))


def bent() -> Any:
    """Return a mapping that is not affine."""
    velocity = Lattice.over(SIZE, 128.0, 2)
    nodes = velocity.nodes_um
    wave = 12 * np.column_stack([np.sin(nodes[:, 1] / 150), np.cos(nodes[:, 0] / 170)])
    flow = Flow.of(velocity.with_values(wave.reshape(velocity.values.shape)))
    return replace(handmade.mapping(TURNED), flow=flow)


def link(mapping: Any = None, **turns: int) -> Link:
    """Return a link of the handmade slides."""
    return Link(he_um=SIZE, ihc_um=SIZE, mapping=mapping, **turns)


def test_local_affine_of_an_affine_is_itself() -> None:
    found = local_affine(handmade.mapping(TURNED), (321.0, 456.0))
    np.testing.assert_allclose(found.matrix, TURNED.matrix, atol=1e-9)


def test_local_affine_touches_a_bent_mapping() -> None:
    mapping, at = bent(), np.array([(350.0, 500.0)])
    found = local_affine(mapping, tuple(at[0]))
    he = mapping.ihc_to_he_um(at)
    near = he + np.array([(15.0, 0.0), (0.0, 15.0), (-9.0, 12.0)])
    np.testing.assert_allclose(found(he), at, atol=0.05)
    np.testing.assert_allclose(found(near), mapping.he_to_ihc_um(near), atol=0.6)
    away = np.linalg.norm(found(he + 300) - mapping.he_to_ihc_um(he + 300))
    assert away > 5, "the mapping is bent indeed"


@given(st.integers(0, 3), st.integers(0, 3), st.floats(0, 700), st.floats(0, 900))
def test_the_way_across_leads_back(he: int, ihc: int, row: float, col: float) -> None:
    made = link(he_turns=he, ihc_turns=ihc)
    there = made.across((row, col), "ihc")
    np.testing.assert_allclose(made.across(there, "he"), (row, col), atol=1e-6)
    if he == ihc:
        np.testing.assert_allclose(there, (row, col), atol=1e-6)


def test_four_turns_are_none() -> None:
    made = link()
    for _ in range(4):
        made = made.turned(None)
    assert (made.he_turns, made.ihc_turns) == (0, 0)
    assert made.turned("he").he_turns == 1
    assert made.turned("he").ihc_turns == 0


@pytest.mark.parametrize("turns", [{}, {"he_turns": 1}, {"he_turns": 2, "ihc_turns": 3}])
def test_cursor_shows_the_same_tissue_on_both_slides(turns: dict[str, int]) -> None:
    mapping = bent()
    made = link(mapping, **turns)
    centre = tuple(float(v) for v in made.rotation("ihc")([(350.0, 500.0)])[0])
    place = made.he_place(centre)  # type: ignore[arg-type]
    found = made.cursor(centre, "ihc", place)  # type: ignore[arg-type]
    assert found is not None
    # At the middle of the view the other camera looks at that very place.
    np.testing.assert_allclose(found.place, made.across(centre, "ihc"), atol=0.1)  # type: ignore[arg-type]
    assert found.inside
    assert found.error_um == pytest.approx(8.0)
    back = made.cursor(found.place, "he", place)
    assert back is not None
    np.testing.assert_allclose(back.place, centre, atol=0.1)


def test_cursor_off_the_shared_tissue_says_so() -> None:
    made = link(handmade.mapping(Affine.translation(0, 2 * SIZE[1])))
    found = made.cursor((100.0, 100.0), "ihc", made.he_place((100.0, 100.0)))
    assert found is not None
    assert not found.inside
    assert link().cursor((1.0, 1.0), "ihc", Affine.identity()) is None


def test_cameras_follow_each_other_and_never_answer_themselves() -> None:
    ihc, he = ViewerModel(), ViewerModel()
    seen: list[tuple[float, float]] = []
    moves: list[int] = []
    made = LinkedCameras(
        link(handmade.mapping(TURNED)), ihc, he, at_rest=seen.append, moved=lambda: moves.append(1)
    )
    counts = {"ihc": 0, "he": 0}
    for name, viewer in (("ihc", ihc), ("he", he)):
        viewer.scene.camera.events.center.connect(lambda _, n=name: counts.update({n: counts[n] + 1}))
    ihc.scene.camera.zoom = 1.7
    ihc.scene.camera.center = (0, 200, 300)
    assert (he.scene.camera.zoom, tuple(he.scene.camera.center)[-2:]) == (1.7, (200, 300))
    assert counts == {"ihc": 1, "he": 1}, "one move each: no echo"
    he.scene.camera.center = (0, 50, 60)
    assert tuple(ihc.scene.camera.center)[-2:] == (50, 60)
    assert counts == {"ihc": 2, "he": 2}
    assert not seen, "nothing is placed in the middle of a drag"
    assert len(moves) >= 2
    made.rest()
    assert seen == [(50.0, 60.0)]
    made.on = False
    ihc.scene.camera.center = (0, 1, 2)
    assert tuple(he.scene.camera.center)[-2:] == (50, 60)
    made.close()


def test_warped_he_is_the_he_where_the_mapping_is_none(pair: tuple[Path, Path]) -> None:
    with open_slide(pair[0]) as he:
        source = WarpedSource(he, handmade.mapping(), tuple(level.shape for level in he.levels))
        box = Box(600, 800, 64, 96)
        for level in (0, 1):
            found = source.read(box.divided(2**level), level)
            wanted = he.read_level(box.divided(2**level), level)
            assert np.abs(found[..., :3].astype(int) - wanted).mean() < 1.0
            assert (found[..., 3] == 255).all()
        assert max(source.level_shapes[-1]) <= 96
        source.close()
        assert not he.closed, "the slide belongs to the case"


def test_warped_he_moves_as_the_mapping_says_and_is_grey_where_nothing_is_shared(
    pair: tuple[Path, Path],
) -> None:
    with open_slide(pair[0]) as he:
        shapes = tuple(level.shape for level in he.levels)
        moved = WarpedSource(he, handmade.mapping(Affine.translation(32, 16)), shapes)
        found = moved.read(Box(664, 832, 64, 64), 0)[..., :3]
        assert np.abs(found.astype(int) - he.read_level(Box(600, 800, 64, 64), 0)).mean() < 1.0
        far = WarpedSource(he, handmade.mapping(Affine.translation(5000, 0)), shapes)
        assert (far.read(Box(600, 800, 8, 8), 0) == (128, 128, 128, 110)).all()


def test_curtain() -> None:
    box = Box(0, 40, 4, 20)
    assert Curtain("blend").mask(box, 100).all()
    np.testing.assert_array_equal(Curtain("swipe", line=0.5).mask(box, 100)[0], np.arange(40, 60) >= 50)
    board = Curtain("checkerboard", square=0.02).mask(box, 100)
    assert board[0, 0]
    assert not board[0, 2]
    assert not board[2, 0]
    assert board[2, 2]
    # Squares of another box of the same level meet those of this one.
    np.testing.assert_array_equal(
        Curtain("checkerboard", square=0.02).mask(Box(0, 50, 4, 10), 100), board[:, 10:]
    )


def test_curtain_pyramid_reads_nothing_again(pair: tuple[Path, Path]) -> None:
    with open_slide(pair[0]) as he:
        shapes = tuple(level.shape for level in he.levels)
        pyramid = CurtainPyramid(
            WarpedSource(he, handmade.mapping(), shapes), TileLoader(TileCache(64 << 20))
        )
        box = Box(500, 700, 100, 200)
        whole = pyramid.read(0, box)
        pyramid.curtain = Curtain("swipe", line=800 / shapes[0][1])
        shown = pyramid.display(0, box)
        assert (shown[:, :100, 3] == 0).all()
        np.testing.assert_array_equal(shown[:, 100:], whole[:, 100:])
        assert (whole[..., 3] == 255).all(), "what is kept stays whole"
        pyramid.close()


def test_one_stain_alone(pair: tuple[Path, Path]) -> None:
    with open_slide(pair[1]) as ihc:
        shapes = tuple(level.shape for level in ihc.levels)
        box = Box(600, 800, 256, 256)
        rgb = ihc.read_level(box, 0).astype(int)
        brown = (rgb[..., 0] - rgb[..., 2]) > 60
        blue = (rgb[..., 2] - rgb[..., 0]) > 25
        assert brown.any()
        assert blue.any()
        dab = StainSource(ihc, "dab", shapes).read(box, 0).mean(axis=2)
        nuclei = StainSource(ihc, "haematoxylin", shapes).read(box, 0).mean(axis=2)
        assert dab[brown].mean() < dab[blue].mean() - 60
        assert nuclei[blue].mean() < nuclei[brown].mean() - 20
