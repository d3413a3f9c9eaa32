"""Commands of the palette for the dock "Correct masks": they open it where it is not."""

from __future__ import annotations

from typing import Any

__all__ = ["correct_masks", "mark_reviewed", "next_uncertain"]

PLUGIN, DOCK = "napari-her2", "Correct masks"


def _suite() -> Any:
    """Return what the dock of the current viewer does; None where no viewer is open."""
    from napari import current_viewer

    viewer: Any = current_viewer()
    if viewer is None:
        return None
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    return dock.suite


def correct_masks() -> None:
    """Open the dock."""
    _suite()


def next_uncertain() -> None:
    """Go to the next place at which the models were not sure."""
    suite = _suite()
    if suite is not None:
        suite.places.next()


def mark_reviewed() -> None:
    """Let the person draw a box around what has been reviewed."""
    suite = _suite()
    if suite is not None:
        suite.mark_reviewed("rectangle")
