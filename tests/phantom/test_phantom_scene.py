"""Pixels and cells: independent of what was drawn before, exact in their mix, plausible to the eye."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.geometry import Box
from napari_her2.phantom import PhantomSpec
from napari_her2.phantom.layout import KINDS
from napari_her2.phantom.membranes import COMPLETENESS, line, membranes_of, stained
from napari_her2.phantom.scene import PhantomScene, apportioned, counts_by_class
from napari_her2.phantom.tiles import TileJob, draw_tile
from napari_her2.vocabulary import CELL_CLASSES

SPEC = PhantomSpec(seed=6, score="2+", size_um=(420.0, 300.0), pen=True, fold=True, blur=True, in_situ=0.2)
SCENE = PhantomScene(SPEC)


def invasive_counts(scene: PhantomScene) -> dict[str, int]:
    piece = scene.glasses["ihc"].patient
    total = dict.fromkeys(("3+", "2+", "unusual", "1+", "0"), 0)
    for cells in scene.cells(piece):
        codes = scene.classify(piece, cells)[cells.kind == KINDS["invasive"]]
        total = {key: total[key] + count for key, count in counts_by_class(codes).items()}
    return total


@pytest.fixture(scope="module")
def whole() -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    shape = SCENE.shape("he")
    return {"he": SCENE.he(Box.of_shape(shape)), "ihc": SCENE.ihc(Box.of_shape(SCENE.shape("ihc")))}


@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 1100),
    st.integers(0, 1500),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(["he", "ihc"]),
)
def test_a_region_alone_is_the_same_as_in_the_whole(
    whole: dict[str, Any], row: int, col: int, height: int, width: int, stain: str
) -> None:
    rows, cols = whole[stain].shape[:2]
    region = Box(row, col, min(height, rows - row), min(width, cols - col))
    alone = getattr(PhantomScene(SPEC), stain)(region)
    np.testing.assert_array_equal(alone, whole[stain][region.slices])


@pytest.mark.parametrize("stain", ["he", "ihc"])
def test_tiles_meet_without_a_seam(stain: Any) -> None:
    piece = SCENE.glasses[stain].patient
    light = replace(SCENE.lights[stain], noise=0.0)
    classify = SCENE.classify if stain == "ihc" else None
    job = TileJob(piece=piece, light=light, classify=classify, artefacts=None)
    one, other = draw_tile(job, (256, 512)).pixels, draw_tile(job, (320, 352)).pixels
    assert one is not None
    assert other is not None
    overlap_one, overlap_other = one[64:, :352].astype(int), other[:-64, 160:].astype(int)
    assert np.abs(overlap_one - overlap_other).max() <= 2
    assert overlap_one.std() > 10


def test_outside_the_slide_there_is_empty_glass() -> None:
    pixels = SCENE.he(Box(-700, -700, 600, 600))
    np.testing.assert_array_equal(pixels.reshape(-1, 3), np.tile(SCENE.white("he"), (360_000, 1)))


def test_another_seed_is_another_tissue_and_another_stain_seed_only_another_stain() -> None:
    box = Box(400, 400, 300, 300)
    first, same = (
        PhantomScene(PhantomSpec(size_um=(300.0, 300.0))),
        PhantomScene(PhantomSpec(size_um=(300.0, 300.0))),
    )
    stained_otherwise = PhantomScene(PhantomSpec(size_um=(300.0, 300.0), stain_seed=5))
    np.testing.assert_array_equal(first.ihc(box), same.ihc(box))
    other = PhantomScene(PhantomSpec(size_um=(300.0, 300.0), seed=8))

    def alike(a: PhantomScene, b: PhantomScene) -> float:
        return float(np.corrcoef(a.ihc(box).mean(axis=2).ravel(), b.ihc(box).mean(axis=2).ravel())[0, 1])

    assert alike(first, stained_otherwise) > 0.9 > 0.5 > alike(first, other)
    assert np.abs(first.ihc(box).mean((0, 1)) - stained_otherwise.ihc(box).mean((0, 1))).max() > 1


@pytest.mark.parametrize("strong", [9.0, 10.0, 10.1, 11.0])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_the_mix_is_exact_to_the_cell(strong: float, missing: float) -> None:
    mix = {"3+": strong, "2+": 20.0, "unusual": 5.5, "1+": 30.0, "0": 44.5 - strong}
    counts = invasive_counts(
        PhantomScene(PhantomSpec(seed=3, size_um=(800.0, 700.0), mix=mix, missing=missing))
    )
    total = sum(counts.values())
    assert total > 700
    for key, percent in mix.items():
        assert abs(counts[key] - percent * total / 100) < 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=6).filter(lambda p: sum(p) > 1), st.integers(0, 5000))
def test_shares_add_up_and_are_nearest(percent: list[float], total: int) -> None:
    counts = apportioned(percent, total)
    assert sum(counts) == total
    assert all(abs(n - p * total / sum(percent)) < 1 for n, p in zip(counts, percent, strict=True))


@pytest.mark.parametrize("size", [(200.0, 200.0), (200.0, 500.0), (300.0, 300.0)])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_small_phantoms_can_be_scored(size: tuple[float, float], seed: int) -> None:
    assert sum(invasive_counts(PhantomScene(PhantomSpec(seed=seed, size_um=size))).values()) >= 150


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_in_situ_carcinoma_has_about_the_wanted_share(share: float) -> None:
    scene = PhantomScene(PhantomSpec(seed=4, size_um=(1600.0, 1600.0), in_situ=share))
    kinds = np.concatenate([cells.kind for cells in scene.cells(scene.glasses["ihc"].patient)])
    assert (kinds == KINDS["in_situ"]).mean() == pytest.approx(share, abs=0.08)


def test_cells_differ_between_sections_but_the_tissue_does_not() -> None:
    scene = PhantomScene(PhantomSpec(seed=9, warp_um=0.0, size_um=(500.0, 500.0)))
    he, ihc = (scene.glasses[stain].patient.section for stain in ("he", "ihc"))  # type: ignore[index]
    assert he.seed != ihc.seed
    points = np.random.default_rng(0).uniform(50, 450, (200, 2))
    np.testing.assert_allclose(he.fields(points), ihc.fields(points), atol=1e-6)


# ------------------------------------------------------------------ membranes

WIDTHS = {"1+": 0.64, "2+": 1.0, "3+": 2.14}


def table_of(name: str, n: int = 4000) -> np.ndarray[Any, np.dtype[np.float64]]:
    bits = np.random.default_rng(1).integers(0, 2**63, n).astype(np.uint64)
    return membranes_of(np.full(n, CELL_CLASSES.index(name), np.uint8), bits)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "width"), WIDTHS.items())
def test_two_neighbours_make_a_line_of_the_published_width(name: str, width: float) -> None:
    table = table_of(name)
    across = np.linspace(-4, 4, 1601)
    mean = table.mean(axis=0, keepdims=True)
    mine = np.array([line.py_func(mean, 0, x) for x in across])  # type: ignore[attr-defined]
    both = np.sqrt(mine**2 + mine[::-1] ** 2)
    above = across[both > both.max() / 2]
    assert above[-1] - above[0] == pytest.approx(width, rel=0.12)


def test_classes_differ_in_completeness_and_intensity_as_the_guideline_says() -> None:
    whole = {name: table_of(name)[:, COMPLETENESS] for name in CELL_CLASSES}
    dark = {name: table_of(name)[:, 0] for name in CELL_CLASSES}
    assert whole["0"].max() == 0
    assert whole["2+"].min() >= 0.9 <= whole["3+"].min()
    assert 0.1 < whole["1+"].min() < whole["1+"].max() < 0.9
    assert 0.1 < whole["unusual"].min() < whole["unusual"].max() < 0.9
    assert dark["1+"].max() < dark["2+"].min() < dark["2+"].max() < dark["3+"].min()
    assert dark["unusual"].min() > dark["1+"].max()


@pytest.mark.parametrize("name", ["1+", "2+", "3+", "unusual"])
def test_the_drawn_outline_is_as_complete_as_stated(name: str) -> None:
    table = table_of(name, 60)
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    drawn = [np.mean([stained.py_func(table, k, a) for a in angles]) for k in range(len(table))]  # type: ignore[attr-defined]
    np.testing.assert_allclose(drawn, table[:, COMPLETENESS], atol=0.13)
    assert np.mean(drawn) == pytest.approx(table[:, COMPLETENESS].mean(), abs=0.03)
