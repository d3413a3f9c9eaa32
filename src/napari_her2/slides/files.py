"""Bytes of a file at any place, for many threads at once."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

from napari_her2.errors import SlideError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileBytes"]


class FileBytes:
    """One handle, read by position; Windows has no such call, so a lock guards its cursor there."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = path.open("rb", buffering=0)
        self._lock = Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``.

        Raises
        ------
        SlideError
            If the file is closed or ends before.
        """
        try:
            data = self._read(offset, size)
        except ValueError as error:
            raise SlideError(f"{self._name} is closed: open it again to read from it") from error
        except OSError as error:
            raise SlideError(f"{self._name} cannot be read: {error.strerror}") from error
        if len(data) < size:
            raise SlideError(f"{self._name} ends before its pixels do: copy or export it again")
        return data

    def _read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def close(self) -> None:
        """Release the handle."""
        self._file.close()
