"""What limits the segmenter: phantom patches with the true outlines given, to it and to the cell engine.

    OMP_NUM_THREADS=1 python scripts/mask_limits.py [SPEC] [--patches 60] [--seed 100]

Three answers for patches that training never draws: the model's; the model's classes inside the true
outlines; and inside the true outlines the class of the nearest cell that the cell engine finds (up to
15 µm away, else 0). What the last two lack is not a matter of outlines.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_her2.cells import detect_cells
from napari_her2.events import drain
from napari_her2.learning.data import phantom_patches
from napari_her2.learning.evaluation import confusion, iou
from napari_her2.learning.patch import CELL_CODES, IHC_CODES, UNKNOWN
from napari_her2.learning.phantom_data import PhantomBlocks
from napari_her2.learning.recipe import Phantoms
from napari_her2.models import find_model
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from napari_her2.learning.patch import Patch

REACH_UM = 15.0
CLASSES = tuple(IHC_CODES)


def by_cells(patch: Patch, um_per_px: float) -> np.ndarray:
    """Paint the true outlines by the engine's cells: (h, w)."""
    from scipy.spatial import cKDTree

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "field.png"
        Image.fromarray(patch.pixels).save(file)
        with open_slide(file, um_per_px=um_per_px) as slide:
            cells = drain(detect_cells(slide, None, mask=None))
    painted = np.zeros_like(patch.labels)
    at = np.argwhere(patch.labels > 0)
    if not len(cells):
        painted[patch.labels > 0] = IHC_CODES["0"]
        return painted
    away, nearest = cKDTree(cells.points_px).query(at + 0.5)
    found = np.where(away < REACH_UM / um_per_px, CELL_CODES[cells.class_code[nearest]], IHC_CODES["0"])
    painted[tuple(at.T)] = found
    return painted


def answers(model: Any, patch: Patch, um_per_px: float) -> dict[str, np.ndarray]:
    """Return the three answers, each (h, w)."""
    found = model.predict(patch.pixels[None])[0]
    inside = np.where(patch.labels > 0, found[1:].argmax(axis=0) + 1, 0)
    return {
        "model": found.argmax(axis=0),
        "model, true outlines": inside,
        "cell engine, true outlines": by_cells(patch, um_per_px),
    }


def main() -> None:
    """Print IoU per class of each answer, and which class is taken for which."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", nargs="?", default="segment-mini")
    parser.add_argument("--patches", type=int, default=60)
    parser.add_argument("--seed", type=int, default=100)
    given = parser.parse_args()
    model = find_model(given.spec).load(precision="bfloat16")
    um_per_px = model.spec.um_per_px
    blocks = PhantomBlocks(
        "segment", Phantoms(), seed=given.seed, size_px=model.spec.size_px, um_per_px=um_per_px, split="test"
    )
    tables: dict[str, np.ndarray] = {}
    for patch in phantom_patches(blocks, given.patches):
        known = patch.labels != UNKNOWN
        for name, found in answers(model, patch, um_per_px).items():
            part = confusion(patch.labels[known], found[known], len(CLASSES))
            tables[name] = tables.get(name, 0) + part
    print(f"| IoU | {' | '.join(CLASSES)} | mean |\n|---|{'--:|' * (len(CLASSES) + 1)}")
    for name, table in tables.items():
        values = [*iou(table), np.nanmean(iou(table))]
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    for name, table in tables.items():
        print(f"\n{name}: share of each class (rows) called each class")
        print(np.round(table / table.sum(axis=1, keepdims=True), 2))


if __name__ == "__main__":
    main()
