"""The assembly line: threads that read ahead, workers that predict, and one who waits for the results.

Reading and predicting are bounded: what is read ahead by the number of parts, what is predicted and not
yet taken by ``Plan.batch_size``, which is also all that a kill can cost. Each call of a model gets the
same number of patches (short ones are filled up), so that the answer for a patch depends neither on its
neighbours in the batch nor on how a run was cut into pieces.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event as Flag
from threading import local
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import InferenceError
from napari_her2.inference.device import begin_worker, is_out_of_memory
from napari_her2.patches import read_patch

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_her2.inference.agenda import Agenda
    from napari_her2.inference.novelty import Sample
    from napari_her2.inference.plan import Plan
    from napari_her2.models import PatchModel
    from napari_her2.slides import Slide

__all__ = ["Answer", "Line", "Part", "said_first"]

AHEAD: Final = 2
"""Parts that are read for each worker before it asks for them."""

_MOST: dict[tuple[str, str, str], int] = {}
"""Patches a call may have, where memory ran out before: by weights, precision and device."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Patches that go through a model in one call.

    Attributes
    ----------
    cells : ndarray of shape (n, 2), int64
    read : Future of ndarray of shape (m, size_px, size_px, 3), uint8
        m >= n: filled up with the last patch.
    """

    cells: NDArray[np.int64]
    read: Future[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model said of the patches of a part.

    Attributes
    ----------
    probabilities : ndarray of shape (n, c, ...), float32
    features : ndarray of shape (n, d), float32, or None
        Where some of the patches belong to the run's sample.
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None = None


class _Stopped(Exception):
    """Nobody wants the result any more."""


class Line:
    """A context manager whose threads end with it.

    Parameters
    ----------
    plan : Plan
    slide : Slide
    models : sequence of PatchModel
        One for each device.
    agenda : Agenda
    sample : Sample, optional
        Patches whose features are wanted as well.
    """

    def __init__(
        self,
        plan: Plan,
        slide: Slide,
        models: Sequence[PatchModel],
        agenda: Agenda,
        sample: Sample | None = None,
    ) -> None:
        self._plan, self._slide, self._models, self._agenda = plan, slide, models, agenda
        self._sample = sample
        self._stop, self._mine = Flag(), local()
        self._free = deque(range(plan.workers))
        self._reading = ThreadPoolExecutor(plan.readers, "her2-read")
        self._predicting = ThreadPoolExecutor(plan.workers, "her2-predict", self._begin)
        self._ahead: deque[Part] = deque()
        self._at_work: deque[tuple[Part, Future[Answer]]] = deque()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after at most one call of the model for each worker, and wait until all threads have ended."""
        self._stop.set()
        for pool in (self._reading, self._predicting):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (self._reading, self._predicting):
            pool.shutdown(wait=True)

    def results(self, *, ordered: bool) -> Generator[tuple[Part, Answer], None, None]:
        """Give out parts with their answers; each is taken to be settled when the next is asked for.

        Parameters
        ----------
        ordered : bool
            In the order of the agenda, else as they come.
        """
        while self._fed():
            if not ordered:
                wait([answer for _, answer in self._at_work], return_when=FIRST_COMPLETED)
            k = 0 if ordered else next(k for k, (_, answer) in enumerate(self._at_work) if answer.done())
            part, answer = self._at_work[k]
            yield part, self._got(answer)
            del self._at_work[k]

    def _got(self, answer: Future[Answer]) -> Answer:
        try:
            return answer.result()
        except BrokenExecutor as error:
            raise _failure(self._plan, self._plan.call_size, self._plan.device, error) from error

    def _fed(self) -> bool:
        """Feed the threads; a device that cannot be set up ends the run with a sentence."""
        try:
            return self._feed()
        except BrokenExecutor as error:
            raise _failure(self._plan, self._plan.call_size, self._plan.device, error) from error

    def _feed(self) -> bool:
        """Let as much be read and predicted as the bounds allow; say whether anything is at work."""
        plan = self._plan
        while len(self._ahead) < AHEAD * plan.workers and self._agenda.left:
            cells = self._agenda.take(plan.call_size)
            self._ahead.append(Part(cells, self._reading.submit(self._read, cells)))
        while self._ahead and len(self._at_work) < plan.slots:
            part = self._ahead.popleft()
            self._at_work.append((part, self._predicting.submit(self._predict, part)))
        return bool(self._at_work)

    def _read(self, cells: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read patches; neighbours share tiles of the file, so that one thread reads a part."""
        plan = self._plan
        size = plan.grid.size_px
        batch = np.empty((plan.call_size, size, size, 3), np.uint8)
        for k, (row, col) in enumerate(cells):
            if self._stop.is_set():
                raise _Stopped
            batch[k] = read_patch(self._slide, plan.grid, plan.read, row, col)
        batch[len(cells) :] = batch[len(cells) - 1]
        return batch

    def _begin(self) -> None:
        """Make a thread the worker of one device."""
        number = self._free.popleft()
        self._mine.model = self._models[number % len(self._models)]
        self._mine.device = self._plan.devices[number % len(self._plan.devices)]
        begin_worker(self._mine.device)

    def _predict(self, part: Part) -> Answer:
        batch = part.read.result()
        if self._stop.is_set():
            raise _Stopped
        n, sample = len(part.cells), self._sample
        featured = sample is not None and bool(sample.wants(part.cells).any())
        parts = self._asked(batch, featured=featured)
        probabilities = _checked(_joined([one for one, _ in parts]), self._plan, len(batch))[:n]
        features = [two for _, two in parts if two is not None]
        return Answer(probabilities, _joined(features)[:n] if featured else None)

    def _asked(
        self, batch: NDArray[np.uint8], *, featured: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
        """Ask the model, with fewer patches at a time where memory does not suffice; that is remembered."""
        plan, model, device = self._plan, self._mine.model, self._mine.device
        place = (plan.spec.sha256, plan.precision, device)
        while True:
            most = min(_MOST.get(place, len(batch)), len(batch))
            pieces = (batch[k : k + most] for k in range(0, len(batch), most))
            try:
                if featured:
                    return [model.predict_with_features(piece) for piece in pieces]
                return [(model.predict(piece), None) for piece in pieces]
            except (RuntimeError, MemoryError) as error:
                if most == 1 or not is_out_of_memory(error):
                    raise _failure(plan, most, device, error) from error
                _MOST[place] = (most + 1) // 2


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _failure(plan: Plan, n: int, device: str, error: Exception) -> InferenceError:
    """RuntimeError, which napari's worker would swallow, becomes an error of ours."""
    return InferenceError(
        f"{plan.spec.name} failed on {n} patches on {device} ({said_first(error)}): try a smaller batch or "
        "another device"
    )


def _checked(out: NDArray[np.float32], plan: Plan, n: int) -> NDArray[np.float32]:
    if out.shape[:2] != (n, len(plan.spec.classes)) or not np.isfinite(out).all():
        raise InferenceError(
            f"{plan.spec.name} gave {out.shape} or numbers that are not finite for {n} patches at "
            f"{plan.precision}: try float32, or check its spec"
        )
    return out


def said_first(error: Any) -> str:
    """Return the first line of an error, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
