from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells.assemble import assemble
from napari_her2.cells.classify import Membranes, class_codes, own_membranes
from napari_her2.cells.membrane import Borders, Rays, stained_rays
from napari_her2.cells.polar import RAYS, STEPS, follow, ridge
from napari_her2.cells.settings import CellSettings
from napari_her2.vocabulary import CELL_CLASSES

FAINT = np.array([0.03])


def rays(sharpness: np.ndarray, excess: np.ndarray | None = None) -> Rays:
    flat = sharpness.astype(np.float32)[None]
    dense = flat if excess is None else excess.astype(np.float32)[None]
    zero = np.zeros_like(flat)
    return Rays(
        sharpness_od=flat,
        height_od=flat,
        excess_od=dense,
        mass=zero,
        width_um=zero,
        response_od=zero,
        neighbour=zero.astype(np.int32),
        level_od=np.zeros(1, np.float32),
        bright_od=np.zeros(1, np.float32),
    )


def test_a_line_is_sharp_and_a_broad_rim_of_cytoplasm_is_not() -> None:
    radius = (np.arange(STEPS) + 0.5) * 0.25
    line = 0.3 * np.exp(-0.5 * ((radius - 7) / 0.45) ** 2)
    rim = np.where((radius > 4.5) & (radius < 9.5), 0.3, 0.0)
    peaks = [ridge(np.tile(p, (1, RAYS, 1)).astype(np.float32)).max() for p in (line, rim)]
    assert peaks[0] > 0.15
    assert peaks[1] < 0.01


def test_the_line_is_followed_around_an_off_centre_circle() -> None:
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    wanted = 28 + 6 * np.cos(angle)
    value = np.exp(-0.5 * ((np.arange(STEPS) - wanted[:, None]) / 1.5) ** 2)[None].astype(np.float32)
    found = follow(value, np.ones(value.shape, bool))[0]
    assert np.abs(found - wanted).max() <= 1.0


@pytest.mark.parametrize(
    ("name", "runs", "expected"),
    [
        ("nothing", [], 0),
        ("a run of five", [(10, 15)], 5),
        ("four rays are noise", [(10, 14)], 0),
        ("a run over the end of the circle", [(68, 72), (0, 4)], 8),
        ("the whole circle", [(0, 72)], 72),
    ],
)
def test_runs(name: str, runs: list[tuple[int, int]], expected: int) -> None:
    sharpness = np.zeros(RAYS)
    for start, stop in runs:
        sharpness[start:stop] = 0.06
    assert stained_rays(rays(sharpness), FAINT).sum() == expected


def test_a_corner_is_bridged_where_it_is_dense_and_not_where_it_is_bare() -> None:
    sharpness = np.full(RAYS, 0.2)
    sharpness[30:34] = -0.05
    dense, bare = np.full(RAYS, 0.2), np.full(RAYS, 0.2)
    bare[30:34] = 0.0
    assert stained_rays(rays(sharpness, dense), FAINT).sum() == RAYS
    assert stained_rays(rays(sharpness, bare), FAINT).sum() == RAYS - 4


def row_of_cells(masses: list[float]) -> Borders:
    """Cells in a line: each shares half of its outline with each neighbour; masses of borders add up."""
    n = len(masses)
    pairs = [(i, j) for i in range(n) for j in (i - 1, i + 1)]
    inside = [(i, j if 0 <= j < n else -1) for i, j in pairs]
    mass = np.array([masses[i] + (masses[j] if j >= 0 else 0.0) for i, j in inside], np.float32)
    on = (mass > 0.04) * np.float32(36)
    return Borders(
        cell=np.array([i for i, _ in inside]),
        neighbour=np.array([j for _, j in inside]),
        rays=np.full(2 * n, 36, np.float32),
        stained=on,
        traced=on,
        mass=mass,
        response_od=mass,
        height_od=mass,
        width_um=np.full(2 * n, 1.2, np.float32),
    )


def test_an_unstained_cell_beside_a_stained_one_stays_unstained() -> None:
    found = own_membranes(row_of_cells([0.9, 0.9, 0.9, 0.0, 0.0, 0.0]), np.arange(6) < 3)
    np.testing.assert_allclose(found.own_mass, [0.9, 0.9, 0.9, 0, 0, 0], atol=0.1)
    assert found.completeness[:3].min() > 0.9
    assert found.completeness[3:].max() < 0.1


@pytest.mark.parametrize(
    ("stained", "completeness", "intensity", "width", "expected"),
    [
        (False, 0.0, 0.0, 0.0, "0"),
        (True, 0.3, 0.10, 1.2, "1+"),
        (True, 0.9, 0.10, 1.2, "1+"),
        (True, 0.9, 0.22, 1.2, "2+"),
        (True, 0.9, 0.60, 1.4, "2+"),
        (True, 0.9, 0.90, 1.6, "3+"),
        (True, 0.4, 0.40, 1.4, "unusual"),
        (True, 0.3, 0.90, 1.6, "unusual"),
        (True, 0.5, 0.90, 1.6, "3+"),
        (False, 0.9, 0.90, 1.6, "0"),
    ],
)
def test_classes(stained: bool, completeness: float, intensity: float, width: float, expected: str) -> None:
    numbers = {"completeness": completeness, "intensity_od": intensity, "width_um": width, "own_mass": 0.0}
    columns = {name: np.array([value], np.float32) for name, value in numbers.items()}
    membranes = Membranes(stained=np.array([stained]), **columns)
    assert CELL_CLASSES[class_codes(membranes, CellSettings())[0]] == expected


def test_no_tiles_are_no_cells() -> None:
    assert len(assemble([])) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"moderate_od": 0.9},
        {"complete_from": 0.0},
        {"trace_share": 1.5},
        {"max_growth_um": 30},
        {"tile_px": 10},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"got"):
        CellSettings(**wrong)  # type: ignore[arg-type]


def test_more_grain_or_more_cytoplasmic_dab_never_makes_a_line_easier_to_believe() -> None:
    level = np.linspace(-0.1, 0.6, 30)
    calm, grainy = (CellSettings().faint_at(grain, level) for grain in (0.005, 0.03))
    assert np.all(np.diff(calm) >= 0)
    assert np.all(grainy >= calm)
