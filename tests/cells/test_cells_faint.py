from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells.faint import FEATURES, faint_features, shipped_weights, stained_share, terms
from napari_her2.cells.lines import along_best, responses
from napari_her2.cells.membrane import Borders
from napari_her2.cells.polar import RAYS, STEPS
from napari_her2.cells.tile import NUCLEUS_COLUMNS, Measured

RADIUS_UM = (np.arange(STEPS) + 0.5) * 0.25


def ring(height: float, level: float = 0.0, rays: slice = slice(None)) -> np.ndarray:
    """One cell with a line of a faint membrane's width at 7.125 um on some rays, on even cytoplasm."""
    brown = np.full((1, RAYS, STEPS), level, np.float32)
    brown[:, rays] += (height * np.exp(-0.5 * ((RADIUS_UM - 7.125) / 0.3) ** 2)).astype(np.float32)
    return brown


def everywhere() -> np.ndarray:
    return np.ones((1, RAYS, STEPS), bool)


@pytest.mark.parametrize("level", [0.0, 0.2])
def test_a_line_answers_with_its_height_whatever_the_cytoplasm(level: float) -> None:
    dark, _ = responses(ring(0.1, level))
    np.testing.assert_allclose(along_best(dark, everywhere()), 0.1, rtol=0.03)


def test_even_cytoplasm_answers_nothing_dark_or_bright() -> None:
    dark, bright = responses(ring(0.0, 0.3))
    assert max(np.abs(dark).max(), np.abs(bright).max()) < 1e-4


def test_grain_answers_alike_with_both_signs_and_less_than_a_faint_line() -> None:
    grain = np.random.default_rng(1).normal(0, 0.03, (20, RAYS, STEPS)).astype(np.float32)
    allowed = np.ones(grain.shape, bool)
    dark, bright = (along_best(r, allowed).mean() for r in responses(grain))
    assert dark == pytest.approx(bright, rel=0.1)
    assert dark < 0.06


def population(line: float, count: int = 30, bright: float = 0.015, level: float = 0.05) -> Measured:
    """Cells in a row, all with the same outline; each shares half of it with each neighbour."""
    at = np.arange(count)
    cell = np.repeat(at, 2)
    neighbour = cell + np.tile([-1, 1], count)
    neighbour[neighbour >= count] = -1
    same = np.full(2 * count, line, np.float32)
    half = np.full(2 * count, 36, np.float32)
    borders = Borders(
        cell=cell, neighbour=neighbour, rays=half, lined=half, traced=half, mass=same, response_od=same,
        width_um=same,
    )  # fmt: skip
    one = np.ones(count, np.float32)
    return Measured(
        row=at.astype(float), col=at.astype(float), **dict.fromkeys(NUCLEUS_COLUMNS, one),
        line_od=line * one, arc_od=1.3 * line * one, height_od=line * one,
        bright_od=bright * one, level_od=level * one,
        borders=borders, far=np.zeros(2 * count, complex),
    )  # fmt: skip


def test_a_clear_line_is_stained_and_one_like_grain_is_not() -> None:
    assert stained_share(population(0.12)).min() > 0.9
    assert stained_share(population(0.015)).max() < 0.1


def test_a_stricter_factor_never_makes_a_faint_line_easier_to_believe() -> None:
    found = [stained_share(population(0.05), factor=f).mean() for f in (0.7, 1.0, 1.6)]
    assert found[0] >= found[1] >= found[2]


def test_no_cells_have_no_share() -> None:
    assert stained_share(population(0.1, count=0)).shape == (0,)


def test_weights_fit_the_features() -> None:
    features = faint_features(population(0.1))
    assert features.shape[1] == len(FEATURES)
    assert terms(features).shape[1] == len(shipped_weights().terms)
    assert np.isfinite(features).all()
