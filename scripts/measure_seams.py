"""Does stitching leave seams? The segmenter on a region in one pass, and stitched from overlapping patches.

    python scripts/measure_seams.py [--model segment-mini] [--side-px 1280] [--seed 400]

The region is a phantom's. Attention and norms see whole patches, so the two are never equal; what must not
be there is a step where patches meet. "Step" is the mean change of the probabilities from column to column
where patches begin, over that elsewhere: 1 is no seam.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.geometry import Box
from napari_her2.models import find_model
from napari_her2.patches import Stitcher
from napari_her2.phantom import PhantomScene, PhantomSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = (0.0, 0.25, 0.5)


def region(side_px: int, seed: int) -> NDArray[np.uint8]:
    """Tumour with all classes from the middle of a phantom's IHC, at its 0.25 µm/px."""
    spec = PhantomSpec(size_um=(900.0, 900.0), seed=seed, mix={"3+": 25, "2+": 25, "1+": 25, "0": 25})
    corner = (3600 - side_px) // 2
    return PhantomScene(spec).ihc(Box(corner, corner, side_px, side_px))


def in_one_pass(entry: Any, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (classes, h, w) of the whole region at once: the same weights, another input size."""
    model = entry.load(precision="float32")
    model.input.size_px = rgb.shape[0]
    return np.asarray(model.predict(rgb[None])[0])


def stitched(model: Any, rgb: NDArray[np.uint8], size: int, overlap: float) -> NDArray[np.float32]:
    """Probabilities of the region from patches that overlap by a share of their side."""
    stride = round(size * (1 - overlap))
    starts = [*range(0, rgb.shape[0] - size, stride), rgb.shape[0] - size]
    canvas = Stitcher(rgb.shape[:2], len(model.spec.classes), size)
    for row in starts:
        for col in starts:
            canvas.add(model.predict(rgb[None, row : row + size, col : col + size])[0], row, col)
    return canvas.result()


def step_at(raster: NDArray[np.float32], stride: int) -> float:
    """Change between columns where patches begin, relative to that between others."""
    change = np.abs(np.diff(raster, axis=2)).max(axis=0).mean(axis=0)
    edges = np.arange(stride - 1, len(change), stride)
    return float(change[edges].mean() / np.delete(change, edges).mean())


def main() -> None:
    """Print a row for each overlap."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segment-mini")
    parser.add_argument("--side-px", type=int, default=1280)
    parser.add_argument("--seed", type=int, default=400)
    given = parser.parse_args()
    entry = find_model(given.model)
    model, spec = entry.load(precision="float32"), entry.spec
    rgb = region(given.side_px, given.seed)
    single = in_one_pass(entry, rgb)
    print("| overlap | largest difference | mean difference | same class | step where patches meet |")
    print("|--:|--:|--:|--:|--:|")
    for overlap in SHARES:
        found = stitched(model, rgb, spec.size_px, overlap)
        away = np.abs(found - single)
        same = (found.argmax(0) == single.argmax(0)).mean()
        step = step_at(found, round(spec.size_px * (1 - overlap)))
        print(
            f"| {overlap:.0%} | {away.max():.3f} | {away.mean():.4f} | {same:.1%} | {step:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
