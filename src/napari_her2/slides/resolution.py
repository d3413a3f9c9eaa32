"""When a statement about pixel size is believed; it is never guessed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_UM_PER_PX",
    "MIN_UM_PER_PX",
    "check_given",
    "from_ome_pixels",
    "from_resolution_tags",
    "plausible",
    "um_in",
]

MIN_UM_PER_PX, MAX_UM_PER_PX = 0.02, 100.0
DESKTOP_DPI = (
    *(72, 75, 90, 96, 100, 120, 150, 180, 200, 240, 250, 300, 350, 360, 400, 500, 600, 720, 800, 1000),
    *(1200, 1440, 2400, 3600, 4800, 9600),
)
UM_PER_INCH, UM_PER_CM = 25_400.0, 10_000.0
UM_IN = {
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "inch": UM_PER_INCH, "in": UM_PER_INCH,
}  # fmt: skip


def um_in(unit: str | None) -> float | None:
    """Micrometres in a unit of length; None for units that are none."""
    return None if unit is None else UM_IN.get(unit.strip().lower())


def plausible(rows_um: float, cols_um: float) -> tuple[float, float] | None:
    """Return the pair (rows, cols) in µm/px if both are sizes that a microscope may have, else None."""
    sizes = (rows_um, cols_um)
    if all(math.isfinite(size) and MIN_UM_PER_PX <= size <= MAX_UM_PER_PX for size in sizes):
        return sizes
    return None


def check_given(um_per_px: float | None, option: str) -> float | None:
    """Return what the user gave, if it can be a pixel size.

    Raises
    ------
    UsageError
        Outside 0.02 to 100 µm.
    """
    if um_per_px is None or plausible(um_per_px, um_per_px):
        return um_per_px
    raise UsageError(
        f"{option} {um_per_px:g} is no pixel size of a slide: give {MIN_UM_PER_PX:g} to "
        f"{MAX_UM_PER_PX:g} um, e.g. 0.25 for a 40x scan"
    )


def from_resolution_tags(rows: float, cols: float, unit: int) -> tuple[float, float] | None:
    """Pixel size from TIFF's resolution tags, unless they are what desktop programs write by default.

    Parameters
    ----------
    rows, cols : float
        YResolution and XResolution, in pixels per unit.
    unit : int
        ResolutionUnit: 2 inch, 3 centimetre; others say nothing about size.

    Returns
    -------
    tuple of float or None
        (rows, cols) in µm/px; None for 72, 96, 300 dpi and the like, or outside 0.02 to 100 µm.
    """
    unit_um = {2: UM_PER_INCH, 3: UM_PER_CM}.get(unit)
    if unit_um is None or not (rows > 0 and cols > 0):
        return None
    dpi = cols * UM_PER_INCH / unit_um
    if any(abs(dpi - default) <= 0.002 * default for default in DESKTOP_DPI):
        return None
    return plausible(unit_um / rows, unit_um / cols)


def from_ome_pixels(pixels: Mapping[str, object]) -> tuple[float, float] | None:
    """Pixel size from the attributes of an OME ``Pixels`` element; the default unit is µm.

    Parameters
    ----------
    pixels : mapping
        ``PhysicalSizeX``, ``PhysicalSizeY`` and their ``...Unit``; one size stands for both.
    """
    sizes = {axis: _ome_size(pixels, axis) for axis in "XY"}
    rows, cols = sizes["Y"] or sizes["X"], sizes["X"] or sizes["Y"]
    return None if rows is None or cols is None else plausible(rows, cols)


def _ome_size(pixels: Mapping[str, object], axis: str) -> float | None:
    unit_um = um_in(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
    try:
        size = float(str(pixels[f"PhysicalSize{axis}"]))
    except (KeyError, ValueError):
        return None
    return None if unit_um is None else size * unit_um
