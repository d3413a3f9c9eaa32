"""Napari on a finished case, for ``napari-her2 demo``: the real window, or a picture of it.

Also a program: ``python -m napari_her2._napari.demo_view CASE [--screenshot FILE.png]``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "show_case"]

SIZE_PX = (1600, 1000)
PATIENCE_SECONDS = 120.0
SETTLE_SECONDS = 0.8
"""After the last tile: docks and the canvas come to rest."""


def show_case(
    case_dir: Path,
    screenshot: Path | None = None,
    *,
    size: tuple[int, int] = SIZE_PX,
    theme: str | None = None,
) -> None:
    """Open napari on a case, with the panel "HER2 case".

    Parameters
    ----------
    case_dir : Path
        Folder of a finished case; its slides are found beside it or where they were when it was scored.
    screenshot : Path, optional
        Write a picture of the whole window there and return; without it the window stays until it is closed.
    size : (width, height)
        Of the window in pixels.
    theme : str, optional
        Name of a napari theme; without it the user's.

    Raises
    ------
    CaseError
        If the folder is no finished case.
    """
    import napari

    viewer = napari.Viewer(title="napari-her2", show=True)
    try:
        if theme is not None:
            viewer.theme = theme
        panel = open_panel(viewer, size)
        show_in(panel, Path(case_dir))
        if screenshot is None:
            napari.run()
        else:
            take(viewer, Path(screenshot))
    finally:
        if screenshot is not None:
            viewer.close()


def open_panel(viewer: Any, size: tuple[int, int]) -> Any:
    """Open the panel in a window of that size, as large as the screen allows."""
    _, panel = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    viewer.window.resize(*size)
    return panel


def show_in(panel: Any, case_dir: Path) -> None:
    """Open a case in the panel and wait until all of it is on the screen."""
    panel.controller.open_case(case_dir)
    wait_for(panel)
    if panel.session.result is None:
        message = panel.session.message
        raise CaseError(message.text if message else f"{case_dir.name} could not be opened")
    panel.controller.canvas.look_at("he", "ihc")
    settle()


def wait_for(panel: Any) -> None:
    """Wait until the panel has done what it was asked for."""
    from napari_her2._napari.worker import wait_until

    wait_until(lambda: not panel.session.busy, PATIENCE_SECONDS)


def settle() -> None:
    """Wait until every tile in view is on the screen and the window is at rest."""
    from napari_her2._napari.worker import refresher, wait_until

    window = refresher()
    wait_until(lambda: False, SETTLE_SECONDS)
    wait_until(lambda: window is None or window.idle, PATIENCE_SECONDS)
    wait_until(lambda: False, SETTLE_SECONDS)


def take(viewer: Any, target: Path) -> None:
    """Write a picture of the whole window."""
    target.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(target), canvas_only=False, flash=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Open napari on a finished case.")
    parser.add_argument("case", type=Path)
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png")
    options = parser.parse_args(arguments)
    show_case(options.case, options.screenshot)


if __name__ == "__main__":
    main()
