"""The one table of keyboard shortcuts: docks bind from it, the help pane is made of it. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_her2._napari.editing_state import TOOLS
from napari_her2._napari.viewing import MAGNIFICATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PLACES", "SHORTCUTS", "Shortcut", "key_of", "keys_in", "spoken", "with_key"]

WINDOW, LINKED, REVIEW, WORKLIST, PAINT = "window", "linked", "review", "worklist", "paint"
PLACES: Final[dict[str, str]] = {
    WINDOW: "Everywhere",
    LINKED: "Linked view",
    REVIEW: "Review queue",
    WORKLIST: "Worklist",
    PAINT: "Correct masks (edit window)",
}
"""Where a shortcut acts: while that dock is open."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One key.

    Attributes
    ----------
    place : str
        One of ``PLACES``.
    act : str
        What it does, for programs; unique in its place.
    key : str
        As napari binds it.
    title : str
        What it does, for people.
    """

    place: str
    act: str
    key: str
    title: str


SHORTCUTS: Final[tuple[Shortcut, ...]] = (
    Shortcut(WINDOW, "score", "Control-Alt-R", "Score the open case"),
    Shortcut(WINDOW, "overlays", "Control-Alt-O", "Overlays off and on"),
    Shortcut(WINDOW, "stain", "Control-Alt-S", "H&E in the place of the IHC, and back"),
    Shortcut(WINDOW, "peek", "Q", "Held: the slide without overlays"),
    *(
        Shortcut(WINDOW, f"magnify_{number}", f"Control-Alt-{number}", f"Look at {power:g} times")
        for number, power in enumerate(MAGNIFICATIONS, start=1)
    ),
    Shortcut(WINDOW, "one_stain", "Control-Alt-D", "IHC, its haematoxylin alone, its DAB alone"),
    Shortcut(WINDOW, "ruler", "Control-Alt-M", "Ruler: press and drag to measure, and back"),
    Shortcut(WINDOW, "circle", "Control-Alt-C", "Count cells in a circle under the cursor, or in the view"),
    Shortcut(WINDOW, "correct", "Control-Alt-E", "Correct masks, areas and cells"),
    Shortcut(WINDOW, "help", "Control-Alt-/", "This list"),
    Shortcut(LINKED, "turn_both", "Control-Alt-T", "Turn both slides by 90°"),
    Shortcut(LINKED, "turn_he", "Control-Alt-H", "Turn the H&E alone by 90°"),
    Shortcut(LINKED, "pairs", "Control-Alt-L", "Set and move pairs of places, and back"),
    Shortcut(LINKED, "draw", "Control-Alt-W", "Draw the tumour area on either slide, and back"),
    Shortcut(LINKED, "undo", "Control-Alt-Z", "Take back the last change of the pairs"),
    Shortcut(LINKED, "redo", "Control-Alt-Y", "Do it again"),
    Shortcut(REVIEW, "next", "Control-Alt-N", "Next field"),
    Shortcut(REVIEW, "previous", "Control-Alt-P", "Previous field"),
    Shortcut(REVIEW, "accept", "Control-Alt-A", "Accept the field"),
    Shortcut(REVIEW, "exclude", "Control-Alt-X", "Exclude the field"),
    Shortcut(REVIEW, "faintest", "Control-Alt-F", "Next of the faintest stained cells, at 40 times"),
    Shortcut(WORKLIST, "next", "Control-Alt-Right", "Next case"),
    Shortcut(WORKLIST, "previous", "Control-Alt-Left", "Previous case"),
    *(Shortcut(PAINT, f"class_{n}", str(n), f"Class {n} of the list") for n in range(1, 10)),
    *(Shortcut(PAINT, tool.name, tool.key, f"{tool.title}: {tool.tip}") for tool in TOOLS.values()),
    Shortcut(PAINT, "undo", "Control-Z", "Undo, without limit"),
    Shortcut(PAINT, "redo", "Control-Shift-Z", "Redo"),
    Shortcut(PAINT, "next_place", "N", "Next uncertain place"),
    Shortcut(PAINT, "previous_place", "Shift-N", "Previous uncertain place"),
    Shortcut(PAINT, "peek", "V", "Held: peek under the mask"),
)


def keys_in(place: str) -> dict[str, str]:
    """Return the keys of a place by what they do."""
    return {one.act: one.key for one in SHORTCUTS if one.place == place}


def key_of(place: str, act: str) -> str:
    """Return the key of one act; ``KeyError`` if it has none."""
    return keys_in(place)[act]


def spoken(key: str, *, mac: bool = False) -> str:
    """Return a key as people write it: ``Ctrl+Alt+R``, on a Mac ``⌘⌥R``."""
    parts: Iterable[str] = key.split("-") if not key.endswith("--") else [*key[:-2].split("-"), "-"]
    names = {"Control": "⌘", "Alt": "⌥", "Shift": "⇧"} if mac else {"Control": "Ctrl"}
    return ("" if mac else "+").join(names.get(part, part) for part in parts)


def with_key(place: str, act: str) -> str:
    """Return what an act does, with its key: a tooltip."""
    one = next(one for one in SHORTCUTS if (one.place, one.act) == (place, act))
    return f"{one.title} ({spoken(one.key)})"
