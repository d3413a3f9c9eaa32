"""Carcinoma in situ on phantoms: what C calls tumour by itself, and with ducts found by their shape.

    python scripts/measure_ducts.py [--scenes 24] [--seed 12000] [--model tumour-tiny]

Each scene is an H&E of 900 x 800 um with ducts, of seeds that no training drew. C sees patches that overlap
by half, as in a case; ducts are what the classical estimate takes for round nests with a cuff. Patches of
112 um side by side are judged: their kind is that of the training's truth. Intervals draw whole scenes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure_models import interval, wilson

from napari_her2.events import drain
from napari_her2.inference import PlanWishes, pick_device, resolve
from napari_her2.learning.patch import HE_CODES, truth_of
from napari_her2.learning.phantom_data import draw_block
from napari_her2.models import find_model
from napari_her2.phantom import PhantomScene, PhantomSpec
from napari_her2.pipeline.asking import ready
from napari_her2.pipeline.engine import tumour_class
from napari_her2.pipeline.keeping import kept_answers
from napari_her2.pipeline.tumour import LEAST_TISSUE, OVERLAP, heat_map
from napari_her2.slides import open_slide
from napari_her2.tissue import find_tissue, tumour_region

SIZE_UM = (900.0, 800.0)
UM = 0.25
TILE = 512
SIDE = 448
"""Pixels along a patch of 112 um."""
SHARES = (0.2, 0.4, 0.6)
"""Of the carcinoma that lies in ducts, as far as ducts find room."""
KINDS = (2, 4)
"""In situ, and tumour, in the training's truth."""


def drawn(seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the H&E of a phantom and the labels of its pixels."""
    spec = PhantomSpec(seed=seed, stain_seed=seed, size_um=SIZE_UM, in_situ=share)
    scene = PhantomScene(spec)
    rows, cols = (-(-n // TILE) * TILE for n in scene.glasses["he"].shape_px)
    pixels, labels = np.zeros((rows, cols, 3), np.uint8), np.zeros((rows, cols), np.uint8)
    for row in range(0, rows, TILE):
        for col in range(0, cols, TILE):
            block, here = draw_block(scene, "he", (row, col), TILE), np.s_[row : row + TILE, col : col + TILE]
            pixels[here], labels[here] = block.pixels, block.labels
    return pixels, labels


def looked_at(path: Path, model: str, folder: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the tumour area of C alone, where the ducts are, and level-0 pixels of a raster pixel."""
    entry = find_model(model)
    with open_slide(path, um_per_px=UM) as slide:
        tissue = find_tissue(slide)
        wishes = PlanWishes(overlap=OVERLAP, least_tissue=LEAST_TISSUE)
        plan = resolve(wishes, slide, entry.spec, pick_device("cpu"), tissue=tissue)
        asking = ready(entry, plan, slide)
        found = drain(kept_answers(asking, folder, "tumour"))
        heat = heat_map(found[..., tumour_class(entry.spec)], asking.plan.grid, tissue)
        ducts = drain(tumour_region(slide, tissue, threads=None)).in_situ
        return heat >= 0.5, ducts >= 0.5, tissue.level0_px


def enlarged(raster: np.ndarray, shape: tuple[int, int], step: float) -> np.ndarray:
    """Return a raster pixel by pixel of the slide."""
    places = [
        np.minimum((np.arange(n) / step).astype(int), m - 1) for n, m in zip(shape, raster.shape, strict=True)
    ]
    return raster[np.ix_(*places)]


def judged(labels: np.ndarray, area: np.ndarray, ducts: np.ndarray) -> list[dict[str, Any]]:
    """Return each patch of a kind that is asked about: what share of its cells lies in the tumour area."""
    truth, out = truth_of("tumour"), []
    for row in range(0, labels.shape[0] - SIDE + 1, SIDE):
        for col in range(0, labels.shape[1] - SIDE + 1, SIDE):
            here = np.s_[row : row + SIDE, col : col + SIDE]
            told = truth.of_labels(labels[here])
            if told is None or (kind := told[1]) not in KINDS:
                continue
            own = labels[here] == HE_CODES["in_situ" if kind == 2 else "invasive"]
            if not own.any():
                continue
            alone, both = area[here][own].mean(), (area[here] & ~ducts[here])[own].mean()
            edge = float((labels[here] == HE_CODES["in_situ"]).mean()) < 0.9
            out.append({"kind": kind, "edge": edge, "alone": alone >= 0.5, "both": both >= 0.5})
    return out


def figures(scenes: list[list[bool]]) -> dict[str, float]:
    """Return a share and its 95 % interval: whole scenes are drawn, or Wilson's where that is wider."""
    cases = [str(at) for at, scene in enumerate(scenes) for _ in scene]
    every, n = np.array([one for scene in scenes for one in scene], float), len(set(cases))
    share, least, most = interval(cases, lambda k: float(every[k].mean()))
    low, high = wilson(share, n)
    rounded = {"share": share, "low": min(low, least), "high": max(high, most)}
    return {**{k: round(v, 3) for k, v in rounded.items()}, "patches": len(every), "scenes": n}


def summary(scenes: list[list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Return what is called tumour, by kind of patch and by who says so."""
    groups = {
        "in situ, edge of the duct in view": (2, (True,)),
        "in situ, inside only": (2, (False,)),
        "tumour": (4, (True, False)),
    }
    out = {}
    for words, (kind, edges) in groups.items():
        for how, who in (("alone", "C alone"), ("both", "C and shape")):
            chosen = [[p[how] for p in scene if p["kind"] == kind and p["edge"] in edges] for scene in scenes]
            if any(chosen):
                out[f"{words}: {who}"] = figures(chosen)
    return out


def main() -> None:
    """Run as a program."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=12000)
    parser.add_argument("--model", default="tumour-tiny")
    options = parser.parse_args()
    scenes: list[list[dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as name:
        for k in range(options.scenes):
            pixels, labels = drawn(options.seed + k, SHARES[k % len(SHARES)])
            path = Path(name) / f"{k}.png"
            cv2.imwrite(str(path), pixels[..., ::-1])
            area, ducts, step = looked_at(path, options.model, Path(name) / f"kept{k}")
            shape = labels.shape
            scenes.append(judged(labels, enlarged(area, shape, step), enlarged(ducts, shape, step)))
            path.unlink()
            print(f"scene {k}: {len(scenes[-1])} patches", flush=True)
    print(json.dumps(summary(scenes), indent=1))


if __name__ == "__main__":
    main()
