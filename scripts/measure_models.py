"""Measure a trained model of the project on phantoms that training never draws, and note it in its spec.

    python scripts/measure_models.py SPEC.json [--patches 600] [--seed 100] [--no-artefacts] [--write]

Intervals are percentiles of 1000 draws of whole scenes. C is looked at by kind of tissue, L by how clear
the majority is, M per class and at the outlines. With --write the figures go into the spec's `metrics`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.learning.data import phantom_patches
from napari_her2.learning.evaluation import (
    accuracy,
    auc,
    boundary_counts,
    boundary_f1,
    confusion,
    iou,
    phantom_task,
    weighted_kappa,
)
from napari_her2.learning.patch import UNKNOWN
from napari_her2.learning.phantom_data import PhantomBlocks
from napari_her2.learning.recipe import Phantoms
from napari_her2.models import Metric, find_model, write_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_her2.learning.patch import Patch

KINDS = ("stroma", "lymphoid", "in situ", "mixed", "tumour")
DRAWS = 1000
LYMPHOID = 0.1


def interval(cases: list[str], figure: Callable[[np.ndarray], float]) -> tuple[float, float, float]:
    """Value and 95 % interval of a figure of patch indices, drawing whole cases."""
    groups = defaultdict(list)
    for k, case in enumerate(cases):
        groups[case].append(k)
    members = [np.array(group) for group in groups.values()]
    rng = np.random.default_rng(0)
    value = figure(np.arange(len(cases)))
    found = [
        figure(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        for _ in range(DRAWS)
    ]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return value, min(float(low), value), max(float(high), value)


def answered(model: Any, patches: Iterator[Patch], size: int = 16) -> Iterator[tuple[Patch, np.ndarray]]:
    """Patches with the model's answers."""
    held: list[Patch] = []
    for patch in patches:
        held.append(patch)
        if len(held) == size:
            yield from zip(held, model.predict(np.stack([p.pixels for p in held])), strict=True)
            held = []
    if held:
        yield from zip(held, model.predict(np.stack([p.pixels for p in held])), strict=True)


def rare(blocks: PhantomBlocks, each: int, most_blocks: int) -> Iterator[Patch]:
    """Patches of the kinds that chance gives too seldom: lymphoid tissue and carcinoma in situ."""
    left = {1: each, 2: each}
    for index in range(10_000, 10_000 + most_blocks):
        for patch in blocks.patches(index):
            if left.get(patch.kind, 0) > 0:
                left[patch.kind] -= 1
                yield patch
        if not any(left.values()):
            return


def of_tumour(model: Any, blocks: PhantomBlocks, count: int) -> dict[str, tuple[float, float, float, int]]:
    """AUC, sensitivity at specificity 0.95, and what is wrongly called tumour, by kind of tissue."""
    pairs = list(answered(model, phantom_patches(blocks, count)))
    more = list(answered(model, rare(blocks, 80, 110)))
    out = _ranking(pairs)
    outer = [pair for pair in pairs if KINDS[pair[0].kind] != "in situ" or (pair[0].labels == 2).mean() < 0.9]
    out |= {f"{name}, insides of ducts left out": value for name, value in _ranking(outer).items()}
    for kind in (0, 1, 2):
        chosen = [(p, a) for p, a in [*pairs, *more] if p.kind == kind]
        out |= _called(KINDS[kind], chosen)
    lymph = [(p, a) for p, a in [*pairs, *more] if p.kind < 2 and (p.labels == 3).mean() >= LYMPHOID]
    out |= _called("stroma with lymphoid tissue on a tenth", lymph)
    shares = [float((p.labels == 2).mean()) for p, _ in [*pairs, *more]]
    ducts = [(pair, share) for pair, share in zip([*pairs, *more], shares, strict=True) if pair[0].kind == 2]
    out |= _called("in situ, edge of the duct in view", [pair for pair, share in ducts if share < 0.9])
    out |= _called("in situ, inside of the duct only", [pair for pair, share in ducts if share >= 0.9])
    return out


def _ranking(pairs: list[tuple[Patch, np.ndarray]]) -> dict[str, tuple[float, float, float, int]]:
    clear = [(p, a) for p, a in pairs if KINDS[p.kind] != "mixed"]
    cases, truth = [p.case for p, _ in clear], np.array([p.kind == 4 for p, _ in clear])
    chance = np.array([a[1] for _, a in clear])

    def sensitivity(k: np.ndarray) -> float:
        others = chance[k][~truth[k]]
        return float((chance[k][truth[k]] > np.quantile(others, 0.95)).mean()) if len(others) else np.nan

    n = len(set(cases))
    return {
        "AUC": (*interval(cases, lambda k: auc(chance[k], truth[k])), n),
        "sensitivity at specificity 0.95": (*interval(cases, sensitivity), n),
        "sensitivity at 0.5": (*interval(cases, lambda k: float((chance[k][truth[k]] > 0.5).mean())), n),
    }


def _called(name: str, pairs: list[tuple[Patch, np.ndarray]]) -> dict[str, tuple[float, float, float, int]]:
    if len(pairs) < 5:
        return {}
    cases, wrong = [p.case for p, _ in pairs], np.array([a[1] > 0.5 for _, a in pairs], float)
    low, high = wilson(wrong.mean(), len(set(cases)))
    value, least, most = interval(cases, lambda k: float(wrong[k].mean()))
    return {f"{name} called tumour": (value, min(low, least), max(high, most), len(set(cases)))}


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval: a bootstrap gives (0, 0) where nothing is wrong, so the wider of both is told."""
    middle, root = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - root) / (1 + z * z / n)), min(1.0, (middle + root) / (1 + z * z / n))


def of_stain(model: Any, blocks: PhantomBlocks, count: int) -> dict[str, tuple[float, float, float, int]]:
    """Accuracy and quadratic kappa where a class has 60 % of the tumour-cell area, and elsewhere."""
    pairs = list(answered(model, phantom_patches(blocks, count)))
    out: dict[str, tuple[float, float, float, int]] = {}
    for name, clear in (("majority >= 60 %", 1), ("no such majority", 0)):
        part = [(p, a) for p, a in pairs if p.kind % 2 == clear]
        cases = [p.case for p, _ in part]
        truth = np.array([p.target.argmax() for p, _ in part])
        found = np.array([a.argmax() for _, a in part])
        print(name, confusion(truth, found, 4).tolist())
        for figure, of in (("accuracy", accuracy), ("kappa", weighted_kappa)):

            def value(k: np.ndarray, of: Any = of, truth: Any = truth, found: Any = found) -> float:
                return float(of(confusion(truth[k], found[k], 4)))

            out[f"{figure}, {name}"] = (*interval(cases, value), len(set(cases)))
    return out


def of_pixels(model: Any, blocks: PhantomBlocks, count: int) -> dict[str, tuple[float, float, float, int]]:
    """IoU per class, their mean, and F1 of the outlines at 1 µm."""
    cases, tables, edges = [], [], []
    for patch, answer in answered(model, phantom_patches(blocks, count), 4):
        found = answer.argmax(0).astype(np.uint8)
        known = patch.labels != UNKNOWN
        cases.append(patch.case)
        tables.append(confusion(patch.labels[known], found[known], len(model.spec.classes)))
        edges.append(boundary_counts(patch.labels, found, len(model.spec.classes), 1.0 / blocks.um_per_px))
    stack = np.array(tables)
    print(stack.sum(0).tolist())
    n = len(set(cases))
    out = {"mIoU": (*interval(cases, lambda k: float(np.nanmean(iou(stack[k].sum(0))))), n)}
    for c, name in enumerate(model.spec.classes):
        out[f"IoU {name}"] = (*interval(cases, lambda k, c=c: float(iou(stack[k].sum(0))[c])), n)
    lines = np.array(edges)
    out["boundary F1 at 1 um"] = (
        *interval(cases, lambda k: float(np.nanmean(boundary_f1(lines[k].sum(0))))),
        n,
    )
    return out


MEASURES = {"tumour": of_tumour, "stain": of_stain, "segment": of_pixels, "tissue": of_pixels}


def main() -> None:
    """Measure, print, and note in the spec if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("--patches", type=int, default=600)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument(
        "--no-artefacts", action="store_true", help="the same scenes without pen, folds and blur"
    )
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    entry = find_model(str(given.spec))
    model, spec = entry.load(precision="bfloat16"), entry.spec
    task = phantom_task(spec)
    wishes = Phantoms(artefacts=0) if given.no_artefacts else Phantoms()
    blocks = PhantomBlocks(
        task, wishes, seed=given.seed, size_px=spec.size_px, um_per_px=spec.um_per_px, split="test"
    )
    found = MEASURES[task](model, blocks, given.patches)
    for name, (value, low, high, n) in found.items():
        print(f"{name}: {value:.4f} ({low:.4f} to {high:.4f}), {n} scenes")
    print(json.dumps(found))
    if given.write:
        told = (
            f"phantoms, {given.patches} patches, scenes and stains never seen in training, seed {given.seed}"
        )
        metrics = tuple(
            Metric(name=name[:64], value=value, low=low, high=high, kind="phantom", data=told, n=n)
            for name, (value, low, high, n) in found.items()
        )
        write_spec(spec.model_copy(update={"metrics": metrics}), entry.folder / f"{spec.name}.json")


if __name__ == "__main__":
    main()
