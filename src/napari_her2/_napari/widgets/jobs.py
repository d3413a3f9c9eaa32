"""Background work of the panel, on the workers of napari."""

from __future__ import annotations

from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_her2._napari.worker import StepsWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2.events import Steps

__all__ = ["QtJobs"]


class QtJobs:
    """Starts generators of events on background threads; callbacks come on the window's thread."""

    def __init__(self) -> None:
        self._running: set[StepsWorker] = set()
        self._last_ended: Event | None = None

    def start(
        self,
        make: Callable[[], Steps[Any]],
        *,
        event: Callable[[Any], None],
        result: Callable[[Any], None],
        error: Callable[[BaseException], None],
        end: Callable[[], None],
    ) -> StepsWorker:
        """Run a generator, after the one before has ended; ``end`` always comes last."""
        worker = StepsWorker(partial(_after, self._last_ended, make))
        self._last_ended = worker.ended
        self._running.add(worker)
        # PySide holds a bound method without its object: whoever waits for an answer must outlive the worker.
        worker.yielded.connect(partial(event))
        worker.returned.connect(partial(result))
        worker.errored.connect(partial(error))
        worker.finished.connect(partial(end))
        worker.finished.connect(partial(self._forget, ref(worker)))
        worker.start()
        return worker

    def _forget(self, ended: ref[StepsWorker]) -> None:
        """Let a worker go; its own signal must not hold it, for PySide hides such rings from Python."""
        worker = ended()
        if worker is not None:
            self._running.discard(worker)


def _after(ended: Event | None, make: Callable[[], Steps[Any]]) -> Steps[Any]:
    """Make the generator once the worker before has left its last step."""
    if ended is not None:
        ended.wait()
    return make()
