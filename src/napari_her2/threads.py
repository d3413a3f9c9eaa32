"""Work of one kind on several threads, with its results in order."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["allowed_cores", "cores", "in_order"]

T = TypeVar("T")
R = TypeVar("R")


def allowed_cores() -> int:
    """Cores of the machine that the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS, by which others are left room, is respected."""
    wish = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(allowed_cores(), int(wish)) if wish.isdecimal() and int(wish) else allowed_cores()


def in_order(work: Callable[[T], R], items: Sequence[T], threads: int | None = None) -> Iterator[R]:
    """Do the work on each item, a few ahead of the caller; what was not begun when it stops is left.

    Parameters
    ----------
    work : callable
        Called on several threads at once.
    items : sequence
    threads : int, optional
        As many as :func:`cores` where None; never more than there are items. With one, the caller works.

    Yields
    ------
    object
        What ``work`` returned, in the order of ``items``.
    """
    most = max(1, min(threads or cores(), len(items)))
    if most == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(most) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
