"""Draw the pictures of docs/phantom.md: python scripts/phantom_gallery.py [docs/images]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_her2.geometry import Box
from napari_her2.phantom import UM_PER_PX, PhantomSpec
from napari_her2.phantom.architecture import NEST, TISSUE
from napari_her2.phantom.scene import PhantomScene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.spec import Stain

    Pixels = NDArray[np.uint8]

SIDE_PX = 300
STEPS_UM = (0.25, 0.5, 2.0)
MOST_BYTES = 250_000
CASES = {
    "0": (21, {"1+": 4, "0": 96}),
    "1+": (22, {"1+": 85, "0": 15}),
    "2+": (23, {"2+": 80, "1+": 15, "0": 5}),
    "3+": (24, {"3+": 85, "2+": 10, "unusual": 5}),
}
"""Seed and mix; each picture shows mostly cells of its class."""


def shrunk(pixels: Pixels, by: int) -> Pixels:
    """Average squares of ``by`` pixels."""
    rows, cols = pixels.shape[0] // by, pixels.shape[1] // by
    parts = pixels[: rows * by, : cols * by].reshape(rows, by, cols, by, 3)
    return np.asarray(parts.mean(axis=(1, 3)).round(), np.uint8)


def telling_place(scene: PhantomScene, stain: Stain) -> tuple[int, int]:
    """Middle of a field with nest and stroma in even parts, near the middle of the slide."""
    section = scene.glasses[stain].patient.section
    rows, cols = scene.shape(stain)
    best, where = np.inf, (rows // 2, cols // 2)
    ticks = np.linspace(-35, 35, 9)
    field = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    for row in np.linspace(0.3, 0.7, 13) * rows:
        for col in np.linspace(0.3, 0.7, 13) * cols:
            fields = section.fields(field + np.array([row, col]) * UM_PER_PX)
            odd = abs((fields[:, NEST] > 0).mean() - 0.62) + (fields[:, TISSUE] < 5).mean()
            if odd < best:
                best, where = odd, (int(row), int(col))
    return where


def strip(scene: PhantomScene, stain: Stain) -> Pixels:
    """Return the same place at three resolutions, side by side."""
    row, col = telling_place(scene, stain)
    draw = scene.he if stain == "he" else scene.ihc
    panels = []
    for um in STEPS_UM:
        by = round(um / UM_PER_PX)
        reach = SIDE_PX * by // 2
        panels.append(shrunk(draw(Box(row - reach, col - reach, 2 * reach, 2 * reach)), by))
        panels.append(np.full((SIDE_PX, 6, 3), 255, np.uint8))
    return np.concatenate(panels[:-1], axis=1)


def save(pixels: Pixels, path: Path) -> None:
    """Write a small PNG: as many colours as fit."""
    for colours in (256, 160, 96, 64, 40):
        image = Image.fromarray(pixels).quantize(colours, dither=Image.Dither.NONE)
        image.save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(path.name, colours, path.stat().st_size)


def main(folder: Path) -> None:
    """Draw all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for score, (seed, mix) in CASES.items():
        scene = PhantomScene(PhantomSpec(seed=seed, mix=mix, size_um=(1000.0, 1000.0)))
        for stain in ("he", "ihc"):
            save(strip(scene, stain), folder / f"phantom_{score.rstrip('+')}_{stain}.png")
    wishes = {"rotate_deg": 20.0, "mirror": True, "missing": 0.1, "in_situ": 0.2}
    spec = PhantomSpec(
        seed=3, score="2+", size_um=(1000.0, 1000.0), control=True, pen=True, fold=True, blur=True, **wishes
    )
    scene = PhantomScene(spec)
    for stain, draw in (("he", scene.he), ("ihc", scene.ihc)):
        save(shrunk(draw(Box.of_shape(scene.shape(stain))), 12), folder / f"phantom_glass_{stain}.png")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "docs" / "images"
    )
