"""Fit the weights that tell 0 from any membrane staining, on phantoms; writes cells/faint.json.

    python benchmarks/cells_faint.py --cases 96

Logistic regression (scikit-learn) on the features of ``napari_her2.cells.faint``, first cell by cell, then
with the neighbours; the figures printed are of slides left out of the fit, in eight folds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

MIXES: tuple[dict[str, float], ...] = (
    {"0": 100},
    {"0": 96, "1+": 4},
    {"0": 91, "1+": 9},
    {"0": 88, "1+": 12},
    {"0": 50, "1+": 47, "2+": 3},
    {"0": 30, "1+": 65, "2+": 5},
    {"0": 66, "1+": 25, "2+": 9},
    {"0": 63, "1+": 25, "2+": 12},
    {"0": 40, "1+": 40, "2+": 20},
    {"0": 15, "1+": 27, "unusual": 3, "2+": 52, "3+": 3},
    {"0": 10, "1+": 20, "2+": 70},
    {"0": 67, "1+": 20, "2+": 4, "3+": 9},
    {"0": 64, "1+": 20, "2+": 4, "3+": 12},
    {"0": 3, "1+": 6, "unusual": 2, "2+": 17, "3+": 72},
    {"0": 38, "1+": 30, "2+": 20, "3+": 12},
    {"0": 5, "1+": 10, "2+": 35, "3+": 50},
)
NEAR_UM = 4.0
FIRST_SEED = 3000
FOLDS = 8


def measured(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """Draw a phantom; its measured cells, the true classes (-1 unknown or not invasive), confirmed rows."""
    import pyarrow.parquet as pq
    from scipy.spatial import cKDTree

    from napari_her2.cells.detect import measure_cells
    from napari_her2.cells.faint import faint_features
    from napari_her2.events import drain
    from napari_her2.phantom import PhantomSpec, render_phantom
    from napari_her2.slides import open_slide
    from napari_her2.vocabulary import CELL_CLASSES

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = PhantomSpec(
            seed=FIRST_SEED + index,
            size_um=(600, 600),
            mix=MIXES[index % len(MIXES)],
            stain_seed=FIRST_SEED + 2000 + index,
        )
        drain(render_phantom(spec, folder))
        with open_slide(folder / "ihc.ome.tif") as slide:
            cells = drain(measure_cells(slide))
        table = pq.read_table(folder / "truth_cells.parquet").to_pydict()
    places = np.column_stack([table["y"], table["x"]])
    codes = np.array([CELL_CLASSES.index(c) for c in table["class"]])
    codes[~np.array(table["in_tumour"], bool)] = -1
    far, at = cKDTree(places).query(np.column_stack([cells.row, cells.col]))
    truth = np.where(far * 0.25 < NEAR_UM, codes[at], -1)
    return faint_features(cells), truth >= 0, truth > 0, cells


def fitted(rows: list[Any], chosen: list[int]) -> dict[str, Any]:
    """Fit both steps on some slides."""
    from napari_her2.cells.faint import terms

    scale, first = _logistic([terms(rows[i][0])[rows[i][1], 1:] for i in chosen], _truth(rows, chosen))
    weights = np.concatenate([[first.intercept_[0] - (scale.mean_ / scale.scale_) @ first.coef_[0]],
                              first.coef_[0] / scale.scale_])  # fmt: skip
    pairs = [_second(rows[i], weights) for i in chosen]
    _, second = _logistic(pairs, _truth(rows, chosen), scaled=False)
    own, near = second.coef_[0].tolist()
    return {"terms": weights.tolist(), "own": own, "near": near, "constant": float(second.intercept_[0])}


def _truth(rows: list[Any], chosen: list[int]) -> np.ndarray:
    return np.concatenate([rows[i][2][rows[i][1]] for i in chosen])


def _logistic(parts: list[np.ndarray], truth: np.ndarray, *, scaled: bool = True) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values = np.concatenate(parts)
    scale = StandardScaler(with_mean=scaled, with_std=scaled).fit(values)
    return scale, LogisticRegression(max_iter=2000, C=0.3).fit(scale.transform(values), truth)


def _second(row: Any, weights: np.ndarray) -> np.ndarray:
    from napari_her2.cells.faint import neighbours_logit, terms

    features, counted, _, cells = row
    alone = terms(features) @ weights
    return np.column_stack([alone, neighbours_logit(cells, alone)])[counted]


def left_out(rows: list[Any]) -> np.ndarray:
    """True and found percent of stained cells of each slide, and the share of cells told rightly."""
    from napari_her2.cells.faint import FaintWeights, stained_share

    fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    figures = np.zeros((len(rows), 3))
    for k in range(FOLDS):
        kept = fitted(rows, [i for i in range(len(rows)) if fold[i] != k])
        weights = FaintWeights(np.array(kept["terms"]), kept["own"], kept["near"], kept["constant"])
        for i in np.flatnonzero(fold == k):
            _, counted, truth, cells = rows[i]
            found = stained_share(cells, weights=weights)[counted] >= 0.5
            figures[i] = 100 * truth[counted].mean(), 100 * found.mean(), (found == truth[counted]).mean()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=96)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("src/napari_her2/cells/faint.json"))
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(measured, range(args.cases)))
    figures = left_out(rows)
    error = np.abs(figures[:, 1] - figures[:, 0])
    summary = {
        "slides": len(rows),
        "cells": int(sum(row[1].sum() for row in rows)),
        "told_rightly": round(float(figures[:, 2].mean()), 4),
        "mean_error_points": round(float(error.mean()), 2),
        "p90_error_points": round(float(np.quantile(error, 0.9)), 2),
        "worst_error_points": round(float(error.max()), 2),
        "within_3_points": round(float((error <= 3).mean()), 3),
    }
    print(json.dumps(summary, indent=1))
    kept = {"left_out": summary, **fitted(rows, list(range(len(rows))))}
    kept["terms"] = [float(f"{value:.6g}") for value in kept["terms"]]
    args.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
