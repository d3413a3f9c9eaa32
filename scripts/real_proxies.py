"""Stand-ins for pictures that are held out: the same fields as other cameras and files would show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from real_pictures import CORE_UM, Picture, fields, read_rgb, write_rgb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SIZES_UM: Final = (0.2, 0.3, 0.35, 0.4, 0.5)
QUALITIES: Final = (70, 80)
GLASS: Final = (234.0, 233.0, 242.0)
"""White of the cores; other whites are put in its place by scaling each channel."""
WHITES: Final = {"grey-blue white": (205.0, 212.0, 226.0), "yellow white": (246.0, 240.0, 214.0)}
CLIPPED_GAIN: Final = 1.12
KNEE: Final = 0.35
"""Depth of the tone curve: how far the middle greys of a contrasty camera lie below those of a scanner."""


def proxies(data: Path, work: Path) -> list[Picture]:
    """Return the first field with tumour of each core, in every guise; the first row of each is the field."""
    first = {field.name.split()[0]: field for field in reversed(fields(data, work)) if not field.apart}
    made = []
    for field in sorted(first.values(), key=lambda f: f.name):
        rgb = read_rgb(field.path)
        made.append(replace(field, group="proxies", what="as cut"))
        made += [_rescaled(field, rgb, um, work) for um in SIZES_UM]
        made += [_compressed(field, rgb, quality, work) for quality in QUALITIES]
        made += [_changed(field, what, change(rgb), work) for what, change in CHANGES.items()]
    return made


def _rescaled(field: Picture, rgb: NDArray[np.uint8], um_per_px: float, work: Path) -> Picture:
    factor = CORE_UM / um_per_px
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    changed = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=way)
    # The exact size: a whole number of pixels rarely spans the field.
    exact = CORE_UM * rgb.shape[1] / changed.shape[1]
    return replace(_changed(field, f"{um_per_px:g} µm/px", changed, work), um_per_px=round(exact, 5))


def _compressed(field: Picture, rgb: NDArray[np.uint8], quality: int, work: Path) -> Picture:
    what = f"JPEG q{quality}"
    path = work / f"{field.path.stem}_q{quality}.jpg"
    write_rgb(path, rgb, quality)
    return replace(field, name=f"{field.name}, {what}", path=path, group="proxies", what=what)


def _changed(field: Picture, what: str, rgb: NDArray[np.uint8], work: Path) -> Picture:
    path = work / f"{field.path.stem}_{''.join(c for c in what if c.isalnum())}.png"
    write_rgb(path, rgb)
    return replace(field, name=f"{field.name}, {what}", path=path, group="proxies", what=what)


def whitened(rgb: NDArray[np.uint8], white: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Show the same transmission on another glass."""
    return _bytes(rgb * (np.array(white) / GLASS))


def clipped(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Overexpose, so that glass and the palest tissue are 255."""
    return _bytes(rgb * (255 / np.array(GLASS)) * CLIPPED_GAIN)


def saturating(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply the S-shaped tone curve of a contrasty camera: darks darker, lights lighter."""
    x = np.clip(rgb / np.array(GLASS), 0, 1)
    return _bytes(255 * ((1 - KNEE) * x + KNEE * (3 * x**2 - 2 * x**3)))


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CHANGES: Final[dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    **{what: (lambda rgb, white=white: whitened(rgb, white)) for what, white in WHITES.items()},
    "clipped white": clipped,
    "tone curve": saturating,
}
