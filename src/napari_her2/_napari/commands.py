"""Commands of the palette: they act on the open panel "HER2 case", and open it where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_her2._napari.controller import ScoreController

__all__ = ["cancel", "draw_tumour", "run", "toggle_overlays", "toggle_stain"]

PLUGIN, PANEL = "napari-her2", "HER2 case"


def _controller() -> ScoreController | None:
    """Return the controller of the panel in the current viewer; the panel is opened if needed."""
    from napari import current_viewer

    viewer: Any = current_viewer()
    if viewer is None:
        return None
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, PANEL)
    return panel.controller


def run() -> None:
    """Score the open case."""
    if (control := _controller()) is not None:
        control.run()


def cancel() -> None:
    """Stop what runs."""
    if (control := _controller()) is not None:
        control.cancel()


def toggle_overlays() -> None:
    """Hide the overlays, or show them again."""
    if (control := _controller()) is not None:
        control.toggle_overlays()


def toggle_stain() -> None:
    """Show the H&E in the place of the IHC, and back."""
    if (control := _controller()) is not None:
        control.toggle_stain()


def draw_tumour() -> None:
    """Let the person draw the tumour area."""
    if (control := _controller()) is not None:
        control.tumour.draw()
