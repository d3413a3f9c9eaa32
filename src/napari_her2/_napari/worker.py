"""The border between background threads and the window; beside ``widgets`` the only place with Qt.

Two traps of the generator worker under napari's are avoided here: its ``quit()`` abandons a generator
without closing it, and it takes a ``RuntimeError`` (which torch raises for most failures) for a
deleted Qt object and says nothing at all. :class:`StepsWorker` closes the generator on its own thread
and turns a ``RuntimeError`` into an error of this package.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication
from superqt.utils import WorkerBase
from superqt.utils._qthreading import GeneratorWorkerSignals

from napari_her2._napari.layers import pyramid_of
from napari_her2.errors import InferenceError
from napari_her2.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._napari.pyramid import TilePyramid
    from napari_her2._napari.tiles import TileKey, TileLoader
    from napari_her2.events import Steps

__all__ = [
    "StepsWorker",
    "TileRefresher",
    "open_panel_soon",
    "pyramid_of",
    "refresher",
    "run_in_window",
    "wait_until",
    "window_open",
]

NAME = "napari-her2-tiles"

REFRESH_MS = 60
"""Least time between two refreshes for tiles that arrived: each uploads the whole view."""

TELL_SECONDS = 0.05
"""Least time between two progress events that reach the window."""

EXIT_MS = 15000

NICE = 10
"""Of background work: about a tenth of a core where the window wants all of it, all of it where not."""

PATIENCE = 100
"""How many refreshes a pyramid may wait for its layer to appear in a viewer."""


class StepsWorker(WorkerBase[Any]):
    """Run a generator of events on a background thread.

    Signals: ``yielded`` (event), ``returned`` (result), ``errored`` (exception), ``finished`` (always).

    Parameters
    ----------
    make : callable
        Makes the generator; called on the background thread.
    """

    def __init__(self, make: Callable[[], Steps[Any]]) -> None:
        super().__init__(SignalsClass=GeneratorWorkerSignals)
        self._make = make
        self.ended = Event()
        _await_at_exit()

    def work(self) -> Any:
        """Drive the generator until it returns or :meth:`quit` was called, then close it."""
        try:
            return self._drive()
        finally:
            self.ended.set()

    def _drive(self) -> Any:
        spare_llvm()
        step_back()
        steps = self._make()
        try:
            while not self.abort_requested:
                self._tell(next(steps))
        except StopIteration as stop:
            return stop.value
        except RuntimeError as error:
            raise InferenceError(
                f"the run stopped inside a library ({error}); run it again to resume"
            ) from error
        finally:
            steps.close()
        return None

    _told = 0.0

    def _tell(self, event: object) -> None:
        now = time.monotonic()
        if isinstance(event, Progress) and event.done < event.total and now - self._told < TELL_SECONDS:
            return
        self._told = now
        self.signals.yielded.emit(event)


def step_back() -> None:
    """Let the window's threads go before this one, and those that it starts.

    Drawing in software takes as many threads as there are cores, so that a core left free is not enough.
    Only Linux counts this by thread; other systems weigh their threads themselves.
    """
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, max(os.getpriority(os.PRIO_PROCESS, own), NICE))


def spare_llvm(maps: Path = Path("/proc/self/maps")) -> bool:
    """Keep torch from loading triton where the window is drawn in software; return whether it is kept.

    Mesa's software OpenGL and triton bring an LLVM each; the second one that is loaded crashes the process.
    Without a graphics card that computes triton is of no use here.
    """
    try:
        software = "libLLVM" in maps.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if software and "triton" not in sys.modules:
        sys.modules["triton"] = None  # type: ignore[assignment]
    return software


@lru_cache(maxsize=1)
def _await_at_exit() -> None:
    """See that no worker runs while the interpreter ends: Qt would abort the process."""

    def stop() -> None:
        with suppress(RuntimeError):  # not done in time
            WorkerBase.await_workers(EXIT_MS)

    atexit.register(stop)


class TileRefresher(QObject):
    """Refreshes napari's layers, on the window's thread, when tiles have arrived.

    One per application (:func:`refresher`); owns the loader that all its layers share.
    """

    _arrived = Signal(object, object)
    failed = Signal(object, object)
    """(pyramid, error): a tile could not be read."""

    def __init__(self, loader: TileLoader, parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName(NAME)
        self.loader = loader
        self._dirty: dict[int, _Dirty] = {}
        self._on_the_way = 0
        self._lock = threading.Lock()
        self._viewers: list[Any] = []
        self._kept: list[Any] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self._refresh)
        self._arrived.connect(self._mark)
        loader.arrived.connect(self._on_arrived)
        loader.failed.connect(self._on_failed)

    @property
    def idle(self) -> bool:
        """Whether every tile that was asked for is on the screen."""
        return self.loader.idle and not self._on_the_way and not self._dirty

    def _on_arrived(self, pyramid: TilePyramid, key: TileKey) -> None:
        """Tell the window; runs on a reading thread."""
        with self._lock:
            self._on_the_way += 1
        self._arrived.emit(pyramid, key)

    def _on_failed(self, pyramid: TilePyramid, error: BaseException) -> None:
        """Tell the window; runs on a reading thread."""
        self.failed.emit(pyramid, error)

    def _mark(self, pyramid: TilePyramid, key: TileKey) -> None:
        with self._lock:
            self._on_the_way -= 1
        overview = key.level == pyramid.last_level
        before = self._dirty.get(id(pyramid))
        self._dirty[id(pyramid)] = _Dirty(pyramid, overview or (before is not None and before.overview))
        if not self._timer.isActive():
            self._timer.start()

    def _refresh(self) -> None:
        dirty, self._dirty = self._dirty, {}
        self._find_viewers()
        for at, mark in dirty.items():
            if mark.pyramid.closed:
                continue
            layers = self._layers_of(mark.pyramid)
            for layer in layers:
                layer.refresh(extent=False, highlight=False, thumbnail=mark.overview)
            if not layers and mark.tries < PATIENCE:
                self._dirty.setdefault(at, replace(mark, tries=mark.tries + 1))
        if self._dirty and not self._timer.isActive():
            self._timer.start()

    def _layers_of(self, pyramid: TilePyramid) -> list[Any]:
        layers = (layer for viewer in (*self._viewers, *self._kept) for layer in viewer.layers)
        return [layer for layer in layers if pyramid_of(layer) is pyramid]

    def follow(self, viewer: Any) -> None:
        """Keep a further viewer's layers fresh until :meth:`unfollow`."""
        self._kept.append(viewer)

    def unfollow(self, viewer: Any) -> None:
        """Leave a viewer alone."""
        self._kept = [kept for kept in self._kept if kept is not viewer]

    def _find_viewers(self) -> None:
        """Start to follow the viewer that shows the layers."""
        from napari import current_viewer

        viewer = current_viewer()
        if viewer is None or any(viewer is known for known in self._viewers):
            return
        if any(pyramid_of(layer) is not None for layer in viewer.layers):
            self._viewers.append(viewer)
            viewer.layers.events.removed.connect(self._on_removed)

    def _on_removed(self, event: Any) -> None:
        """Close a pyramid whose last layer has left, and leave a viewer that shows none."""
        pyramid = pyramid_of(event.value)
        if pyramid is not None and not self._layers_of(pyramid):
            pyramid.close()
        for viewer in list(self._viewers):
            if not any(pyramid_of(layer) is not None for layer in viewer.layers):
                viewer.layers.events.removed.disconnect(self._on_removed)
                self._viewers.remove(viewer)


@dataclass(frozen=True, slots=True, eq=False)
class _Dirty:
    """Tiles of a pyramid have arrived that are not on the screen yet."""

    pyramid: TilePyramid
    overview: bool
    tries: int = 0


def refresher() -> TileRefresher | None:
    """Return the refresher of this application; None where no window can be open.

    Call it on the window's thread.
    """
    from napari_her2._napari.preferences import preferences
    from napari_her2._napari.tiles import TileCache, TileLoader

    app = QApplication.instance()
    if app is None:
        return None
    found = app.findChild(TileRefresher, NAME)
    if found is None:
        loader = TileLoader(TileCache(preferences().tile_cache_mib << 20))
        found = TileRefresher(loader, app)
    return found


def window_open() -> bool:
    """Whether a napari window is open, so that long work must not block it."""
    from napari import current_viewer

    return QApplication.instance() is not None and current_viewer() is not None


def open_panel_soon() -> None:
    """Open the panel "HER2 case" once the layers of a case are in the viewer."""
    if window_open():
        QTimer.singleShot(0, _open_panel)


def _open_panel() -> None:
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None and any("napari_her2" in layer.metadata for layer in viewer.layers):
        viewer.window.add_plugin_dock_widget("napari-her2", "HER2 case")


def run_in_window(make: Callable[[], Steps[Any]], title: str, most_seconds: float) -> Any:
    """Run a generator of events in the background, keep the window alive meanwhile, return the result.

    Progress shows in napari's activity dock.

    Raises
    ------
    BaseException
        What the generator raised.
    """
    from napari.utils import progress

    outcome: dict[str, Any] = {}
    with progress(total=0, desc=title) as bar:
        worker = StepsWorker(make)
        worker.yielded.connect(lambda event: bar.set_description(f"{title}: {getattr(event, 'stage', '')}"))
        worker.returned.connect(lambda result: outcome.update(result=result))
        worker.errored.connect(lambda error: outcome.update(error=error))
        worker.finished.connect(lambda: outcome.update(ended=True))
        worker.start()
        if not wait_until(lambda: "ended" in outcome, most_seconds):
            worker.quit()
            raise InferenceError(f"{title} took longer than {most_seconds:.0f} s: try again")
    if "error" in outcome:
        raise outcome["error"]
    return outcome.get("result")


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Keep the window alive until ``done()`` or the time is up; return whether it was done."""
    end = time.monotonic() + seconds
    while not (finished := done()) and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    return finished
