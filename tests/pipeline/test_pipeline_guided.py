"""Coarse to fine on what the packaged C really answered, all over a phantom with tumour in beds.

``answers_of_c.npz`` was recorded with `napari-her2 bench --only P2 --size 16384`: the places of 4192 patches
with tissue, what is known of them without the model, and the model's probability of tumour.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_her2.inference import guide
from napari_her2.patches import PatchGrid
from napari_her2.pipeline.tumour import heat_map

SIDE = 16384
STEP = 32.0  # level-0 pixels along a raster pixel of 8 µm


@pytest.fixture(scope="module")
def recorded() -> Any:
    with np.load(Path(__file__).with_name("answers_of_c.npz")) as held:
        cells, answers, features = (held[name] for name in ("cells", "answers", "features"))
    return cells.astype(np.int64), answers.astype(np.float32), features.astype(np.float32)


def region(cells: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The tumour area as a case has it."""
    grid = PatchGrid.over(SimpleNamespace(shape=(SIDE, SIDE), um_per_px=0.25), 224, 0.5, overlap=0.5)
    of_grid = np.full(grid.shape, np.nan, np.float32)
    of_grid[tuple(cells.T)] = answers
    raster = np.ones((round(SIDE / STEP),) * 2, bool)
    tissue: Any = SimpleNamespace(labels=raster, counted=raster, level0_px=STEP)
    return heat_map(of_grid, grid, tissue) >= 0.5


def guided(cells: np.ndarray, answers: np.ndarray, features: np.ndarray, seed: int) -> Any:
    guiding = guide(cells, features, seed=seed)
    which = next(guiding)
    while True:
        try:
            which = guiding.send(answers[which])
        except StopIteration as stop:
            return stop.value


def test_the_model_is_asked_about_a_quarter_and_the_area_stays_within_a_percent(recorded: Any) -> None:
    """The lattice falls on other patches in each of eight trials."""
    cells, answers, features = recorded
    whole = region(cells, answers)
    fractions, changes, bounds = [], [], []
    for trial in range(8):
        moved = cells + np.array([trial % 4, trial // 2 % 4])
        found, outcome = guided(moved, answers, features, trial)
        fractions.append(outcome.asked / outcome.patches)
        changes.append(100 * (region(cells, found).sum() / whole.sum() - 1))
        missed = 100 * ((answers >= 0.5) & (found < 0.5)).sum() / (answers >= 0.5).sum()
        bounds.append(missed <= outcome.missed_percent_high)
        assert outcome.audited >= 64
    assert np.median(fractions) <= 0.25, fractions
    assert np.abs(changes).max() <= 1, changes
    assert all(bounds)


def test_without_the_classical_estimate_more_has_to_be_seen(recorded: Any) -> None:
    cells, answers, features = recorded
    seen = [guided(cells, answers, part, 0)[1].asked for part in (features, features[:, :12])]
    assert seen[0] < seen[1] < len(cells)


def test_an_estimate_that_says_nothing_costs_time_and_no_area(recorded: Any) -> None:
    cells, answers, features = recorded
    noise = np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    found, outcome = guided(cells, answers, noise, 0)
    change = 100 * (region(cells, found).sum() / region(cells, answers).sum() - 1)
    assert abs(change) <= 1.5
    assert outcome.asked > guided(cells, answers, features, 0)[1].asked
