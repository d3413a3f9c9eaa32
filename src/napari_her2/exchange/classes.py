"""Names and colours of classes, as other programs show them."""

from __future__ import annotations

from typing import Final

from napari_her2.annotation import AREA_COLOURS
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

__all__ = ["RASTER_CLASSES", "cell_class_of", "class_of_cell", "colour_of", "hex_of", "rgb_of"]

RGB = tuple[int, int, int]

EXCLUDED: Final = "Excluded"
COUNTED: Final = "Tumor"

_OTHERS: Final[dict[str, RGB]] = {
    "Tissue": (120, 120, 120),
    "Control": (200, 140, 0),
    "Ignore*": (180, 180, 180),
    "Other": (255, 200, 0),
    "Excluded": (150, 150, 150),
    "Region*": (0, 0, 180),
}
_UNKNOWN: Final[RGB] = (90, 90, 90)

RASTER_CLASSES: Final[dict[int, tuple[str, str]]] = {
    **{RASTER_LABELS[name]: (name, COLOURS[name]) for name in CELL_CLASSES},
    RASTER_LABELS["unsure"]: ("unsure or excluded", "#80808080"),
}
"""Values of label rasters with name and colour; 0 is background."""


def rgb_of(colour: str) -> RGB:
    """``#RRGGBB`` (a further ``AA`` is passed over) → three numbers."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def hex_of(rgb: RGB) -> str:
    """Three numbers → ``#RRGGBB``."""
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def colour_of(name: str) -> RGB:
    """Colour of a class by the last part of its name: ``Tumor: 3+`` looks like ``3+``."""
    last = name.rpartition(": ")[2].removeprefix("HER2 ")
    if name.startswith(EXCLUDED):
        return _OTHERS[EXCLUDED]
    if last in COLOURS:
        return rgb_of(COLOURS[last])
    if last in AREA_COLOURS:
        return rgb_of(AREA_COLOURS[last])
    return _OTHERS.get(name, _OTHERS.get(last, _UNKNOWN))


def class_of_cell(cell_class: str, excluded: str, *, in_tumour: bool) -> str:
    """Name of a cell's class for QuPath, whose derived classes are parted by colons.

    ``Tumor: 3+`` counts, ``Excluded: in_situ: 3+`` does not, ``Other: 0`` is no tumour cell.
    """
    if excluded:
        return f"{EXCLUDED}: {excluded}: {cell_class}"
    return f"{COUNTED}: {cell_class}" if in_tumour else f"Other: {cell_class}"


def cell_class_of(name: str) -> tuple[str, str] | None:
    """Class and reason of exclusion that a name says; None where it names no class of a cell.

    Names of others are understood, too: ``Negative`` is 0, ``Tumor: 2+`` and ``2+`` are the same.
    """
    parts = [part.strip() for part in name.split(":")]
    last = "0" if parts[-1].lower() == "negative" else parts[-1]
    if last not in CELL_CLASSES:
        return None
    if parts[0] != EXCLUDED:
        return last, ""
    return last, parts[1] if len(parts) == 3 else "reader"
