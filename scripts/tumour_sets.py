"""Real H&E with labels of people, place by place, for scripts/real_tumour.py: measuring only."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["SETS", "Labelled", "read_rgb"]

IDC_UM, BREAKHIS_UM, NODE_UM, FULL_UM = 4.0, 1.2, 0.243, 0.69
SPOT_UM, SPOT_DIAMETER_UM = 200.0, 100.0
SPOT_PX = 219.5
"""Distance of neighbouring spots in the frame of spots.tsv."""
NODE_BLOCK_PX = 2058
"""Tiles of a node that lie in one square of 0.5 mm are drawn together."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Places of one set: boxes (row, col, height, width) in a picture, what is there, and whose they are.

    Attributes
    ----------
    name : str
    paths : tuple of Path
        The pictures.
    um_per_px : float
    place : int ndarray of shape (n, 4)
    picture : int ndarray of shape (n,)
        Index into ``paths``.
    tumour : bool ndarray of shape (n,)
    group : tuple of str
        Patient, or block of tissue where there is one patient: drawn as a whole.
    kind : tuple of str
        What people called each place.
    """

    name: str
    paths: tuple[Path, ...]
    um_per_px: float
    place: NDArray[np.int64]
    picture: NDArray[np.int64]
    tumour: NDArray[np.bool_]
    group: tuple[str, ...]
    kind: tuple[str, ...]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB."""
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


def idc(folder: Path) -> list[Labelled]:
    """One patient: tiles of 50 px, tumour or not."""
    labels = cv2.imread(str(folder / "labels_50px_grid.png"), cv2.IMREAD_UNCHANGED)
    where = np.argwhere(labels != 255)
    place = np.column_stack([where * 50, np.full((len(where), 2), 50)])
    group = tuple(f"{r // 5}_{c // 5}" for r, c in where.tolist())
    tumour = labels[tuple(where.T)] == 1
    kind = tuple("tumour" if one else "not tumour" for one in tumour)
    picture = np.zeros(len(where), int)
    return [Labelled("IDC 14306", (folder / "mosaic.png",), IDC_UM, place, picture, tumour, group, kind)]


def breakhis(folder: Path) -> list[Labelled]:
    """78 crops of 13 patients: benign or malignant tumours, so epithelium is on both sides."""
    paths = sorted(folder.glob("*.png"))
    place = np.array([[0, 0, *read_rgb(path).shape[:2]] for path in paths])
    tumour = np.array([path.name.startswith("malignant") for path in paths])
    group = tuple(path.stem.rsplit("_", 1)[0] for path in paths)
    kind = tuple(path.name.split("-", 1)[0] for path in paths)
    picture = np.arange(len(paths))
    return [Labelled("BreaKHis", tuple(paths), BREAKHIS_UM, place, picture, tumour, group, kind)]


def nodes(folder: Path) -> list[Labelled]:
    """Tiles of lymph nodes, a picture each: all three slides, and the one that has both classes."""
    rows = _table(folder / "labels.csv", ",")
    return [_nodes(folder, rows, "nodes"), _nodes(folder, rows, "nodes, slide 064", "tumor_064")]


def _nodes(folder: Path, rows: list[dict[str, str]], name: str, slide: str = "") -> Labelled:
    rows = [row for row in rows if row["slide"].startswith(slide)]
    paths = tuple(folder / row["file"] for row in rows)
    place = np.array([[0, 0, *read_rgb(path).shape[:2]] for path in paths])
    tumour = np.array([row["tumour"] == "1" for row in rows])
    group = tuple(
        f"{row['slide']}_{int(row['a']) // NODE_BLOCK_PX}_{int(row['b']) // NODE_BLOCK_PX}" for row in rows
    )
    kind = tuple(f"{row['slide']} {'tumour' if row['tumour'] == '1' else 'normal'}" for row in rows)
    return Labelled(name, paths, NODE_UM, place, np.arange(len(paths)), tumour, group, kind)


def her2st_a1(folder: Path) -> list[Labelled]:
    """Spots of a section: the labels' y runs against the picture's, the grid of spots.tsv joins them."""
    rgb = read_rgb(folder / "he.png")
    at = {(round(float(r["x"])), round(float(r["y"]))): r for r in _table(folder / "spots.tsv")}
    rows = [r for r in _table(folder / "spot_labels.tsv") if r["label"] not in ("undetermined", "")]
    spots = [(r, at.get((round(float(r["x"])), round(float(r["y"]))))) for r in rows]
    found = [(row, spot) for row, spot in spots if spot is not None]
    centre = np.array([[float(s["pixel_y"]), float(s["pixel_x"])] for _, s in found])
    scale = _scale(rgb, centre)
    um = SPOT_UM / (SPOT_PX * scale)
    place = _squares(scale * centre, um)
    kind = tuple(row["label"] for row, _ in found)
    group = tuple(f"{round(float(r['x'])) // 5}_{round(float(r['y'])) // 5}" for r, _ in found)
    tumour = np.array([label == "invasive cancer" for label in kind])
    picture = np.zeros(len(place), int)
    return [Labelled("HER2ST A1", (folder / "he.png",), um, place, picture, tumour, group, kind)]


def her2st_full(folder: Path) -> list[Labelled]:
    """Spots of frozen sections, patient by patient; labels carried over from a neighbouring section."""
    of_patient = defaultdict(list)
    for row in _table(folder / "spots.csv", ","):
        if row["weak_tumour"] != "-1":
            of_patient[row["patient"]].append(row)
    return [_frozen(folder, patient, rows) for patient, rows in sorted(of_patient.items())]


def _frozen(folder: Path, patient: str, rows: list[dict[str, str]]) -> Labelled:
    names = sorted({row["section"] for row in rows})
    elsewhere = folder.parents[1] / "registration" / "her2st-serial-he"
    paths = tuple(
        next(f / f"{n}.jpg" for f in (folder, elsewhere) if (f / f"{n}.jpg").exists()) for n in names
    )
    centre = np.array([[float(row["pixel_y"]), float(row["pixel_x"])] for row in rows])
    group = tuple(f"{r['section']}_{int(r['x']) // 5}_{int(r['y']) // 5}" for r in rows)
    return Labelled(
        f"HER2ST {patient}",
        paths,
        FULL_UM,
        _squares(centre, FULL_UM),
        np.array([names.index(row["section"]) for row in rows]),
        np.array([row["weak_tumour"] == "1" for row in rows]),
        group,
        tuple(row["neighbour_pathologist_label"] for row in rows),
    )


def _squares(centre: NDArray[np.float64], um: float) -> NDArray[np.int64]:
    """Squares as wide as a spot about each centre (row, col)."""
    side = round(SPOT_DIAMETER_UM / um)
    return np.column_stack([np.round(centre - side / 2), np.full((len(centre), 2), side)]).astype(int)


def _table(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _scale(rgb: NDArray[np.uint8], spots: NDArray[np.float64]) -> float:
    """Picture pixels per pixel of the table: the middle of the scales that keep most spots on tissue."""
    tissue = (rgb.min(-1) < 225) & (rgb.max(-1) > 40)
    scales = np.linspace(0.24, 0.34, 201)
    hits = []
    for scale in scales:
        row, col = np.clip(np.round(spots * scale).astype(int), 0, np.array(tissue.shape) - 1).T
        hits.append(int(tissue[row, col].sum()))
    return float(np.mean(scales[np.array(hits) >= max(hits) - 1]))


SETS: dict[str, Callable[[Path], list[Labelled]]] = {
    "idc-14306": idc,
    "her2st-a1": her2st_a1,
    "her2st-full": her2st_full,
    "camelyon16-patches": nodes,
    "breakhis-13-patients": breakhis,
}
"""By folder of ``he_tumour``."""
