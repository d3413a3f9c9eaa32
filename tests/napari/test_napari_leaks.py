"""Many windows, opened and closed: no thread, no open file, no viewer stays behind.

That no viewer does is looked at by napari's own fixture when the test ends.
"""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.napari.windows import open_in, wait
from tests.open_files import listed, open_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.window

DOCKS = ("Review queue", "HER2 worklist", "HER2 help", "Navigator", "Correct masks")
WINDOWS = 3


def our_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("her2")}


@listed
def test_many_windows_leave_no_threads_files_or_viewers(
    make_napari_viewer: Callable[..., Any], case: Path
) -> None:
    from napari_her2._napari.widgets.arrange import open_dock

    held: list[int] = []
    threads: list[set[str]] = []
    for _ in range(WINDOWS):
        viewer = make_napari_viewer(show=True)
        panel = open_dock(viewer, "HER2 case")
        open_in(panel, case)
        for name in DOCKS:
            made = open_dock(viewer, name)
        made.start.start_button.click()
        wait(lambda made=made: made.state.active)
        assert open_files(case.parent.parent), "slides are open while they are shown"
        viewer.close()
        del viewer, panel, made
        wait(lambda: gc.collect() >= 0 and not open_files(case))
        held.append(len(open_files(case.parent.parent)))
        threads.append(our_threads())
    assert held[-1] <= held[0], "files of the slides are closed with their window"
    assert threads[-1] <= threads[0], "no window leaves a thread of its own"
