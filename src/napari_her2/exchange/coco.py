"""Areas and cells as COCO object detection: polygons, boxes, categories; and areas back."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import CaseError
from napari_her2.exchange.classes import class_of_cell
from napari_her2.exchange.geojson import Area
from napari_her2.exchange.opening import writing
from napari_her2.geometry import from_xy, to_xy
from napari_her2.store import read_json
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable

__all__ = ["join_rings", "read_coco", "write_coco"]

IMAGE_ID: Final = 1


def write_coco(
    path: Path,
    *,
    image: str,
    shape: tuple[int, int],
    areas: Sequence[Area] = (),
    cells: CellTable | None = None,
    um_per_px: float,
) -> int:
    """Write one slide as a COCO file, annotation by annotation; ``.gz`` is honoured.

    A polygon with holes becomes a run-length mask only in COCO's own tools, so its rings are joined to one
    ring by cuts of no width; the area is exact. Cells are boxes with the nucleus' area.

    Parameters
    ----------
    path : Path
    image : str
        File name of the slide.
    shape : tuple of int
        (rows, cols) of level 0.
    areas : sequence of Area
    cells : CellTable, optional
        Only those that count or have a reason why they do not.
    um_per_px : float

    Returns
    -------
    int
        Number of annotations.
    """
    names = sorted({area.name or "unnamed" for area in areas})
    of_cells = [class_of_cell(name, "", in_tumour=True) for name in CELL_CLASSES] if cells is not None else []
    category = {name: k for k, name in enumerate([*names, *(n for n in of_cells if n not in names)], 1)}
    head = {
        "info": {"description": "napari-her2; level-0 pixels; for research use only, not for diagnosis"},
        "images": [{"id": IMAGE_ID, "file_name": image, "height": shape[0], "width": shape[1]}],
        "categories": [{"id": k, "name": name, "supercategory": "HER2"} for name, k in category.items()],
    }
    n = 0
    with writing(path) as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "annotations": [')
        found = [_of_area(area, category) for area in areas]
        for n, entry in enumerate((*found, *_of_cells(cells, category, um_per_px)), 1):
            line = json.dumps({"id": n, "image_id": IMAGE_ID, "iscrowd": 0, **entry})
            file.write(("\n" if n == 1 else ",\n") + line)
        file.write("\n]}\n")
    return n


def _of_area(area: Area, category: dict[str, int]) -> dict[str, Any]:
    ring = join_rings([area.outline, *area.holes])
    low, high = area.outline.min(axis=0), area.outline.max(axis=0)
    size = abs(_signed(area.outline)) - sum(abs(_signed(hole)) for hole in area.holes)
    return {
        "category_id": category[area.name or "unnamed"],
        "segmentation": [np.round(to_xy(ring), 2).ravel().tolist()],
        "bbox": np.round([low[1], low[0], high[1] - low[1], high[0] - low[0]], 2).tolist(),
        "area": round(size, 2),
    }


def _of_cells(
    cells: CellTable | None, category: dict[str, int], um_per_px: float
) -> Iterator[dict[str, Any]]:
    if cells is None:
        return
    counted = cells.select(cells.evaluable)
    side = np.sqrt(np.maximum(counted.nucleus_area_um2, 1) * 4 / np.pi) / um_per_px
    boxes = np.column_stack([counted.col_px - side / 2, counted.row_px - side / 2, side, side]).round(2)
    ids = [category[class_of_cell(name, "", in_tumour=True)] for name in CELL_CLASSES]
    area = (counted.nucleus_area_um2 / um_per_px**2).round(2).tolist()
    codes = counted.class_code.tolist()
    for box, code, size in zip(boxes.tolist(), codes, area, strict=True):
        yield {"category_id": ids[code], "segmentation": [], "bbox": box, "area": round(size, 2)}


def join_rings(rings: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One ring around an outline and its holes: each hole is reached and left by the same cut."""
    whole = rings[0]
    for hole in rings[1:]:
        turned = hole if np.sign(_signed(hole)) != np.sign(_signed(whole)) else hole[::-1]
        gap = np.linalg.norm(whole[:, None] - turned[None], axis=-1)
        at, to = np.unravel_index(int(gap.argmin()), gap.shape)
        around = np.roll(turned, -int(to), axis=0)
        whole = np.vstack([whole[: at + 1], around, around[:1], whole[at:]])
    return whole


def _signed(ring: NDArray[np.float64]) -> float:
    row, col = ring.T
    return float(np.dot(row, np.roll(col, -1)) - np.dot(col, np.roll(row, -1))) / 2


def read_coco(path: Path) -> tuple[Area, ...]:
    """Read the polygons of a COCO file with one image.

    Raises
    ------
    CaseError
        If it is no COCO file, has several images, or no polygon.
    """
    data = read_json(path)
    try:
        names = {c["id"]: str(c["name"]) for c in data["categories"]}
        images = Counter(a["image_id"] for a in data["annotations"])
        if len(images) > 1:
            raise CaseError(f"{path.name} annotates {len(images)} images: give a file with one")
        areas = tuple(
            Area(outline=from_xy(np.reshape(ring, (-1, 2))), name=names[a["category_id"]])
            for a in data["annotations"]
            if isinstance(a["segmentation"], list)
            for ring in a["segmentation"]
            if len(ring) >= 6
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CaseError(f"{path.name} is no COCO file of polygons: export it again") from error
    if not areas:
        raise CaseError(f"{path.name} holds no polygon: only boxes or masks cannot be imported")
    return areas
