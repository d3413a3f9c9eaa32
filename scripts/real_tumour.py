"""Where is the tumour on real H&E? One line, the classical estimate and model C against people's labels.

    python scripts/real_tumour.py [--data ../shared/data] [--only FOLDER ...] [--model NAME|SPEC.json|none]
                                  [--json FILE]

The line is the mean haematoxylin OD of a place (Ruifrok's vectors, the slide's white). Sets, for
measuring only (nothing is trained on them): IDC, patient 14306, a mosaic with a label per 50 px; HER2ST
A1 and patients B and C, frozen sections with a label per spot of a 200 µm grid; tiles of three lymph
nodes (CAMELYON16), where slide and class are nearly the same thing; BreaKHis, 78 crops of 13 patients.
Patches of C are enlarged where pixels are coarser than the model asks for; in a case such a slide would
be refused. Intervals are of 1000 draws of whole patients, or of blocks of 1 mm (0.5 mm in nodes) where
there is one patient only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tumour_sets import SETS, Labelled, read_rgb

from napari_her2.events import drain
from napari_her2.learning.evaluation import auc
from napari_her2.models import find_model
from napari_her2.slides import open_slide
from napari_her2.stain import H_E, optical_density, unmix
from napari_her2.tissue import find_tissue, tumour_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
DRAWS = 1000
APART = {"HER2ST A1": "cancer in situ"}
"""Places that are measured with and without: in situ is neither tumour area nor stroma."""


def by_line(data: Labelled) -> Scores:
    """Mean haematoxylin OD of each place."""
    out = np.zeros(len(data.place))
    for path, index in _pictures(data):
        rgb = read_rgb(path)
        with open_slide(path, um_per_px=data.um_per_px) as slide:
            white = slide.white
        for k in index:
            row, col, height, width = np.maximum(data.place[k], 0)
            out[k] = unmix(optical_density(rgb[row : row + height, col : col + width], white), H_E)[
                ..., 0
            ].mean()
    return out


def by_tissue(data: Labelled) -> Scores:
    """Mean of the classical estimate over each place; 0 where it sees no tissue."""
    out = np.zeros(len(data.place))
    for path, index in _pictures(data):
        raster, step = _classical(path, data.um_per_px)
        for k in index:
            row, col, height, width = np.maximum(data.place[k], 0)
            rows = slice(int(row / step), max(int((row + height) / step), int(row / step) + 1))
            cols = slice(int(col / step), max(int((col + width) / step), int(col / step) + 1))
            part = raster[rows, cols]
            out[k] = float(part.mean()) if part.size else 0.0
    return out


def _classical(path: Path, um_per_px: float) -> tuple[NDArray[np.float32], float]:
    with open_slide(path, um_per_px=um_per_px) as slide:
        tissue = find_tissue(slide)
        if not tissue.counted.any():
            return np.zeros((1, 1), np.float32), float(max(slide.shape))
        return drain(tumour_region(slide, tissue)).probability, tissue.level0_px


def by_model(data: Labelled, name: str) -> Scores:
    """Mean tumour probability over each place, from resampled patches that cover it."""
    entry = find_model(name)
    model, spec = entry.load(precision="bfloat16"), entry.spec
    side = spec.size_px * spec.um_per_px / data.um_per_px
    out = np.zeros(len(data.place))
    for path, index in _pictures(data):
        rgb = read_rgb(path)
        for k in index:
            corners = _corners(data.place[k].tolist(), side)
            patches = np.stack([_enlarged(rgb, corner, side, spec.size_px) for corner in corners])
            out[k] = float(np.mean(model.predict(patches)[:, 1]))
    return out


def _pictures(data: Labelled) -> Iterator[tuple[Path, list[int]]]:
    """Each picture with the places on it."""
    for k, path in enumerate(data.paths):
        yield path, np.flatnonzero(data.picture == k).tolist()


def _corners(place: list[int], side: float) -> list[tuple[float, float]]:
    """Corners of patches spread over a place, at least one, overlapping where they must."""
    row, col, height, width = place
    steps = [max(1, int(np.ceil(length / side - 0.3))) for length in (height, width)]
    offsets = [
        [(length - side) / 2] if n == 1 else np.linspace(0, length - side, n)
        for length, n in zip((height, width), steps, strict=True)
    ]
    return [(row + r, col + c) for r in offsets[0] for c in offsets[1]]


def _enlarged(rgb: NDArray[np.uint8], corner: tuple[float, float], side: float, size: int) -> Any:
    """A square at sub-pixel place, resampled to the model's size; outside the picture it is mirrored."""
    step = side / size
    matrix = np.array([[step, 0, corner[1] + step / 2 - 0.5], [0, step, corner[0] + step / 2 - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    if step <= 1:
        return cv2.warpAffine(rgb, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    # Pixels finer than the model's are averaged first, as the program's own reading does.
    fine = np.array([[1, 0, corner[1]], [0, 1, corner[0]]], float)
    whole = (round(side), round(side))
    cut = cv2.warpAffine(rgb, fine, whole, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)


def interval(data: Labelled, chance: Scores, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """AUC with the 95 % interval of draws of whole groups."""
    index = np.flatnonzero(chosen)
    members = defaultdict(list)
    for k in index.tolist():
        members[data.group[k]].append(k)
    groups = [np.array(one) for one in members.values()]
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        k = np.concatenate([groups[g] for g in rng.integers(0, len(groups), len(groups))])
        if 0 < data.tumour[k].sum() < len(k):
            found.append(auc(chance[k], data.tumour[k]))
    low, high = np.percentile(found, [2.5, 97.5])
    value = float(auc(chance[index], data.tumour[index]))
    return {"auc": value, "low": float(low), "high": float(high), "places": len(index), "groups": len(groups)}


def measured(data: Labelled, chance: Scores) -> dict[str, Any]:
    """AUC, and the mean of what was said of each kind of place."""
    kinds = {name: np.array([one == name for one in data.kind]) for name in sorted(set(data.kind))}
    apart = kinds.get(APART.get(data.name, ""), np.zeros(len(chance), bool))
    return {
        **interval(data, chance, ~apart),
        **({f"with {APART[data.name]}": interval(data, chance, np.ones_like(apart))} if apart.any() else {}),
        "mean": {name: round(float(chance[where].mean()), 3) for name, where in kinds.items()},
    }


def main() -> None:
    """Measure each set that is there in each way, and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--model", default="tumour-tiny", help="a name, a model.json, or none")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ways: dict[str, Callable[[Labelled], Scores]] = {"mean haematoxylin OD": by_line, "classical": by_tissue}
    if given.model != "none":
        ways[given.model] = lambda data: by_model(data, given.model)
    rows = []
    for folder in given.only:
        path = given.data / "he_tumour" / folder
        if not path.is_dir():
            print(f"{folder}: not there, left out")
            continue
        for data in SETS[folder](path):
            for what, how in ways.items():
                start = time.perf_counter()
                found = measured(data, how(data))
                seconds = round(time.perf_counter() - start, 1)
                rows.append(
                    {"set": data.name, "um_per_px": data.um_per_px, "by": what, **found, "s": seconds}
                )
                print(json.dumps(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
