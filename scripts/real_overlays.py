"""What the program saw, on the picture: outline of the tissue, counted and other cells."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from napari_her2.case import read_case
from napari_her2.errors import Her2Error
from napari_her2.slides import open_slide
from napari_her2.tissue import TISSUE_LABELS, find_tissue
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from pathlib import Path

    from real_pictures import Picture

    from napari_her2.cells import CellTable

LONGEST_PX: Final = 1800
DOT_UM: Final = 2.5


def draw_overlay(picture: Picture, case: Path, folder: Path) -> None:
    """Write the picture beside the same with tissue (green), evaluable cells (dots) and others (rings)."""
    with open_slide(picture.path, um_per_px=picture.um_per_px) as slide:
        rgb = slide.thumbnail(LONGEST_PX)
        scale = rgb.shape[0] / slide.shape[0]
        dot_px = max(2, round(DOT_UM / slide.um_per_px * scale))
        labels = find_tissue(slide).labels
    marked = rgb.copy()
    tissue = cv2.resize(
        (labels == TISSUE_LABELS["tissue"]).astype(np.uint8),
        rgb.shape[1::-1],
        interpolation=cv2.INTER_NEAREST,
    )
    outlines, _ = cv2.findContours(tissue, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(marked, outlines, -1, (0, 160, 0), 2)
    with suppress(Her2Error):  # a picture that was refused has no cells
        _dots(marked, read_case(case).cells(), scale, dot_px)
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "_" for c in f"{picture.group} {picture.name}")
    cv2.imwrite(str(folder / f"{name}.png"), np.hstack([rgb, marked])[..., ::-1])


def _dots(marked: np.ndarray, cells: CellTable, scale: float, dot_px: int) -> None:
    points = np.round(cells.points_px * scale).astype(int)
    for (row, col), code, counts in zip(points, cells.class_code, cells.evaluable, strict=True):
        colour = tuple(int(COLOURS[CELL_CLASSES[code]][k : k + 2], 16) for k in (1, 3, 5))
        cv2.circle(marked, (int(col), int(row)), dot_px, colour, -1 if counts else 1, cv2.LINE_AA)
