"""Waiting for a real window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 60.0


def wait(done: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    from napari_her2._napari.worker import wait_until

    assert wait_until(done, SECONDS)


def open_in(panel: Any, *paths: Path) -> None:
    """Open and wait until all of it is on the screen."""
    from napari_her2._napari.worker import refresher

    panel.controller.open(paths)
    wait(lambda: not panel.session.busy)
    wait(lambda: refresher().idle)
