"""A file that only grows: each record is on the disk before the next thing happens.

A record is a mark, its length, its CRC-32 and its bytes. What a kill leaves half written at the end is cut
off when the file is opened again.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, Self

from napari_her2.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Journal", "cannot_keep", "read_journal"]

MARK: Final = b"HER2"
HEAD: Final = struct.Struct("<4sII")


def read_journal(path: Path) -> Iterator[tuple[bytes, int]]:
    """Whole records of a journal and where each ends, up to the first that is not whole.

    A journal may be read while it is written. One that is not there has no records.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        while len(head := file.read(HEAD.size)) == HEAD.size:
            mark, length, crc = HEAD.unpack(head)
            if mark != MARK:
                return
            data = file.read(length)
            if len(data) < length or zlib.crc32(data) != crc:
                return
            yield data, file.tell()


class Journal:
    """Context manager that appends to a journal, after cutting off what is not whole.

    Parameters
    ----------
    path : Path
    place : Path, optional
        Folder of unfinished work, for the error; by default the file's.

    Attributes
    ----------
    lost_bytes : int
        Cut off on entering.

    Raises
    ------
    OutputError
        If the file cannot be written; what it holds stays.
    """

    def __init__(self, path: Path, place: Path | None = None) -> None:
        self._path, self._place = path, place or path.parent
        self._file: IO[bytes] | None = None
        self._whole = 0
        self.lost_bytes = 0

    def __enter__(self) -> Self:
        self._whole = max((end for _, end in read_journal(self._path)), default=0)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            self.lost_bytes = self._file.tell() - self._whole
            self._file.truncate(self._whole)
            self._file.seek(self._whole)
        except OSError as error:
            raise self._cannot(error) from error
        return self

    def append(self, data: bytes) -> None:
        """Write a record through to the disk.

        Raises
        ------
        OutputError
            If that fails, for instance because the disk is full; earlier records stay whole.
        """
        if self._file is None:
            raise ValueError(f"{self._path.name} is not open")
        try:
            self._file.write(HEAD.pack(MARK, len(data), zlib.crc32(data)) + data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._whole)
            raise self._cannot(error) from error
        self._whole += HEAD.size + len(data)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # what a full disk keeps in the buffer is cut off next time
                self._file.close()
            self._file = None

    def _cannot(self, error: OSError) -> OutputError:
        return cannot_keep(self._place, error)


def cannot_keep(folder: Path, error: OSError) -> OutputError:
    """Say that results in a case's ``running`` folder cannot be written, and what helps."""
    return OutputError(
        f"results cannot be written to {folder.absolute().parent.name} ({error.strerror or error}): make "
        "room or make it writable, then run the same command again; what was done is kept"
    )
