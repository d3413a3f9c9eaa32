"""Features of a run's sample that outlive a kill, so that no patch has to be seen again for them."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.store import Journal, read_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.inference import BatchDone, Sample

__all__ = ["keeping_features"]

FILE: Final = "features"
SIZES: Final = struct.Struct("<II")


@contextmanager
def keeping_features(folder: Path, sample: Sample | None) -> Iterator[Callable[[BatchDone], None]]:
    """Take up what was kept of a sample, and give a function that keeps what a batch holds of it.

    Parameters
    ----------
    folder : Path
        Of unfinished work, which is ours and of the same plan.
    sample : Sample or None
        None keeps nothing.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    if sample is None:
        yield lambda _: None
        return
    for data, _ in read_journal(folder / FILE):
        sample.keep(*_unpacked(data))
    with Journal(folder / FILE) as journal:

        def keep(batch: BatchDone) -> None:
            if batch.features is None:
                return
            chosen = sample.wants(batch.cells)
            if chosen.any():
                journal.append(_packed(batch.cells[chosen], batch.features[chosen]))
                sample.keep(batch.cells[chosen], batch.features[chosen])

        yield keep


def _packed(cells: NDArray[np.int64], features: NDArray[np.float32]) -> bytes:
    return SIZES.pack(*features.shape) + cells.astype("<i4").tobytes() + features.astype("<f4").tobytes()


def _unpacked(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    n, width = SIZES.unpack_from(data)
    cells = np.frombuffer(data, "<i4", 2 * n, SIZES.size).reshape(n, 2)
    features = np.frombuffer(data, "<f4", n * width, SIZES.size + 8 * n).reshape(n, width)
    return cells.astype(np.int64), features.astype(np.float32)
