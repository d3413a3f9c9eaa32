"""Places worth a look at higher magnification: the IHC and the same place of the H&E beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.report import Picture
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping
    from napari_her2.slides import Slide

__all__ = ["Field", "choose_fields", "field_pictures"]

FIELD_UM: Final = 250.0
PICTURE_UM_PER_PX: Final = 0.5
BAR_UM: Final = 50.0
LEAST_CELLS: Final = 5
STRONGEST_FIRST: Final = ("3+", "2+", "unusual", "1+", "0")


@dataclass(frozen=True, slots=True)
class Field:
    """A square place on the IHC.

    Attributes
    ----------
    box : Box
        Level-0 pixels of the IHC.
    shows : str
        The class it was chosen for.
    cells, of_class : int
        Evaluable cells in it, and those of that class.
    """

    box: Box
    shows: str
    cells: int
    of_class: int


def choose_fields(
    cells: CellTable, um_per_px: float, shape: tuple[int, int], size_um: float = FIELD_UM
) -> tuple[Field, ...]:
    """Choose for each class the field with most of its evaluable cells; no field twice, strongest first.

    Parameters
    ----------
    cells : CellTable
    um_per_px : float
        Of the IHC's level 0.
    shape : tuple of int
        (rows, cols) of level 0.
    size_um : float
        Side of a field; smaller where the image is.
    """
    side = min(max(round(size_um / um_per_px), 1), *shape)
    counted = cells.select(cells.evaluable)
    grid = (max(shape[0] // side, 1), max(shape[1] // side, 1))
    at = np.floor(counted.points_px / side).astype(np.intp)
    at = np.minimum(np.maximum(at, 0), np.array(grid) - 1)
    place = np.ravel_multi_index((at[:, 0], at[:, 1]), grid)
    n = np.zeros((len(CELL_CLASSES), grid[0] * grid[1]), np.int64)
    np.add.at(n, (counted.class_code, place), 1)
    chosen: dict[int, Field] = {}
    for name in STRONGEST_FIRST:
        of_class = n[CELL_CLASSES.index(name)].copy()
        of_class[list(chosen)] = 0
        best = int(of_class.argmax())
        if of_class[best] >= LEAST_CELLS:
            row, col = np.unravel_index(best, grid)
            box = Box(int(row) * side, int(col) * side, side, side)
            chosen[best] = Field(box, name, int(n[:, best].sum()), int(of_class[best]))
    return tuple(chosen.values())


def field_pictures(
    fields: tuple[Field, ...], ihc: Slide, he: Slide | None, mapping: SlideMapping | None
) -> list[Picture]:
    """Return the fields as pictures at 0.5 µm/px (20x) with a scale bar: the IHC and, if known, the H&E."""
    found = []
    for number, field in enumerate(fields, 1):
        um = max(PICTURE_UM_PER_PX, ihc.um_per_px)
        x, y = field.box.col, field.box.row
        shown = f"{field.of_class} of {field.cells} evaluable cells are {field.shows}. "
        shown += f"{_scale(um)}, x {x}, y {y}."
        stained = with_bar(ihc.read_at(field.box, um), um)
        found.append(Picture(f"Field {number}, HER2 IHC", shown, stained))
        if he is not None and mapping is not None:
            found.append(_he_picture(number, field, he, mapping, um))
    return found


def _scale(um_per_px: float) -> str:
    return f"{10 / um_per_px:.3g}x ({um_per_px:g} µm per pixel), bar {BAR_UM:g} µm"


def _he_picture(number: int, field: Field, he: Slide, mapping: SlideMapping, um: float) -> Picture:
    centre = np.array([field.box.centre])
    error = float(mapping.error_um(centre, "ihc")[0])
    inside = bool(mapping.inside(centre, "ihc")[0])
    doubt = (
        f"error about {error:.0f} µm" if inside else "outside the shared tissue: another place may be shown"
    )
    rgb = with_bar(carried_view(field.box, he, mapping, um), um)
    return Picture(f"Field {number}, H&E", f"The same place, {doubt}. {_scale(um)}.", rgb)


def carried_view(box: Box, he: Slide, mapping: SlideMapping, um_per_px: float) -> NDArray[np.uint8]:
    """Return the H&E as it lies under a box of the IHC, turned and bent as the IHC is.

    Parameters
    ----------
    box : Box
        Level-0 pixels of the IHC.
    he : Slide
    mapping : SlideMapping
    um_per_px : float
        Of the picture.
    """
    import cv2

    side = max(round(box.height * mapping.ihc.um_per_px / um_per_px), 1)
    steps = np.linspace(0, 1, 33)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    points = mapping.ihc_to_he(grid * (box.height, box.width) + (box.row, box.col))
    low, high = np.floor(points.min(axis=0)).astype(int) - 2, np.ceil(points.max(axis=0)).astype(int) + 2
    region = Box(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    source = he.read_at(region, um_per_px)
    factor = np.array(source.shape[:2]) / (region.height, region.width)
    coarse = ((points - low) * factor - 0.5).reshape(33, 33, 2).astype(np.float32)
    fine = cv2.warpAffine(
        coarse, _sampling(side), (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    white = tuple(float(v) for v in he.white)
    view = cv2.remap(
        source,
        fine[..., 1],
        fine[..., 0],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=white,
    )
    return np.asarray(view, np.uint8)


def _sampling(side: int) -> NDArray[np.float64]:
    """Pixel centres of the picture → places on the 33 x 33 nodes, which span edge to edge."""
    step = 32 / side
    return np.array([[step, 0, step / 2], [0, step, step / 2]])


def with_bar(rgb: NDArray[np.uint8], um_per_px: float, bar_um: float = BAR_UM) -> NDArray[np.uint8]:
    """Return the picture with a scale bar in its lower left corner, black on a white edge."""
    drawn = rgb.copy()
    rows, cols = rgb.shape[:2]
    length, thick, margin = round(bar_um / um_per_px), max(rows // 100, 3), max(rows // 25, 6)
    length = min(length, cols - 2 * margin)
    bottom = rows - margin
    drawn[bottom - thick - 2 : bottom + 2, margin - 2 : margin + length + 2] = 255
    drawn[bottom - thick : bottom, margin : margin + length] = 0
    return drawn
