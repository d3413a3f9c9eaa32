"""One writer at a time: a lock of the operating system, which dies with its process.

No stale lock can stay behind: the file may, but the lock on it is gone when the process is.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING, Self

from napari_her2.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderLock"]


class FolderLock:
    """Context manager that holds a folder for one writer.

    Parameters
    ----------
    path : Path
        The lock's file; it is made, and stays when the lock is released.
    what : str
        The thing that is locked, for the error.

    Raises
    ------
    OutputError
        On entering, if another process (or thread) holds the lock.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b")
        try:
            _lock(file)
        except BlockingIOError as error:
            file.close()
            raise OutputError(
                f"{self._what} is being written by another run: wait until it ends, or choose another folder"
            ) from error
        self._file = file
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from error

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        with contextlib.suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import errno
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network disks know no locks: then work goes on without one.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise BlockingIOError(os.strerror(errno.EWOULDBLOCK)) from error

    def _unlock(file: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
