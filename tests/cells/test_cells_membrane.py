from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells.assemble import assemble
from napari_her2.cells.classify import Membranes, class_codes, own_membranes
from napari_her2.cells.membrane import Borders, Rays, borders_of
from napari_her2.cells.planes import TileStain
from napari_her2.cells.polar import RAYS, STEPS, follow, ridge
from napari_her2.cells.settings import CellSettings
from napari_her2.vocabulary import CELL_CLASSES


def rays(response: np.ndarray) -> Rays:
    lines = np.asarray(response, np.float32)[None]
    zero = np.zeros_like(lines)
    return Rays(
        height_od=lines,
        mass=zero,
        width_um=np.ones_like(lines),
        response_od=lines,
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


@pytest.mark.parametrize(("stained", "lined"), [(0, 0), (18, 18), (54, 54), (72, 72)])
def test_rays_with_a_line_are_counted_wherever_they_lie(stained: int, lined: int) -> None:
    response = np.zeros(RAYS)
    response[np.random.default_rng(3).permutation(RAYS)[:stained]] = 0.2
    found = borders_of(rays(response), weak_od=0.11)
    assert found.rays.sum() == RAYS
    assert found.lined.sum() == lined


def test_traced_rays_follow_the_cell_s_own_line() -> None:
    faint = np.where(np.arange(RAYS) < 60, 0.04, 0.0)
    found = borders_of(rays(faint), weak_od=0.11)
    assert (found.lined.sum(), found.traced.sum()) == (0, 60)


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
        lined=on,
        traced=on,
        mass=mass,
        response_od=mass,
        width_um=np.full(2 * n, 1.2, np.float32),
    )


def test_an_unstained_cell_beside_a_stained_one_stays_unstained() -> None:
    stained = np.arange(6) < 3
    found = own_membranes(row_of_cells([0.9, 0.9, 0.9, 0.0, 0.0, 0.0]), 0.5 * np.ones(6), stained)
    np.testing.assert_allclose(found.own_mass, [0.9, 0.9, 0.9, 0, 0, 0], atol=0.1)
    assert found.completeness[:3].min() > 0.9
    assert found.completeness[3:].max() < 0.1
    assert found.intensity_od[:3].min() > 0.4
    assert found.intensity_od[3:].max() == 0


def test_heights_are_put_on_the_scale_of_a_usual_slide() -> None:
    borders, stained, line = row_of_cells([0.9, 0.9, 0.9]), np.ones(3, bool), np.full(3, 0.2)
    pale = own_membranes(borders, line, stained, scale=2.0)
    np.testing.assert_allclose(pale.intensity_od, 2 * own_membranes(borders, line, stained).intensity_od)


@pytest.mark.parametrize(
    ("reference", "scale"), [(None, 1.0), (0.3, 1.0), (0.15, 2.0), (0.02, 3.0), (2.0, 1.0)]
)
def test_the_scale_follows_the_counterstain_within_bounds(reference: float | None, scale: float) -> None:
    assert TileStain(white=(255.0, 255.0, 255.0), reference_od=reference).scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("stained", "completeness", "intensity", "width", "expected"),
    [
        (False, 0.0, 0.0, 0.0, "0"),
        (True, 0.3, 0.10, 1.2, "1+"),
        (True, 0.5, 0.25, 1.2, "1+"),
        (True, 0.9, 0.25, 1.2, "2+"),
        (True, 0.65, 0.60, 1.4, "2+"),
        (True, 0.9, 0.95, 1.6, "3+"),
        (True, 0.4, 0.45, 1.4, "unusual"),
        (True, 0.3, 0.90, 1.6, "unusual"),
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
        {"moderate_od": 1.9},
        {"complete_from": 0.0},
        {"max_growth_um": 30},
        {"tile_px": 10},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"got"):
        CellSettings(**wrong)  # type: ignore[arg-type]
