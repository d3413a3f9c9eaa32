"""Commands of the palette: they act on the open panel "HER2 case", and open it where it is not."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

__all__ = [
    "KEYLESS",
    "accept_field",
    "align",
    "cancel",
    "clear_tumour",
    "confirm_tumour",
    "count_in_circle",
    "draw_on_either",
    "draw_tumour",
    "exclude_field",
    "faintest_cells",
    "magnify_1",
    "magnify_2",
    "magnify_3",
    "magnify_4",
    "magnify_5",
    "next_case",
    "next_field",
    "one_stain",
    "overlay",
    "previous_case",
    "previous_field",
    "ruler",
    "run",
    "set_pairs",
    "show_help",
    "swap",
    "toggle_overlays",
    "toggle_stain",
    "turn_both",
    "turn_he",
]

PLUGIN, PANEL = "napari-her2", "HER2 case"

KEYLESS = (
    "align", "confirm_tumour", "draw_tumour", "clear_tumour", "swap", "overlay", "cancel", "mark_reviewed",
    "case_panel", "worklist", "linked_view", "parts", "heat_map", "stain_classes", "maskformer",
    "review_queue", "navigator", "correct_masks",
)  # fmt: skip
"""Commands for people that have no key; the help pane lists them by the manifest's titles."""


def _dock(name: str) -> Any:
    """Return the widget of a dock of the current viewer, opened where it is not; None without a viewer."""
    from napari import current_viewer
    from napari_her2._napari.widgets.arrange import open_dock

    viewer: Any = current_viewer()
    return None if viewer is None else open_dock(viewer, name)


def run() -> None:
    """Score the open case."""
    _on(PANEL, "controller.run")


def cancel() -> None:
    """Stop what runs."""
    _on(PANEL, "controller.cancel")


def toggle_overlays() -> None:
    """Hide the overlays, or show them again."""
    _on(PANEL, "controller.toggle_overlays")


def toggle_stain() -> None:
    """Show the H&E in the place of the IHC, and back."""
    _on(PANEL, "controller.toggle_stain")


def draw_tumour() -> None:
    """Let the person draw the tumour area."""
    _on(PANEL, "controller.tumour.draw")


def align() -> None:
    """Bring the slides together and propose the tumour area."""
    _on(PANEL, "controller.align")


def confirm_tumour() -> None:
    """Take the proposed tumour area as it is."""
    _on(PANEL, "controller.confirm_tumour")


def clear_tumour() -> None:
    """Take back what was drawn or confirmed."""
    _on(PANEL, "controller.tumour.clear")


def swap() -> None:
    """Exchange H&E and IHC."""
    _on(PANEL, "controller.swap")


def overlay() -> None:
    """Lay the H&E over the IHC, or beside it again."""
    panel = _dock(PANEL)
    if panel is not None:
        panel.controller.arrange("side" if panel.session.arrangement == "over" else "over")


def one_stain() -> None:
    """Show the IHC, its haematoxylin alone, its DAB alone."""
    _on(PANEL, "studio.hud.stain.cycle", None)


def _magnify(number: int) -> None:
    from napari_her2._napari.viewing import MAGNIFICATIONS

    _on(PANEL, "studio.hud.magnify", MAGNIFICATIONS[number - 1])


def magnify_1() -> None:
    """Look at the least magnification of the table."""
    _magnify(1)


def magnify_2() -> None:
    """Look at the second."""
    _magnify(2)


def magnify_3() -> None:
    """Look at the third."""
    _magnify(3)


def magnify_4() -> None:
    """Look at the fourth."""
    _magnify(4)


def magnify_5() -> None:
    """Look at the highest."""
    _magnify(5)


def turn_both() -> None:
    """Turn both slides of the linked view by 90°."""
    _on(LINKED, "turn", None)


def turn_he() -> None:
    """Turn the H&E of the linked view by 90°."""
    _on(LINKED, "turn", "he")


def set_pairs() -> None:
    """Set and move pairs of places, and back."""
    _on(LINKED, "switch_pairs")


def draw_on_either() -> None:
    """Draw the tumour area on either slide of the linked view, and back."""
    _on(LINKED, "switch_drawing")


def ruler() -> None:
    """Measure with the mouse, and back."""
    _on(PANEL, "studio.hud.switch_ruler")


def count_in_circle() -> None:
    """Count cells in a circle under the cursor, or in the view."""
    _on(PANEL, "studio.hud.switch_circle")


def next_field() -> None:
    """Go to the next field of the review."""
    _on(REVIEW, "control.step", 1)


def previous_field() -> None:
    """Go to the previous field of the review."""
    _on(REVIEW, "control.step", -1)


def accept_field() -> None:
    """Say that what is measured in the field is right."""
    _on(REVIEW, "control.judge", "accepted")


def exclude_field() -> None:
    """Leave the cells of the field out."""
    _on(REVIEW, "control.judge", "excluded")


def faintest_cells() -> None:
    """Go to the next of the faintest stained cells."""
    _on(REVIEW, "control.next_faint")


def next_case() -> None:
    """Open the next case of the worklist."""
    _on(WORKLIST, "step", 1)


def previous_case() -> None:
    """Open the previous case of the worklist."""
    _on(WORKLIST, "step", -1)


def show_help() -> None:
    """Show all keys and actions."""
    _dock(HELP)


def _on(name: str, act: str, *what: Any) -> None:
    """Let a dock, or a part of it by its dotted name, do something; the dock is opened if needed."""
    dock = _dock(name)
    if dock is not None:
        attrgetter(act)(dock)(*what)


LINKED, REVIEW, WORKLIST, HELP = "Linked H&E ↔ IHC view", "Review queue", "HER2 worklist", "HER2 help"
