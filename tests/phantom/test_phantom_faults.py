"""Faults of real slides: none by default, each with its own random numbers, the truth as it was."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from napari_her2.errors import UsageError
from napari_her2.geometry import Box
from napari_her2.learning.phantom_data import scene_spec
from napari_her2.learning.recipe import Phantoms
from napari_her2.phantom import FAULT_NAMES, Faults, PhantomScene, PhantomSpec, parse_faults
from napari_her2.phantom.faults import stream

REGION = Box(300, 300, 600, 600)

UNCHANGED: list[tuple[dict[str, Any], str, str]] = [
    ({"seed": 3, "size_um": (400.0, 300.0)}, "62cd2bd9a982bb12", "3e527c20386b3373"),
    (
        {
            "seed": 11,
            "score": "2+",
            "size_um": (300.0, 300.0),
            "rotate_deg": 30.0,
            "in_situ": 0.4,
            "blur": True,
        },
        "cc75d18a46d238da",
        "b81f75840a7ecdb9",
    ),
    (
        {
            "seed": 4,
            "score": "1+",
            "size_um": (300.0, 300.0),
            "control": True,
            "pen": True,
            "fold": True,
            "stain_seed": 9,
        },
        "c9bf34b82f303cc5",
        "3cdff2bc94b99d92",
    ),
]
"""Specifications and the hashes of a region of both slides, from before there were faults."""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="hashes of compiled arithmetic on x86-64")
@pytest.mark.parametrize(("wishes", "he", "ihc"), UNCHANGED, ids=["plain", "blurred", "controls"])
def test_without_faults_old_seeds_give_the_same_pixels(wishes: dict[str, Any], he: str, ihc: str) -> None:
    scene = PhantomScene(PhantomSpec(**wishes, faults=Faults()))
    assert [_digest(scene.he(REGION)), _digest(scene.ihc(REGION))] == [he, ihc]


def _digest(pixels: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mist=1", "'mist' is no fault"),
        ("noise=2", "2 of the fault noise"),
        ("noise=much", "'much'"),
        ("noise", "''"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_sentence(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_faults([word])
    assert caught.value.exit_code == 2


def test_faults_are_read_from_words_and_absent_ones_are_zero() -> None:
    assert parse_faults(["noise=0.5", "jpeg=1"]) == Faults(noise=0.5, jpeg=1.0)
    assert all(field.default == 0.0 for field in fields(Faults))


def test_each_fault_has_random_numbers_of_its_own() -> None:
    first = {name: stream(5, name).uniform() for name in FAULT_NAMES}
    assert len(set(first.values())) == len(FAULT_NAMES)
    assert first["noise"] == stream(5, "noise").uniform()


def test_a_recipe_draws_strengths_that_do_not_change_the_scene() -> None:
    plain = scene_spec(1, "train", 0, Phantoms())
    wishes = Phantoms(faults={"noise": (0.2, 0.6), "jpeg": 1.0})
    faulty = scene_spec(1, "train", 0, wishes)
    assert 0.2 <= faulty.faults.noise <= 0.6
    assert faulty.faults.jpeg == 1.0
    assert (faulty.seed, faulty.stain_seed, faulty.mix) == (plain.seed, plain.stain_seed, plain.mix)
    more = Phantoms(faults={"noise": (0.2, 0.6), "blush": (0.0, 1.0)})
    assert scene_spec(1, "train", 0, more).faults.noise == faulty.faults.noise


@pytest.mark.parametrize("faults", [{"mist": 1.0}, {"noise": 2.0}, {"noise": (0.6, 0.2)}])
def test_a_recipe_with_a_wrong_fault_is_refused(faults: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fault|less than or equal"):
        Phantoms(faults=faults)


OPTICAL = tuple(name for name in FAULT_NAMES if name not in ("jpeg", "no_glass"))


@pytest.mark.parametrize("name", OPTICAL)
def test_a_fault_changes_pixels_more_with_strength_and_leaves_the_truth(name: str) -> None:
    half, full = (_tile(name, strength) for strength in (0.5, 1.0))
    plain = _tile(name, 0.0)
    for tile in (half, full):
        np.testing.assert_array_equal(_owners(tile), _owners(plain))
    assert 0 < _change(half, plain) < _change(full, plain)


def _tile(name: str, strength: float) -> Any:
    spec = PhantomSpec(seed=5, size_um=(400.0, 400.0), faults=Faults(**{name: strength}))
    return PhantomScene(spec).tile("ihc", 512, 512)


def _owners(tile: Any) -> Any:
    """Bits of the cell that owns each pixel; how many cells are listed depends on the margin drawn."""
    return np.concatenate([[np.uint64(0)], tile.cells.bits])[tile.owner]


def _change(tile: Any, plain: Any) -> float:
    return float(np.abs(tile.pixels.astype(int) - plain.pixels.astype(int)).mean())


def test_without_glass_no_pixel_of_either_slide_is_bare() -> None:
    scene = PhantomScene(
        PhantomSpec(seed=5, size_um=(300.0, 300.0), rotate_deg=40.0, faults=Faults(no_glass=1.0))
    )
    for stain in ("he", "ihc"):
        tiles = [scene.tile(stain, row, col).pixels for row in (0, 512) for col in (0, 512)]
        assert all(pixels is not None for pixels in tiles)


@pytest.mark.parametrize("faults", [{"saturated": 1.0}, {"focus": 1.0, "sharpened": 1.0}, {"vignette": 1.0}])
def test_tiles_meet_without_a_seam(faults: dict[str, float]) -> None:
    scene = PhantomScene(PhantomSpec(seed=5, size_um=(400.0, 400.0), faults=Faults(**faults)))
    pixels = scene.ihc(Box(200, 480, 1000, 64)).astype(int)
    steps = np.abs(np.diff(pixels, axis=1)).mean(axis=(0, 2))
    assert steps[31] < 1.3 * np.median(steps)
