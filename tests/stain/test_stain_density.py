from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2 import stain

WHITE = (241.0, 244.0, 250.0)


def test_the_face_is_what_is_exported() -> None:
    assert sorted(stain.__all__) == list(stain.__all__)
    assert all(hasattr(stain, name) for name in stain.__all__)


@pytest.mark.parametrize("vectors", [stain.H_DAB, stain.H_E], ids=["h-dab", "h-e"])
def test_mix_then_unmix_is_exact_to_a_thousandth_of_an_od(vectors: stain.StainVectors) -> None:
    amounts = np.random.default_rng(1).uniform(-0.1, 2.5, (5000, 3)).astype(np.float32)
    light = stain.transmit(stain.mix(amounts, vectors), WHITE)
    bright = np.all(light >= 1.0, axis=1)
    back = stain.unmix(stain.optical_density(light, WHITE), vectors)
    assert bright.sum() > 1000
    assert np.abs(back - amounts)[bright].max() < 1e-3


def test_the_table_of_8_bit_values_equals_the_formula() -> None:
    rgb = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    np.testing.assert_allclose(
        stain.optical_density(rgb, WHITE), stain.optical_density(rgb.astype(np.float64), WHITE), atol=1e-6
    )


def test_brighter_than_white_is_negative_and_black_is_finite() -> None:
    density = stain.optical_density(np.array([[255, 255, 255], [0, 0, 0]], np.uint8), WHITE)
    assert np.all(density[0] < 0)
    assert np.all(density[1] == pytest.approx(np.log10(WHITE), abs=1e-6))


def test_inverse_agrees_with_the_published_matrix() -> None:
    expected = [
        [1.208588, -0.697208, 0.633044],
        [0.684400, 0.021002, -0.712860],
        [-0.918496, 1.512013, 0.301806],
    ]
    raw = stain.StainVectors.of((0.65, 0.70, 0.29), (0.27, 0.57, 0.78))
    np.testing.assert_allclose(raw.inverse, expected, atol=2e-3)


@given(st.lists(st.floats(0.0, 1.5), min_size=3, max_size=3))
def test_density_never_falls_as_light_falls(amount: list[float]) -> None:
    density = np.asarray(amount, np.float32)
    darker = stain.optical_density(stain.transmit(density + 0.1, WHITE), WHITE)
    assert np.all(darker >= stain.optical_density(stain.transmit(density, WHITE), WHITE))


@pytest.mark.parametrize("white", [(0, 255, 255), (np.nan, 1, 1), -1])
def test_a_white_that_is_none_is_refused(white: object) -> None:
    with pytest.raises(ValueError, match="white"):
        stain.density_table(white)  # type: ignore[arg-type]


def test_parallel_stains_are_refused() -> None:
    with pytest.raises(ValueError, match="stain vector"):
        stain.StainVectors.of((1, 1, 0), (2, 2, 0))
