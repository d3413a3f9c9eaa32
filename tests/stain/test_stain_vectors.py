from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from napari_her2.stain import H_DAB, H_DAB_CAMERA, StainVectors, estimate_vectors, guess_stain, mix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sample(vectors: StainVectors, brown: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    amounts = np.zeros((20000, 3), np.float32)
    amounts[:10000, 0] = rng.uniform(0.2, 0.7, 10000)
    amounts[10000:, 1] = rng.uniform(0.2, 0.9, 10000) * brown
    return mix(amounts, vectors) + rng.normal(0, 0.01, (20000, 3)).astype(np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.04, -0.03, 0.02), (-0.05, 0.03, 0.02)])
def test_vectors_of_a_slide_are_found(shift: tuple[float, float, float]) -> None:
    true = StainVectors.of(
        np.add(H_DAB_CAMERA.haematoxylin, shift), np.add(H_DAB_CAMERA.second, np.roll(shift, 1))
    )
    found = estimate_vectors(sample(true, 1.0), H_DAB_CAMERA)
    assert max(found.angles_to(true)) < 2.0


def test_without_brown_the_brown_stays_as_it_was() -> None:
    found = estimate_vectors(sample(H_DAB_CAMERA, 0.0), H_DAB)
    assert found.second == pytest.approx(H_DAB.second)


def test_a_far_estimate_and_too_few_pixels_are_not_believed() -> None:
    pink = StainVectors.of((0.1, 0.95, 0.3), (0.9, 0.3, 0.3))
    for density in (sample(pink, 1.0), sample(H_DAB_CAMERA, 1.0)[:100]):
        np.testing.assert_allclose(estimate_vectors(density, H_DAB).matrix, H_DAB.matrix, atol=1e-12)


REAL = [
    ("slides/crc-ihc-8.tif", "ihc"),
    ("slides/crc-ihc-15.tif", "ihc"),
    ("slides/kidney-ihc.tif", "ihc"),
    ("registration/her2st-serial-he/C2.jpg", "he"),
    ("stain/breast_he_1.png", "he"),
    ("stain/torchstain_target.png", "he"),
    ("he_tumour/breakhis-13-patients/benign-SOB_B_A_14-22549AB_0.png", "he"),
]


def thumbnail(path: Path) -> np.ndarray:
    import tifffile

    rgb = tifffile.imread(path) if path.suffix == ".tif" else cv2.imread(str(path))[..., ::-1]
    factor = 1024 / max(rgb.shape)
    return cv2.resize(
        np.ascontiguousarray(rgb[..., :3]), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
    )


@pytest.mark.parametrize(("name", "expected"), REAL, ids=[name for name, _ in REAL])
def test_the_stain_of_real_images(shared_data: Callable[[str], Path], name: str, expected: str) -> None:
    rgb = thumbnail(shared_data(name))
    assert guess_stain(rgb, np.percentile(rgb.reshape(-1, 3), 99.5, axis=0)) == expected


def test_the_slide_of_openslide_is_h_and_e(shared_data: Callable[[str], Path]) -> None:
    from napari_her2.slides import open_slide

    with open_slide(shared_data("slides/CMU-1-Small-Region.svs")) as slide:
        assert guess_stain(slide.thumbnail(), slide.white) == "he"


def test_pale_haematoxylin_alone_is_never_h_and_e() -> None:
    rng = np.random.default_rng(0)
    amounts = np.zeros((200, 200, 3), np.float32)
    amounts[..., 0] = rng.uniform(0.02, 0.35, (200, 200))
    for vectors in (H_DAB, H_DAB_CAMERA):
        rgb = np.clip(240 * 10 ** -mix(amounts, vectors), 0, 255).astype(np.uint8)
        assert guess_stain(rgb, (240, 240, 240)) in ("ihc", "unknown")


def test_nothing_to_see_is_unknown() -> None:
    assert guess_stain(np.full((50, 50, 3), 240, np.uint8), (240, 240, 240)) == "unknown"
