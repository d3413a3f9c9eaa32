"""Slides and cases for the window's tests; tests marked ``window`` need a display."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.napari import handmade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip real windows where there is no display, with the way to get one."""
    no_display = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    offscreen = os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal")
    if no_display or offscreen:
        skip = pytest.mark.skip(reason="needs a display: run under xvfb-run, not QT_QPA_PLATFORM=offscreen")
        for item in items:
            if item.get_closest_marker("window"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """H&E and IHC slide."""
    folder = tmp_path_factory.mktemp("pair")
    he = handmade.write_slide(folder / "block_he.tif", handmade.picture("he"))
    ihc = handmade.write_slide(folder / "block_ihc.tif", handmade.picture("ihc", seed=2))
    return he, ihc


@pytest.fixture(scope="session")
def without_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IHC slide that states no pixel size."""
    folder = tmp_path_factory.mktemp("nosize")
    return handmade.write_slide(folder / "nosize_ihc.tif", handmade.picture("ihc", seed=4), None)


@pytest.fixture
def case(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """A finished case of the pair."""
    return handmade.write_case(tmp_path / "case", *pair)


class InlineJobs:
    """Runs background work step by step on this thread, so that a test can stop between any two steps."""

    def __init__(self) -> None:
        self.steps: Any = None

    def start(self, make: Any, *, event: Any, result: Any, error: Any, end: Any) -> InlineJobs:
        """Begin; nothing happens before :meth:`step`."""
        self.steps, self.event, self.result, self.error, self.end = make(), event, result, error, end
        self.stopped = False
        return self

    def quit(self) -> None:
        """Ask to stop at the next step."""
        self.stopped = True

    def step(self) -> bool:
        """Do one step; return whether there is more."""
        if self.stopped:
            self.steps.close()
            self.end()
            return False
        try:
            self.event(next(self.steps))
        except StopIteration as stop:
            self.result(stop.value)
        except Exception as wrong:  # noqa: BLE001 the real jobs report any error as well
            self.error(wrong)
        else:
            return True
        self.end()
        return False

    def finish(self) -> None:
        """Do all steps."""
        while self.step():
            pass


@pytest.fixture
def jobs() -> InlineJobs:
    """Background work under the test's control."""
    return InlineJobs()


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """A real window."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def panel(viewer: Any) -> Iterator[Any]:
    """The panel in its dock."""
    dock, made = viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")
    yield made
    if made._open:
        viewer.window.remove_dock_widget(dock)
