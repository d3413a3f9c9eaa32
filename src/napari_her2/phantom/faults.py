"""Faults of real slides that a phantom can be given, each by a strength from 0 (absent) to 1.

To add a fault: add a field to :class:`Faults` and draw it from :func:`stream` with its own name.
Streams do not share random numbers, so a new fault never changes another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FAULT_NAMES", "Faults", "parse_faults", "stream", "unknown_fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Strength of each fault, 0 to 1; with all at 0 the pixels are those of a phantom without faults.

    Attributes
    ----------
    saturated : float
        Strong DAB spreads over cells and drowns the haematoxylin of their nuclei.
    granular : float
        Brown grains in the cytoplasm of carcinoma.
    nuclear : float
        Share of nuclei with DAB, to 0.6.
    flat : float
        Flare and tone curve of a scanner that compress optical density (1.5 becomes about 0.4).
    vignette : float
        Light that falls off towards the corners of the scanner's fields.
    no_glass : float
        Tissue from edge to edge, dense stroma, no fat, lumens or clefts.
    focus : float
        Smooth zones out of focus.
    sharpened : float
        Unsharp mask of the scanner's software.
    chromatic : float
        Red and blue shifted against green, to 0.3 µm each.
    blush : float
        DAB in the cytoplasm of carcinoma, beyond the usual.
    tinted : float
        Grey-blue, yellow or clipped white.
    jpeg : float
        JPEG quality moves towards a value between 70 and 90.
    noise : float
        Noise of the sensor, to 8 grey values more.

    Raises
    ------
    UsageError
        If a strength is outside 0 to 1.
    """

    saturated: float = 0.0
    granular: float = 0.0
    nuclear: float = 0.0
    flat: float = 0.0
    vignette: float = 0.0
    no_glass: float = 0.0
    focus: float = 0.0
    sharpened: float = 0.0
    chromatic: float = 0.0
    blush: float = 0.0
    tinted: float = 0.0
    jpeg: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in FAULT_NAMES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(
                    f"the strength {getattr(self, name):g} of the fault {name} is outside 0 to 1: "
                    "choose a value inside"
                )


FAULT_NAMES: Final = tuple(field.name for field in fields(Faults))
"""Names of all faults."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one fault of one phantom; they depend on nothing else."""
    return np.random.Generator(np.random.Philox(key=[seed, (1 << 32) + crc32(name.encode())]))


def unknown_fault(name: str) -> str:
    """Return the sentence that refuses a name."""
    return f"{name!r} is no fault of a phantom: choose one of {', '.join(FAULT_NAMES)}"


def parse_faults(words: Iterable[str]) -> Faults:
    """Read ``NAME=STRENGTH`` words.

    Raises
    ------
    UsageError
        If a word is no such pair, names no fault, or its strength is outside 0 to 1.
    """
    strengths: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in FAULT_NAMES:
            raise UsageError(unknown_fault(name))
        strengths[name] = _strength(name, value)
    return Faults(**strengths)


def _strength(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(
            f"the fault {name} has the strength {value!r}: give a number from 0 to 1, as {name}=0.5"
        ) from None
