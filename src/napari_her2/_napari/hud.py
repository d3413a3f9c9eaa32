"""What is written over the canvas: magnification, legend, the cells in view by class; numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2._napari.viewing import magnification
from napari_her2.vocabulary import CELL_CLASSES, COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DOT", "counted_words", "fitted", "legend_for", "magnification_words"]

DOT: Final = " \u00b7 "
"""Between the facts of a line."""
TIMES: Final = "\u00d7"
STRONGEST_FIRST: Final = (3, 2, 4, 1, 0)
CLASS_KEYS: Final = ("cells", "density", "her2", "pixels", "part_L", "part_M", "part_cells")
OTHERS: Final = {
    "outline": (COLOURS["tumour"], "tumour area"),
    "heat": (COLOURS["tumour"], "tumour probability"),
    "part_C": (COLOURS["tumour"], "tumour probability (C)"),
    "disagreement": ("#E7298A", "scorers differ"),
    "error": ("#FDE737", "alignment error ≥ 100 µm"),
    "veil": ("#808080", "not on both slides"),
}


def magnification_words(zoom: float) -> str:
    """Return the magnification that a zoom (screen pixels per µm) amounts to, in words."""
    value = magnification(zoom)
    return f"{value:.1f}{TIMES}" if value < 9.95 else f"{value:.0f}{TIMES}"


def legend_for(shown: Iterable[str], counts: NDArray[np.int64] | None = None) -> tuple[tuple[str, str], ...]:
    """Return (colour, words) of what is on the canvas, by the keys of its visible layers.

    Parameters
    ----------
    shown : iterable of str
    counts : ndarray of shape (len(CELL_CLASSES),), optional
        Cells in view by class: the field counter, written beside the classes.
    """
    keys = set(shown)
    entries: list[tuple[str, str]] = []
    if keys & set(CLASS_KEYS):
        entries = [(COLOURS[CELL_CLASSES[code]], _class_words(code, counts)) for code in STRONGEST_FIRST]
    entries += [entry for key, entry in OTHERS.items() if key in keys]
    return tuple(dict.fromkeys(entries))


def _class_words(code: int, counts: NDArray[np.int64] | None) -> str:
    """Return a class with its number and share of the cells in view."""
    if counts is None or not counts.sum():
        return str(CELL_CLASSES[code])
    return f"{CELL_CLASSES[code]}   {counts[code]:,}  ({100 * counts[code] / counts.sum():.0f} %)"


def counted_words(count: int, circle_um: float) -> str:
    """Return how many cells are counted, and where."""
    where = f"in \u2300 {circle_um / 1000:.2f} mm" if circle_um > 0 else "in view"
    return f"{count:,} tumour cells {where}"


def fitted(lines: Iterable[str], width_of: Callable[[str], float], room: float) -> tuple[str, ...]:
    """Return lines of facts with dots between them, broken at the dots where there is not room enough.

    Parameters
    ----------
    lines : iterable of str
    width_of : callable
        Width of a text, in the unit of ``room``.
    room : float
    """
    found: list[str] = []
    for line in lines:
        first, *others = line.split(DOT)
        found.append(first)
        for fact in others:
            longer = found[-1] + DOT + fact
            if width_of(longer) > room:
                found.append(fact)
            else:
                found[-1] = longer
    return tuple(found)
