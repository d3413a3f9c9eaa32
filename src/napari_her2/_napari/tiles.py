"""Tiles on their way to the screen: what is decoded, what is wanted next, and the threads that read.

The window asks for what it shows and gets at once what is there; the rest is read on background
threads, coarsest level first, then from the middle of the view outwards. A new view replaces the
wishes of the old one, so nobody waits for tiles that have left the screen.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["TileCache", "TileKey", "TileLoader"]


class TileKey(NamedTuple):
    """One tile of a pyramid: level and position in the tile grid."""

    level: int
    row: int
    col: int


class Tiled(Protocol):
    """What the loader knows of a pyramid."""

    def fetch(self, key: TileKey) -> object:
        """Read one tile; slow."""

    @property
    def last_level(self) -> int:
        """Index of the coarsest level."""


class TileCache:
    """Decoded tiles of all pyramids, the least recently used dropped first.

    Parameters
    ----------
    budget_bytes : int
        Upper bound of what is held.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.held_bytes = 0
        self._tiles: OrderedDict[tuple[int, TileKey], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, owner: int, key: TileKey) -> NDArray[Any] | None:
        """Return the tile, or None where it is not held."""
        with self._lock:
            tile = self._tiles.get((owner, key))
            if tile is not None:
                self._tiles.move_to_end((owner, key))
            return tile

    def put(self, owner: int, key: TileKey, tile: NDArray[Any]) -> None:
        """Keep a tile."""
        with self._lock:
            if (owner, key) in self._tiles:
                return
            self._tiles[(owner, key)] = tile
            self.held_bytes += tile.nbytes
            while self.held_bytes > self.budget_bytes and len(self._tiles) > 1:
                _, old = self._tiles.popitem(last=False)
                self.held_bytes -= old.nbytes

    def forget(self, owner: int, key: TileKey) -> None:
        """Forget one tile, whose pixels have changed."""
        with self._lock:
            tile = self._tiles.pop((owner, key), None)
            self.held_bytes -= 0 if tile is None else tile.nbytes

    def drop(self, owner: int) -> None:
        """Forget all tiles of one pyramid."""
        with self._lock:
            for entry in [entry for entry in self._tiles if entry[0] == owner]:
                self.held_bytes -= self._tiles.pop(entry).nbytes


class _Wishes:
    """What the screen wants of one pyramid: overview tiles, and the tiles of the level in view."""

    def __init__(self) -> None:
        self.overview: deque[TileKey] = deque()
        self.view: deque[TileKey] = deque()
        self.busy: set[TileKey] = set()
        self.failed: set[TileKey] = set()

    def pop(self) -> TileKey | None:
        for queue in (self.overview, self.view):
            if queue:
                return queue.popleft()
        return None

    def __bool__(self) -> bool:
        return bool(self.overview or self.view)


class TileLoader:
    """Reads wanted tiles on background threads.

    Parameters
    ----------
    cache : TileCache
    threads : int
        How many tiles are decoded at the same time. Threads start with the first wish and end with
        the last pyramid.

    Notes
    -----
    ``arrived(pyramid, key)`` and ``failed(pyramid, error)`` are emitted on the reading threads.
    """

    arrived = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, cache: TileCache, threads: int = 2) -> None:
        self.cache = cache
        self.threads = threads
        self._wishes: WeakKeyDictionary[Any, _Wishes] = WeakKeyDictionary()
        self._turn: deque[Any] = deque()
        self._running = 0
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.RLock()

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted and nothing is being read."""
        with self._lock:
            return not self._running and not any(self._wishes.values())

    def want(self, pyramid: Tiled, keys: Iterable[TileKey], *, overview: bool) -> None:
        """Replace the wishes for the level in view (or for the overview); most urgent first."""
        with self._lock:
            wishes = self._wishes.setdefault(pyramid, _Wishes())
            skip = wishes.busy | wishes.failed
            queue = deque(key for key in keys if key not in skip)
            if overview:
                wishes.overview = queue
            else:
                wishes.view = queue
            self._pump()

    def forget(self, pyramid: Tiled) -> None:
        """Drop the wishes of a pyramid; the threads end with the last one."""
        with self._lock:
            self._wishes.pop(pyramid, None)
            if not self._wishes and self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None
                self._running = 0

    def _pump(self) -> None:
        """Hand work to free threads; the lock is held."""
        while self._running < self.threads and (job := self._next()) is not None:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="her2-tiles")
            pyramid, key = job
            self._running += 1
            future = self._pool.submit(pyramid.fetch, key)
            future.add_done_callback(_Done(self, pyramid, key, self._pool))

    def _next(self) -> tuple[Any, TileKey] | None:
        """Most urgent tile; pyramids take turns, overviews go first."""
        wanting = [p for p, wishes in self._wishes.items() if wishes]
        if not wanting:
            return None
        wanting.sort(key=lambda p: (not self._wishes[p].overview, self._last_turn(p)))
        pyramid = wanting[0]
        self._turn.append(id(pyramid))
        while len(self._turn) > 16:
            self._turn.popleft()
        key = self._wishes[pyramid].pop()
        if key is None:
            return None
        self._wishes[pyramid].busy.add(key)
        return pyramid, key

    def _last_turn(self, pyramid: object) -> int:
        return max((i for i, served in enumerate(self._turn) if served == id(pyramid)), default=-1)

    def _finished(self, pyramid: Any, key: TileKey, error: BaseException | None, pool: object) -> None:
        if error is None:  # before the loader may be idle, so that nobody takes the tile for shown
            self.arrived.emit(pyramid, key)
        with self._lock:
            if pool is self._pool:
                self._running -= 1
            wishes = self._wishes.get(pyramid)
            if wishes is not None:
                wishes.busy.discard(key)
                if error is not None:
                    wishes.failed.add(key)
            self._pump()
        if error is not None and wishes is not None:
            self.failed.emit(pyramid, error)


class _Done:
    """Reports a finished tile; called on the reading thread."""

    def __init__(self, loader: TileLoader, pyramid: Any, key: TileKey, pool: object) -> None:
        self._job = (loader, pyramid, key, pool)

    def __call__(self, future: Future[object]) -> None:
        loader, pyramid, key, pool = self._job
        if not future.cancelled():
            loader._finished(pyramid, key, future.exception(), pool)
