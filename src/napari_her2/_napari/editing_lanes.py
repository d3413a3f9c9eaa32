"""Two lanes of background work for the editor: one that writes, in order, and one that looks at pixels."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lane", "Lanes", "ThreadLanes"]

T = TypeVar("T")

Lane = Literal["write", "look"]


class Lanes(Protocol):
    """Runs work off the window's thread; the callbacks come on the window's thread."""

    def submit(
        self,
        lane: Lane,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Run ``work``, after all that was submitted to the lane before."""

    def close(self) -> None:
        """Finish what was submitted to ``write``, and drop the rest."""


class ThreadLanes:
    """Lanes with a thread each.

    Parameters
    ----------
    to_window : callable
        Takes a function and calls it on the window's thread, soon.
    """

    def __init__(self, to_window: Callable[[Callable[[], None]], None]) -> None:
        self._to_window = to_window
        self._threads: dict[str, ThreadPoolExecutor] = {
            lane: ThreadPoolExecutor(1, thread_name_prefix=f"her2-edit-{lane}") for lane in ("write", "look")
        }

    def submit(
        self,
        lane: Lane,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Run ``work`` on the lane's thread."""
        running = self._threads[lane].submit(work)
        running.add_done_callback(partial(self._settle, done, failed))

    def _settle(
        self, done: Callable[[T], None], failed: Callable[[BaseException], None], ran: Future[T]
    ) -> None:
        if ran.cancelled():
            return
        wrong = ran.exception()
        self._to_window(partial(done, ran.result()) if wrong is None else partial(failed, wrong))

    def close(self) -> None:
        """Wait for the strokes that are on their way to the disk."""
        self._threads["look"].shutdown(wait=False, cancel_futures=True)
        self._threads["write"].shutdown(wait=True)
