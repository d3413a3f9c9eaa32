"""Hard pairs by the program's own tissue: pale, sparse, half missing, of another scanner."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from napari_her2.mapping import register
from napari_her2.slides import open_slide
from napari_her2.slides.white import find_white
from napari_her2.tissue import find_tissue

STAINS = {"rat-kidney": ("HE", "PanCytokeratin"), "lung-lesion-1": ("HE", "proSPC")}
UM_PER_PX = 10.0


def pale(rgb: np.ndarray) -> np.ndarray:
    white = np.array(find_white(rgb).rgb)
    return np.clip(white + 0.35 * (rgb - white), 0, 255).round().astype(np.uint8)


def other_scanner(rgb: np.ndarray) -> np.ndarray:
    return np.clip(255 * (rgb / 255) ** 1.25 * (0.97, 1.02, 1.05), 0, 255).round().astype(np.uint8)


def half_missing(rgb: np.ndarray) -> np.ndarray:
    cut, middle = rgb.copy(), rgb.shape[1] // 2
    bare = np.random.default_rng(5).normal(find_white(rgb).rgb, 1.0, cut[:, middle:].shape)
    cut[:, middle:] = np.clip(bare, 0, 255).round().astype(np.uint8)
    return cut


@pytest.mark.parametrize(
    ("name", "change", "most_percent"),
    [
        ("rat-kidney", pale, 0.3),
        ("rat-kidney", other_scanner, 0.3),
        ("rat-kidney", half_missing, 0.3),
        ("lung-lesion-1", pale, 0.65),
    ],
)
def test_hard_pairs_are_aligned(shared_data, tmp_path, name, change, most_percent):
    """Median error of the experts' landmarks, in percent of the IHC's diagonal."""
    folder = shared_data(f"registration/{name}")
    tables, paths = [], []
    for stain, look in zip(STAINS[name], (lambda rgb: rgb, change), strict=True):
        rows = list(csv.reader((folder / f"{stain}.csv").read_text().splitlines()))[1:]
        tables.append({int(row[0]): (float(row[2]), float(row[1])) for row in rows})
        rgb = cv2.imread(str(folder / f"{stain}.jpg"))[..., ::-1]
        paths.append(tmp_path / f"{stain}.png")
        cv2.imwrite(str(paths[-1]), look(rgb)[..., ::-1])
    common = sorted(set(tables[0]) & set(tables[1]))
    he_px, ihc_px = (np.array([table[key] for key in common]) for table in tables)
    with open_slide(paths[0], um_per_px=UM_PER_PX) as he, open_slide(paths[1], um_per_px=UM_PER_PX) as ihc:
        steps = register(he, ihc, find_tissue(he), find_tissue(ihc))
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                mapping = stop.value
                break
        shape = ihc.shape
    kept = ihc_px[:, 1] < (0.48 * shape[1] if change is half_missing else np.inf)
    away = np.linalg.norm(mapping.he_to_ihc(he_px[kept]) - ihc_px[kept], axis=1)
    assert 100 * np.median(away) / np.hypot(*shape) < most_percent
    assert not mapping.needs_review
    inside = mapping.inside(ihc_px[kept], "ihc")
    stated = mapping.error_um(ihc_px[kept], "ihc")
    assert ((away * UM_PER_PX <= stated)[inside]).mean() > 0.8
