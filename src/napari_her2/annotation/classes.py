"""What a mask can say: three kinds, each with its classes, colours and keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_her2.vocabulary import COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EXCLUSIONS", "HER2", "KINDS", "TUMOUR", "UNTOUCHED", "KindName", "MaskClass", "MaskKind"]

KindName = Literal["her2", "tumour", "exclusions"]

UNTOUCHED: Final = 0
"""Code of a pixel that no person has touched: what the model says there holds."""


@dataclass(frozen=True, slots=True)
class MaskClass:
    """One class of a mask.

    Attributes
    ----------
    value : int
        In label rasters; 0 is background.
    name : str
    colour : str
        ``#RRGGBB``.
    """

    value: int
    name: str
    colour: str


@dataclass(frozen=True)
class MaskKind:
    """A kind of mask.

    A person's layer holds *codes*: 0 where no person has been, else the value of the label plus one, so
    that "background, says a person" differs from "nobody has looked". 255 (unsure) stays 255.

    Attributes
    ----------
    name : str
    title : str
        For a person.
    classes : tuple of MaskClass
        In the order of the keys 1, 2, 3…; the first is background.
    raster : str
        The raster of a case that the model's labels come from; empty where no model marks this.
    """

    name: KindName
    title: str
    classes: tuple[MaskClass, ...]
    raster: str = ""

    @cached_property
    def by_value(self) -> dict[int, MaskClass]:
        """Classes by the value of their label."""
        return {one.value: one for one in self.classes}

    def named(self, name: str) -> MaskClass:
        """Return the class of that name; ``KeyError`` if there is none."""
        return {one.name: one for one in self.classes}[name]

    @property
    def codes(self) -> dict[int, tuple[str, str]]:
        """(name, colour) of the codes that a person's layer holds, as raster metadata."""
        return {int(to_codes(one.value)): (one.name, one.colour) for one in self.classes}


def to_codes(labels: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    """Labels (0…253, 255) → codes of a person's layer (1…254, 255)."""
    values = np.asarray(labels, np.uint8)
    coded: NDArray[np.uint8] = values + (values != 255).astype(np.uint8)
    return coded


def to_labels(codes: NDArray[np.uint8], model: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what holds: a person's label where there is one, else the model's.

    Parameters
    ----------
    codes, model : uint8 ndarrays of one shape
    """
    said = codes - ((codes != 255) & (codes != UNTOUCHED)).astype(np.uint8)
    labels: NDArray[np.uint8] = np.where(codes == UNTOUCHED, model, said)
    return labels


BACKGROUND: Final = MaskClass(0, "background", "#000000")

HER2: Final = MaskKind(
    "her2",
    "HER2 classes",
    (
        BACKGROUND,
        *(MaskClass(RASTER_LABELS[name], name, COLOURS[name]) for name in ("0", "1+", "2+", "3+", "unusual")),
        MaskClass(RASTER_LABELS["unsure"], "unsure", "#808080"),
    ),
    raster="her2",
)

TUMOUR: Final = MaskKind(
    "tumour",
    "Tumour area",
    (
        BACKGROUND,
        MaskClass(1, "tumour", COLOURS["tumour"]),
        MaskClass(2, "in situ", "#C51B7D"),
        MaskClass(3, "not tumour", "#737373"),
    ),
    raster="tumour",
)

EXCLUSIONS: Final = MaskKind(
    "exclusions",
    "Exclusions",
    (
        BACKGROUND,
        MaskClass(1, "artefact", "#E7298A"),
        MaskClass(2, "fold", "#A6761D"),
        MaskClass(3, "out of focus", "#1B9E9E"),
        MaskClass(4, "necrosis", "#666600"),
    ),
)

KINDS: Final[dict[str, MaskKind]] = {kind.name: kind for kind in (HER2, TUMOUR, EXCLUSIONS)}
