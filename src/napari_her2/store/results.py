"""Answers of a model per patch, kept as they come, so that a killed run goes on where it was.

The journal is the truth; the zarr arrays beside it are its picture for those who look while it is
written, brought up to date about once a second.
"""

from __future__ import annotations

import shutil
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from napari_her2.errors import CaseError, OutputError
from napari_her2.store.files import read_json, writable_folder, write_json
from napari_her2.store.journal import Journal, cannot_keep, read_journal
from napari_her2.store.locks import FolderLock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DONE", "PLANNED", "RESULTS_SCHEMA", "ResultStore", "Results", "open_own_folder", "read_results"]

RESULTS_SCHEMA: Final = "napari-her2/results/1"
PLANNED: Final = 1
DONE: Final = 2
RECORD: Final = "results.json"
JOURNAL: Final = "journal"
LOCK: Final = "lock"
ARRAYS: Final = "patches.zarr"
CHUNK: Final = 256
LIVE_S: Final = 1.0
COUNTS: Final = struct.Struct("<II")


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Results as they lie on disk, perhaps still growing; slice the arrays to read.

    Attributes
    ----------
    status : zarr.Array of shape (rows, cols), uint8
        0 nothing is planned there, 1 planned, 2 done.
    probability : zarr.Array of shape (rows, cols, c), float32
        NaN where nothing is known.
    record : mapping
        ``schema``, ``key``, ``classes``, ``finished`` and the writer's facts.
    """

    status: Any
    probability: Any
    record: Mapping[str, Any]


def open_own_folder(folder: Path, record: Mapping[str, Any]) -> bool:
    """Make a folder ours, or go on with it where it holds work under the same key.

    Parameters
    ----------
    folder : Path
    record : mapping
        With ``schema`` and ``key``; written there when work begins anew.

    Returns
    -------
    bool
        Whether there is earlier work to go on with.

    Raises
    ------
    OutputError
        If it holds files of others, or cannot be written.
    CaseError
        If its record is damaged or of a later version.
    """
    strangers = [p.name for p in folder.iterdir() if p.name != LOCK] if folder.is_dir() else []
    if strangers and not (folder / RECORD).is_file():
        raise OutputError(
            f"{folder.name} holds {strangers[0]}, which is not of a run: choose another folder, or remove it"
        )
    if (folder / RECORD).is_file():
        if _record(folder, str(record["schema"]))["key"] == record["key"]:
            return True
        for path in folder.iterdir():
            if path.name not in (LOCK, RECORD):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(folder / RECORD, dict(record))
    return False


def _record(folder: Path, schema: str) -> dict[str, Any]:
    """Read what a folder says of itself."""
    record: Any = read_json(folder / RECORD)
    if not isinstance(record, dict) or not {"schema", "key"} <= set(record):
        raise CaseError(f"{folder.name} is damaged ({RECORD}): remove the folder and run again")
    if record["schema"] != schema:
        raise CaseError(
            f"{folder.name} was written by another version ({str(record['schema'])[:60]}): go on with that "
            "version, or remove the folder and run again"
        )
    return record


def read_results(folder: Path) -> Results:
    """Open results, while they are written or later.

    Raises
    ------
    CaseError
        If there are none.
    """
    import zarr

    record = _record(folder, RESULTS_SCHEMA)
    try:
        group: Any = zarr.open_group(folder / ARRAYS, mode="r")
        return Results(group["status"], group["probability"], record)
    except (OSError, KeyError, ValueError) as error:
        raise CaseError(f"{folder.name} holds no results yet: wait until the run has begun") from error


class ResultStore:
    """Context manager that keeps a model's answers; one writer at a time.

    Parameters
    ----------
    folder : Path
        It is made if needed; work of another key in it is dropped.
    key : str
        Of all that the answers depend on.
    shape : tuple of int
        (rows, cols) of the grid.
    classes : sequence of str
    planned : ndarray of shape (n, 2), int64
        (row, col) of all patches that are to run.
    facts : mapping, optional
        Plain values for readers.

    Attributes
    ----------
    lost_bytes : int
        Of answers that could not be read again; more than one batch means damage.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key: str,
        shape: tuple[int, int],
        classes: Sequence[str],
        planned: NDArray[np.int64],
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder = folder
        self._record = {
            "schema": RESULTS_SCHEMA, "key": key, "classes": list(classes), "finished": False,
            **(facts or {}),
        }  # fmt: skip
        self._status = np.zeros(shape, np.uint8)
        self._status[planned[:, 0], planned[:, 1]] = PLANNED
        self._probability = np.full((*shape, len(classes)), np.nan, np.float32)
        self._stack = ExitStack()
        self._journal = Journal(folder / JOURNAL)
        self._arrays: Any = None
        self._stale: set[tuple[int, int]] = set()
        self._shown = 0.0
        self.lost_bytes = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            writable_folder(self._folder)
            stack.enter_context(FolderLock(self._folder / LOCK, self._folder.absolute().parent.name))
            open_own_folder(self._folder, self._record)
            self._replay()
            stack.enter_context(self._journal)
            self.lost_bytes = self._journal.lost_bytes
            try:
                self._create()
            except OSError as error:
                raise cannot_keep(self._folder, error) from error
            self._stack = stack.pop_all()
        return self

    def _replay(self) -> None:
        for data, _ in read_journal(self._folder / JOURNAL):
            self._take(*_unpacked(data))

    def _create(self) -> None:
        import zarr

        rows, cols, classes = self._probability.shape
        chunks = (min(CHUNK, rows), min(CHUNK, cols))
        group: Any = zarr.open_group(self._folder / ARRAYS, mode="w", zarr_format=3)
        self._arrays = (
            group.create_array("status", shape=(rows, cols), chunks=chunks, dtype="uint8", fill_value=0),
            group.create_array(
                "probability",
                shape=(rows, cols, classes),
                chunks=(*chunks, classes),
                dtype="float32",
                fill_value=np.nan,
            ),
        )
        self._stale = {(int(r), int(c)) for r, c in np.unique(np.argwhere(self._status) // CHUNK, axis=0)}
        self._show()

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which places of the grid have their answer: (rows, cols)."""
        return np.asarray(self._status == DONE)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Answers by place in the grid, NaN where there is none: (rows, cols, c)."""
        return self._probability

    def add(self, cells: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
        """Keep the answers (n, c) of cells (n, 2); they are on the disk when this returns.

        Raises
        ------
        OutputError
            If they cannot be written; earlier ones are kept.
        """
        self._journal.append(_packed(cells, probabilities))
        self._take(cells, probabilities)
        self._stale.update((int(r), int(c)) for r, c in cells // CHUNK)
        if time.monotonic() - self._shown > LIVE_S:
            self._show()

    def _take(self, cells: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
        self._probability[cells[:, 0], cells[:, 1]] = probabilities
        self._status[cells[:, 0], cells[:, 1]] = DONE

    def _show(self) -> None:
        """Bring the arrays on the disk up to date where something changed."""
        try:
            for row, col in self._stale:
                part = (
                    slice(row * CHUNK, (row + 1) * CHUNK),
                    slice(col * CHUNK, (col + 1) * CHUNK),
                )
                self._arrays[1][part] = self._probability[part]
                self._arrays[0][part] = self._status[part]
        except OSError as error:
            raise cannot_keep(self._folder, error) from error
        self._stale.clear()
        self._shown = time.monotonic()

    def finish(self) -> None:
        """Say that all is there, last of all."""
        self._show()
        write_json(self._folder / RECORD, {**self._record, "finished": True})

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if self._stale and not (kind is not None and issubclass(kind, OutputError)):
                self._show()


def _packed(cells: NDArray[np.int64], probabilities: NDArray[np.float32]) -> bytes:
    n, classes = probabilities.shape
    whole = (cells.astype("<i4").tobytes(), probabilities.astype("<f4").tobytes())
    return COUNTS.pack(n, classes) + b"".join(whole)


def _unpacked(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    n, classes = COUNTS.unpack_from(data)
    cells = np.frombuffer(data, "<i4", 2 * n, COUNTS.size).reshape(n, 2)
    answers = np.frombuffer(data, "<f4", n * classes, COUNTS.size + 8 * n).reshape(n, classes)
    return cells.astype(np.int64), answers.astype(np.float32)
