"""An append-only file of records, each on the disk before :meth:`Journal.append` returns.

A record is ``HER2`` (4 bytes), its length and CRC-32 (4 bytes each), the length of its JSON head, the
head, and packed data. A kill leaves at most one record unfinished, the last one; it is cut off when the
file is opened again. Damage in the middle is stepped over: every record that is whole is found.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError, OutputError
from napari_her2.store import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Journal", "Record"]

MAGIC: Final = b"HER2"
FRAME: Final = struct.Struct("<4sII")
HEAD: Final = struct.Struct("<I")
MOST_BYTES: Final = 1 << 31
GAP: Final = {"act": "gap"}
"""Head of the record that stands where records were lost."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry: its head, where it begins in the file, and where its data lie."""

    head: Mapping[str, Any]
    begin: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """First byte after it."""
        return self.start + self.length


class Journal:
    """Records on disk; one writer at a time (the caller holds the lock).

    Parameters
    ----------
    path : Path
        Made if it is missing.

    Attributes
    ----------
    records : list of Record
        All whole records, in their order.
    damage : str
        One sentence if something was wrong with the file, else empty.

    Raises
    ------
    OutputError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: list[Record] = []
        self.damage = ""
        self._file = self._open()

    def append(self, head: Mapping[str, Any], data: bytes = b"") -> Record:
        """Write a record through to the disk.

        Raises
        ------
        OutputError
            If it cannot be written; then the file is as it was.
        """
        record = _framed(head, data)
        start = self._file.seek(0, os.SEEK_END)
        try:
            _write_all(self._file, record)
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut(start)
            raise OutputError(
                f"the last stroke cannot be saved to {self._path.name} ({error.strerror or error}): "
                "all strokes before it are safe; make room on the disk and try again"
            ) from error
        added = Record(dict(head), start, start + len(record) - len(data), len(data))
        self.records.append(added)
        return added

    def data(self, record: Record) -> bytes:
        """Read the data of a record."""
        try:
            self._file.seek(record.start)
            found = self._file.read(record.length)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _cut(self, end: int) -> None:
        """Take back what was half written; a fresh handle forgets what could not be flushed."""
        self._file = _reopened(self._path, self._file)
        self._file.truncate(end)

    def _open(self) -> IO[bytes]:
        try:
            self._path.touch()
            file = self._path.open("r+b", buffering=0)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        content = self._path.read_bytes()
        self.records = list(_scan(content))
        end = self.records[-1].end if self.records else 0
        if not _is_whole(self.records) or not _is_torn(content[end:]):
            file.close()
            return self._repaired(content)
        file.truncate(end)
        return file

    def _repaired(self, content: bytes) -> IO[bytes]:
        """Put the damaged file aside and go on with the records that are whole."""
        aside = _free_name(self._path)
        self.damage = (
            f"{self._path.name} is damaged: the mask is kept as it was saved, but steps before the damage "
            f"cannot be undone any more; the damaged file is kept as {aside.name}"
        )
        with replacing(aside) as temporary:
            temporary.write_bytes(content)
        parts, before = [], 0
        for record in self.records:
            parts += [_framed(GAP, b"")] * (record.begin != before)
            parts.append(content[record.begin : record.end])
            before = record.end
        parts += [_framed(GAP, b"")] * (not _is_torn(content[before:]))
        with replacing(self._path) as temporary:
            temporary.write_bytes(b"".join(parts))
        self.records = list(_scan(self._path.read_bytes()))
        return self._path.open("r+b", buffering=0)


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write every byte: a disk that fills up takes a part and reports no error."""
    view = memoryview(data)
    while len(view):
        written = file.write(view)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]


def _reopened(path: Path, file: IO[bytes]) -> IO[bytes]:
    file.close()
    return path.open("r+b", buffering=0)


def _unreadable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path.name} cannot be opened for writing ({error.strerror or error}): make its folder writable, "
        "or keep the corrections in another folder"
    )


def _head(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _framed(head: Mapping[str, Any], data: bytes) -> bytes:
    text = _head(head)
    body = b"".join((HEAD.pack(len(text)), text, data))
    if len(body) > MOST_BYTES:
        raise CaseError("this step changes too much at once: paint it in several steps")
    return FRAME.pack(MAGIC, len(body), zlib.crc32(body)) + body


def _scan(content: bytes) -> Iterator[Record]:
    """Return each whole record; what is damaged is stepped over to the next one."""
    at = content.find(MAGIC)
    while at >= 0:
        found = _record_at(content, at)
        if found is not None:
            yield found
        at = content.find(MAGIC, at + 1 if found is None else found.end)


def _record_at(content: bytes, at: int) -> Record | None:
    """Return the record that begins there, if it is whole."""
    begin = at + FRAME.size
    if len(content) < begin + HEAD.size:
        return None
    _, length, check = FRAME.unpack_from(content, at)
    body = memoryview(content)[begin : begin + length]
    if len(body) != length or length < HEAD.size or zlib.crc32(body) != check:
        return None
    (n_head,) = HEAD.unpack_from(body)
    try:
        head = json.loads(bytes(body[HEAD.size : HEAD.size + n_head]))
    except ValueError:
        return None
    start = begin + HEAD.size + n_head
    return Record(head, at, start, begin + length - start)


def _is_whole(records: list[Record]) -> bool:
    """Whether the records follow each other from the start of the file."""
    return all(record.begin == before for record, before in zip(records, _ends(records), strict=False))


def _ends(records: list[Record]) -> list[int]:
    return [0, *(record.end for record in records)]


def _is_torn(tail: bytes) -> bool:
    """Whether what follows the last whole record is nothing, or the beginning of one (a kill leaves that)."""
    if len(tail) < FRAME.size:
        return MAGIC.startswith(tail[: len(MAGIC)])
    magic, length, _ = FRAME.unpack_from(tail)
    return bool(magic == MAGIC and len(tail) < FRAME.size + length)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}.damaged-{n}{path.suffix}") for n in range(1, 10_000))
    return next(name for name in names if not name.exists())
