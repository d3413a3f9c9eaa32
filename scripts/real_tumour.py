"""Where is the tumour on real H&E? Model C and the classical estimate against people's labels.

    python scripts/real_tumour.py [--data ../shared/data] [--model NAME|SPEC.json] [--json FILE]

Three sets, for measuring only (nothing is trained on them): IDC, patient 14306, a mosaic with a label per
50 px; BreaKHis, 78 crops of 13 patients; HER2ST A1, a section with a label per spot of a 200 µm grid. All are
coarser than the model asks for, so its patches are enlarged; in a case such a slide would be refused.
Intervals are of 1000 draws of whole patients, or of blocks of 1 mm where there is one patient only.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from napari_her2.events import drain
from napari_her2.learning.evaluation import auc
from napari_her2.models import find_model
from napari_her2.slides import open_slide
from napari_her2.tissue import find_tissue, tumour_region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
DRAWS = 1000
IDC_UM, BREAKHIS_UM = 4.0, 1.2
SPOT_UM, SPOT_DIAMETER_UM = 200.0, 100.0
SPOT_PX = 219.5
"""Distance of neighbouring spots in the frame of spots.tsv."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Places of one set: boxes (row, col, height, width) in a picture, what is there, and whose they are."""

    name: str
    pictures: tuple[NDArray[np.uint8], ...]
    um_per_px: float
    place: NDArray[np.int64]
    picture: NDArray[np.int64]
    tumour: NDArray[np.bool_]
    group: tuple[str, ...]
    kind: tuple[str, ...]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB."""
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


def idc(folder: Path) -> Labelled:
    """One patient: tiles of 50 px, tumour or not."""
    rgb = read_rgb(folder / "mosaic.png")
    labels = cv2.imread(str(folder / "labels_50px_grid.png"), cv2.IMREAD_UNCHANGED)
    where = np.argwhere(labels != 255)
    place = np.column_stack([where * 50, np.full((len(where), 2), 50)])
    group = tuple(f"{r // 5}_{c // 5}" for r, c in where.tolist())
    tumour = labels[tuple(where.T)] == 1
    kind = tuple("tumour" if one else "not tumour" for one in tumour)
    return Labelled("IDC 14306", (rgb,), IDC_UM, place, np.zeros(len(where), int), tumour, group, kind)


def breakhis(folder: Path) -> Labelled:
    """78 crops of 13 patients: benign or malignant tumours, so epithelium is on both sides."""
    paths = sorted(folder.glob("*.png"))
    rgb = tuple(read_rgb(path) for path in paths)
    place = np.array([[0, 0, *one.shape[:2]] for one in rgb])
    tumour = np.array([path.name.startswith("malignant") for path in paths])
    group = tuple(path.stem.rsplit("_", 1)[0] for path in paths)
    kind = tuple(path.name.split("-", 1)[0] for path in paths)
    return Labelled("BreaKHis", rgb, BREAKHIS_UM, place, np.arange(len(paths)), tumour, group, kind)


def her2st(folder: Path) -> Labelled:
    """Spots of a section: the labels' y runs against the picture's, the grid of spots.tsv joins them."""
    rgb = read_rgb(folder / "he.png")
    at = {(round(float(r["x"])), round(float(r["y"]))): r for r in _table(folder / "spots.tsv")}
    rows = [r for r in _table(folder / "spot_labels.tsv") if r["label"] not in ("undetermined", "")]
    spots = [(r, at.get((round(float(r["x"])), round(float(r["y"]))))) for r in rows]
    found = [(row, spot) for row, spot in spots if spot is not None]
    scale = _scale(rgb, np.array([[float(s["pixel_y"]), float(s["pixel_x"])] for _, s in found]))
    um = SPOT_UM / (SPOT_PX * scale)
    side = round(SPOT_DIAMETER_UM / um)
    centre = scale * np.array([[float(s["pixel_y"]), float(s["pixel_x"])] for _, s in found])
    place = np.column_stack([np.round(centre - side / 2), np.full((len(centre), 2), side)]).astype(int)
    kind = tuple(row["label"] for row, _ in found)
    group = tuple(f"{round(float(r['x'])) // 5}_{round(float(r['y'])) // 5}" for r, _ in found)
    tumour = np.array([label == "invasive cancer" for label in kind])
    return Labelled("HER2ST A1", (rgb,), um, place, np.zeros(len(place), int), tumour, group, kind)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _scale(rgb: NDArray[np.uint8], spots: NDArray[np.float64]) -> float:
    """Picture pixels per pixel of the table: the middle of the scales that keep most spots on tissue."""
    tissue = (rgb.min(-1) < 225) & (rgb.max(-1) > 40)
    scales = np.linspace(0.24, 0.34, 201)
    hits = []
    for scale in scales:
        row, col = np.clip(np.round(spots * scale).astype(int), 0, np.array(tissue.shape) - 1).T
        hits.append(int(tissue[row, col].sum()))
    return float(np.mean(scales[np.array(hits) >= max(hits) - 1]))


def by_model(data: Labelled, name: str) -> NDArray[np.float64]:
    """Mean tumour probability over each place, from enlarged patches that cover it."""
    entry = find_model(name)
    model, spec = entry.load(precision="bfloat16"), entry.spec
    side = spec.size_px * spec.um_per_px / data.um_per_px
    out = []
    for place, picture in zip(data.place.tolist(), data.picture.tolist(), strict=True):
        rgb = data.pictures[picture]
        patches = [_enlarged(rgb, corner, side, spec.size_px) for corner in _corners(place, side)]
        out.append(float(np.mean(model.predict(np.stack(patches))[:, 1])))
    return np.array(out)


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
    """A square at sub-pixel place, resampled to the model's size; outside the picture its edge goes on."""
    step = side / size
    matrix = np.array([[step, 0, corner[1] + step / 2 - 0.5], [0, step, corner[0] + step / 2 - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(rgb, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def by_tissue(data: Labelled, _: str) -> NDArray[np.float64]:
    """Mean of the classical estimate over each place; 0 where it sees no tissue."""
    rasters = [_classical(rgb, data.um_per_px) for rgb in data.pictures]
    out = []
    for (row, col, height, width), picture in zip(data.place.tolist(), data.picture.tolist(), strict=True):
        raster = rasters[picture]
        rows, cols = max(data.pictures[picture].shape[0], 1), max(data.pictures[picture].shape[1], 1)
        up = raster.shape[0] / rows, raster.shape[1] / cols
        r, c = max(int(row * up[0]), 0), max(int(col * up[1]), 0)
        part = raster[r : max(int((row + height) * up[0]), r + 1), c : max(int((col + width) * up[1]), c + 1)]
        out.append(float(part.mean()) if part.size else 0.0)
    return np.array(out)


def _classical(rgb: NDArray[np.uint8], um_per_px: float) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "he.png"
        cv2.imwrite(str(path), rgb[..., ::-1])
        with open_slide(path, um_per_px=um_per_px) as slide:
            tissue = find_tissue(slide)
            if not tissue.counted.any():
                return np.zeros((1, 1), np.float32)
            return drain(tumour_region(slide, tissue)).probability


def interval(data: Labelled, chance: NDArray[np.float64], chosen: NDArray[np.bool_]) -> dict[str, float]:
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


SETS: dict[str, Callable[[Path], Labelled]] = {
    "idc-14306": idc,
    "breakhis-13-patients": breakhis,
    "her2st-a1": her2st,
}


def main() -> None:
    """Measure each set that is there with both, and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--model", default="tumour-tiny")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for folder, read in SETS.items():
        path = given.data / "he_tumour" / folder
        if not path.is_dir():
            print(f"{folder}: not there, left out")
            continue
        data = read(path)
        for what, how in ((given.model, by_model), ("classical", by_tissue)):
            chance = how(data, given.model)
            rows.append(
                {"set": data.name, "um_per_px": data.um_per_px, "by": what, **_measured(data, chance)}
            )
            print(json.dumps(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def _measured(data: Labelled, chance: NDArray[np.float64]) -> dict[str, Any]:
    kinds = {name: np.array([one == name for one in data.kind]) for name in sorted(set(data.kind))}
    ducts = kinds.get("cancer in situ", np.zeros(len(chance), bool))
    return {
        **interval(data, chance, np.ones(len(chance), bool)),
        **({"without in situ": interval(data, chance, ~ducts)} if ducts.any() else {}),
        "mean": {name: round(float(chance[where].mean()), 3) for name, where in kinds.items()},
    }


if __name__ == "__main__":
    main()
