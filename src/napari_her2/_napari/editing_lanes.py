"""Two lanes of background work for the editor: one that writes, in order, and one that looks at pixels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

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
        self._threads[lane].submit(self._run, work, done, failed)

    def _run(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[BaseException], None]
    ) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 whatever it was, the person hears of it
            wrong = error
            self._to_window(lambda: failed(wrong))
        else:
            self._to_window(lambda: done(result))

    def close(self) -> None:
        """Wait for the strokes that are on their way to the disk."""
        self._threads["look"].shutdown(wait=False, cancel_futures=True)
        self._threads["write"].shutdown(wait=True)
