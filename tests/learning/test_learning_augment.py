"""Augmentation: what it may change and what it must leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.learning.augment import augmented, restained
from napari_her2.learning.recipe import Augment
from napari_her2.stain import H_DAB_CAMERA, mix, optical_density, transmit, unmix

NONE: dict[str, Any] = dict.fromkeys(
    ("haematoxylin", "second", "vectors", "white", "blur_px", "noise", "jpeg", "zoom"), 0
)
STILL = Augment(**NONE, turn=False)


def picture(seed: int = 0, side: int = 64) -> Any:
    return np.random.default_rng(seed).integers(40, 246, (side, side, 3)).astype(np.uint8)


def brown(density: float) -> Any:
    """Cells of DAB of one density between haematoxylin."""
    stains = np.zeros((32, 32, 3))
    stains[..., 0], stains[8:24, 8:24, 1] = 0.15, density
    return np.clip(transmit(mix(stains, H_DAB_CAMERA), 245) + 0.5, 0, 255).astype(np.uint8)


def test_nothing_wished_changes_nothing() -> None:
    pixels, labels = picture(), np.zeros((64, 64), np.uint8)
    found, same = augmented(pixels, labels, "ihc", STILL, np.random.default_rng(0))
    assert np.abs(found.astype(int) - pixels).max() <= 1
    assert same is not None
    assert (same == labels).all()


@given(st.integers(0, 2**31), st.sampled_from(["he", "ihc"]), st.sampled_from([32, 63, 64]))
def test_shape_type_and_labels_are_kept(seed: int, stain: Any, side: int) -> None:
    pixels, labels = (
        picture(seed, side),
        np.random.default_rng(seed).integers(0, 5, (side, side)).astype(np.uint8),
    )
    found, moved = augmented(pixels, labels, stain, Augment(), np.random.default_rng(seed))
    assert found.shape == pixels.shape
    assert found.dtype == np.uint8
    assert moved is not None
    assert moved.shape == labels.shape
    assert set(np.unique(moved)) <= set(np.unique(labels))


@given(st.integers(0, 2**31))
def test_labels_move_with_their_pixels(seed: int) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[10:30, 5:45] = 1
    pixels = np.repeat((200 * labels)[..., None], 3, axis=2)
    found, moved = augmented(
        pixels, labels, "ihc", Augment(**NONE | {"zoom": 0.15}), np.random.default_rng(seed)
    )
    assert moved is not None
    assert ((found[..., 0] > 100) == (moved == 1)).mean() > 0.97


def test_chance_comes_from_the_generator_alone() -> None:
    first = augmented(picture(), None, "he", Augment(), np.random.default_rng(4))[0]
    again = augmented(picture(), None, "he", Augment(), np.random.default_rng(4))[0]
    other = augmented(picture(), None, "he", Augment(), np.random.default_rng(5))[0]
    assert (first == again).all()
    assert (first != other).any()


def measured(pixels: Any) -> float:
    """DAB of the cells in log10 OD."""
    return float(unmix(optical_density(pixels, 245), H_DAB_CAMERA)[8:24, 8:24, 1].mean())


@pytest.mark.parametrize("density", [0.25, 0.6, 1.3])
def test_the_packaged_stain_recipes_hardly_touch_her2(density: float) -> None:
    from napari_her2.learning import list_recipes, read_recipe

    for name in list_recipes():
        recipe = read_recipe(name)
        if recipe.plan.stain == "he":
            continue
        found = [
            measured(restained(brown(density), "ihc", recipe.augment, np.random.default_rng(k)))
            for k in range(60)
        ]
        assert np.std(found) < 0.05 + 0.06 * density, name
        assert abs(np.mean(found) - density) < 0.03 + 0.03 * density, name


def test_strengths_change_by_what_is_wished() -> None:
    wishes = Augment(**NONE | {"second": 0.3}, turn=False)
    found = [measured(restained(brown(0.6), "ihc", wishes, np.random.default_rng(k))) for k in range(200)]
    assert np.std(found) == pytest.approx(0.18, rel=0.2)
