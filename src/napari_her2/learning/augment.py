"""Randomisation of stain and scanner, in optical density, and of how a patch lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.stain import H_DAB_CAMERA, H_E, StainVectors, density_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.learning.recipe import Augment
    from napari_her2.phantom.spec import Stain

    Pixels = NDArray[np.uint8]
    Labels = NDArray[np.uint8]

__all__ = ["augmented", "restained"]

WHITE: Final = 245.0
"""Assumed white point; only differences of densities matter here."""
RESIDUAL_SHARE: Final = 0.5
A_THIRD: Final = 1 / 3


def augmented(
    pixels: Pixels, labels: Labels | None, stain: Stain, wishes: Augment, rng: np.random.Generator
) -> tuple[Pixels, Labels | None]:
    """Return a patch as another stainer and another scanner might have given it.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3), uint8
    labels : ndarray of shape (h, w), uint8, or None
        Turned and scaled together with the pixels, otherwise untouched.
    stain : {"he", "ihc"}
    wishes : Augment
    rng : Generator
        All chance comes from it.

    Returns
    -------
    pixels, labels
        Of the same shape.
    """
    if wishes.turn:
        pixels, labels = _turned(pixels, labels, rng)
    if wishes.zoom:
        pixels, labels = _zoomed(pixels, labels, float(rng.uniform(-wishes.zoom, wishes.zoom)))
    pixels = restained(pixels, stain, wishes, rng)
    return _scanned(pixels, wishes, rng), labels


def _turned(pixels: Pixels, labels: Labels | None, rng: np.random.Generator) -> tuple[Pixels, Labels | None]:
    quarters, flip = int(rng.integers(4)), bool(rng.integers(2))

    def turn(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = np.rot90(image, quarters)
        return np.ascontiguousarray(image[:, ::-1] if flip else image)

    return turn(pixels), None if labels is None else turn(labels)


def _zoomed(pixels: Pixels, labels: Labels | None, by: float) -> tuple[Pixels, Labels | None]:
    """Enlarge about the middle by the factor 1 + ``by``; below 1 the border is mirrored."""
    import cv2

    height, width = pixels.shape[:2]
    factor = 1 + by
    middle = (width - 1) / 2, (height - 1) / 2
    matrix = np.array(
        [[factor, 0, middle[0] * (1 - factor)], [0, factor, middle[1] * (1 - factor)]], np.float64
    )
    seen = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if labels is None:
        return seen, None
    moved = cv2.warpAffine(
        labels, matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )
    return seen, moved


def restained(pixels: Pixels, stain: Stain, wishes: Augment, rng: np.random.Generator) -> Pixels:
    """Change strengths and vectors of both stains and the white point.

    Densities are unmixed with the usual vectors of the stain, scaled, and mixed with vectors that
    are turned a little: od' = od @ (inv(V) diag(1 + a) V') + white. One 3 x 3 matrix per patch, no
    clipping in between.
    """
    vectors = H_E if stain == "he" else H_DAB_CAMERA
    spread = np.array([wishes.haematoxylin, wishes.second, RESIDUAL_SHARE * wishes.haematoxylin])
    factors = np.clip(1 + spread * rng.standard_normal(3), 0.3, 2.5)
    turned = vectors.matrix[:2] + wishes.vectors * rng.standard_normal((2, 3))
    new = StainVectors.of(turned[0], turned[1]).matrix
    change = vectors.inverse @ np.diag(factors) @ new
    white = WHITE * np.clip(1 + wishes.white * rng.standard_normal(3), 0.7, 1.2)
    table = density_table(WHITE)
    density = np.stack([table[:, k][pixels[..., k]] for k in range(3)], axis=-1)
    light = white.astype(np.float32) * np.exp(-np.log(10) * (density @ change.astype(np.float32)))
    return np.clip(light + 0.5, 0, 255).astype(np.uint8)


def _scanned(pixels: Pixels, wishes: Augment, rng: np.random.Generator) -> Pixels:
    """Blur, noise, compression, each sometimes."""
    import cv2

    chance = rng.random(3)
    if chance[0] < A_THIRD and wishes.blur_px > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.2, 1) * wishes.blur_px + 1e-3))
    if chance[1] < A_THIRD and wishes.noise > 0:
        grain = rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(0, wishes.noise))
        pixels = np.clip(pixels + grain + 0.5, 0, 255).astype(np.uint8)
    if chance[2] < wishes.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
        pixels = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return pixels
