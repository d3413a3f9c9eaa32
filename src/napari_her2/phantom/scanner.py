"""Faults of stain and scanner that change one slide as a whole: its light before anything is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.phantom.faults import stream

if TYPE_CHECKING:
    from napari_her2.phantom.faults import Faults
    from napari_her2.phantom.optics import Light

__all__ = ["faulted"]

_WHITES: Final = ((228.0, 233.0, 243.0), (246.0, 241.0, 222.0), (272.0, 270.0, 268.0))
"""Grey-blue, yellow and clipped."""


def faulted(light: Light, faults: Faults, seed: int) -> Light:
    """Return the light of a slide with the faults that concern all of it."""
    quality = stream(seed, "jpeg").uniform(70, 90)
    return replace(
        light,
        blush=light.blush + faults.blush * stream(seed, "blush").uniform(0.2, 0.4),
        quality=round(light.quality + faults.jpeg * (quality - light.quality)),
        noise=light.noise + faults.noise * stream(seed, "noise").uniform(4.0, 8.0),
        white=light.white + faults.tinted * (_white(seed) - light.white),
    )


def _white(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = stream(seed, "tinted")
    return np.array(_WHITES[rng.integers(len(_WHITES))]) + rng.normal(0, 2, 3)
