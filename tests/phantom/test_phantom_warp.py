"""How sections lie on their glasses: exact inverses, no folds, the wanted size of the deformation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.phantom import UM_PER_PX, PhantomSpec
from napari_her2.phantom.architecture import TISSUE
from napari_her2.phantom.glass import lay_out
from napari_her2.phantom.landmarks import landmarks
from napari_her2.phantom.plan import inside, lying
from napari_her2.phantom.scene import PhantomScene
from napari_her2.phantom.warp import residual_rms

LAYS: list[dict[str, Any]] = [
    {"seed": 1, "size_um": (200.0, 200.0)},
    {"seed": 2, "size_um": (600.0, 300.0), "rotate_deg": 90.0, "mirror": True},
    {"seed": 3, "size_um": (1000.0, 1000.0), "rotate_deg": -137.0, "shrink": 0.08, "warp_um": 25.0},
    {"seed": 4, "size_um": (24_000.0, 18_000.0), "rotate_deg": 12.0, "warp_um": 120.0},
]

DOWN, RIGHT = np.eye(2)


def grid(scene: PhantomScene, n: int = 25) -> np.ndarray[Any, np.dtype[np.float64]]:
    rows, cols = scene.shape("he")
    return np.stack(np.meshgrid(np.linspace(0, rows, n), np.linspace(0, cols, n)), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("wishes", LAYS)
def test_there_and_back_is_the_same_place(wishes: dict[str, Any]) -> None:
    scene = PhantomScene(PhantomSpec(**wishes))
    points = grid(scene)
    assert np.abs(scene.ihc_to_he(scene.he_to_ihc(points)) - points).max() < 1e-5
    assert np.abs(scene.he_to_ihc(scene.ihc_to_he(points)) - points).max() < 1e-5


@pytest.mark.parametrize("wishes", LAYS)
def test_no_fold_anywhere_and_the_mirror_turns_the_sign(wishes: dict[str, Any]) -> None:
    scene = PhantomScene(PhantomSpec(**wishes))
    points, step = grid(scene, 60), 0.5
    down = scene.he_to_ihc(points + step * DOWN) - scene.he_to_ihc(points - step * DOWN)
    right = scene.he_to_ihc(points + step * RIGHT) - scene.he_to_ihc(points - step * RIGHT)
    det = (down[:, 0] * right[:, 1] - down[:, 1] * right[:, 0]) / (2 * step) ** 2
    sign = -1 if wishes.get("mirror") else 1
    assert (sign * det).min() > 0.1
    assert np.median(sign * det) == pytest.approx((1 - wishes.get("shrink", 0)) ** 2, abs=0.15)


@pytest.mark.parametrize("wishes", LAYS)
def test_the_deformation_is_as_large_as_wished(wishes: dict[str, Any]) -> None:
    spec = PhantomSpec(**wishes)
    he, ihc = lay_out(spec)
    points = inside(he.patient.section.plan, 60)
    rms = residual_rms(points, ihc.patient.section.placement.glass(points))
    assert rms * (1 / (1 - spec.shrink)) == pytest.approx(spec.warp_um, rel=0.02)


@settings(deadline=None, max_examples=15)
@given(st.floats(-360, 360), st.booleans(), st.floats(0, 0.2), st.integers(0, 10_000))
def test_the_tissue_fits_its_glass(angle: float, mirror: bool, shrink: float, seed: int) -> None:
    spec = PhantomSpec(seed=seed, size_um=(700.0, 260.0), rotate_deg=angle, mirror=mirror, shrink=shrink)
    _, ihc = lay_out(spec)
    section = ihc.patient.section
    places = section.placement.glass(inside(section.plan, 60)) / UM_PER_PX
    assert places.min() > 0
    assert (places < np.array(ihc.shape_px)).all()


def test_without_wishes_only_the_warp_is_left() -> None:
    scene = PhantomScene(PhantomSpec(warp_um=0.0, size_um=(400.0, 300.0)))
    points = grid(scene)
    assert scene.shape("he") == scene.shape("ihc") == (1200, 1600)
    np.testing.assert_allclose(scene.he_to_ihc(points), points, atol=1e-6)


def test_a_slide_on_its_side_has_its_sides_exchanged() -> None:
    scene = PhantomScene(PhantomSpec(warp_um=0.0, size_um=(600.0, 250.0), rotate_deg=-90.0))
    assert scene.shape("he") == (1000, 2400)
    assert scene.shape("ihc") == (2400, 1000)


@pytest.mark.parametrize("fraction", [0.05, 0.3])
def test_the_missing_piece_has_the_wanted_share(fraction: float) -> None:
    he, ihc = lay_out(PhantomSpec(seed=11, size_um=(1500.0, 1200.0), missing=fraction))
    points = inside(he.patient.section.plan)
    there = lying(ihc.patient.section.plan, points)[:, TISSUE] > 0
    assert 1 - there.mean() == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("wishes", [*LAYS, {"seed": 5, "size_um": (900.0, 900.0), "missing": 0.5}])
def test_landmarks_are_many_spread_out_and_on_both_slides(wishes: dict[str, Any]) -> None:
    scene = PhantomScene(PhantomSpec(**wishes))
    he = landmarks(scene)
    assert 40 <= len(he) <= 200
    for stain, points in (("he", he), ("ihc", scene.he_to_ihc(he))):
        section = scene.glasses[stain].patient.section  # type: ignore[index]
        assert (section.fields(points * 0.25)[:, TISSUE] > 4.9).all()
    quadrant = (he > np.median(he, axis=0)) @ [1, 2]
    assert (np.bincount(quadrant, minlength=4) >= 5).all()
