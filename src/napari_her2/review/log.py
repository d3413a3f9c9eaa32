"""``review.jsonl``: who changed what, when, from what, to what. Only ever appended to."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import CaseError, OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ReviewLog"]

UNNAMED: Final = "unnamed reader"


class ReviewLog:
    """The log of one case: an entry is one line of JSON, on the disk before :meth:`append` returns.

    Every entry has ``time`` (UTC), ``who`` and ``act``; most have ``before`` and ``after``.

    Parameters
    ----------
    path : Path
        Made with the first entry.
    who : str
        Who signs the entries that name nobody.
    """

    def __init__(self, path: Path, who: str = "") -> None:
        self._path = path
        self.who = who
        self._entries: list[dict[str, Any]] | None = None
        self._steps: dict[str, int] = {}
        self.damaged_lines = 0

    @property
    def entries(self) -> tuple[dict[str, Any], ...]:
        """All entries, the oldest first.

        Raises
        ------
        CaseError
            If the file cannot be read.
        """
        return tuple(self._read())

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry through to the disk.

        Raises
        ------
        OutputError
            If it cannot be written; then the file is as it was.
        """
        entries = self._read()
        signed = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": self.who or UNNAMED,
            **entry,
        }
        line = json.dumps(signed, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        try:
            self._write(line.encode("utf-8"))
        except OSError as error:
            raise OutputError(
                f"{self._path.name} cannot be written ({error.strerror or error}): what it holds is safe; "
                "make room on the disk, or make its folder writable, and try again"
            ) from error
        self._take(json.loads(line), entries)

    def last_step(self, mask: str) -> int:
        """Return the number of the last logged step of a mask; 0 where there is none."""
        steps = (
            int(entry["step"]) for entry in self._read() if entry.get("mask") == mask and "step" in entry
        )
        return max(steps, default=0)

    def of(self, *acts: str) -> tuple[dict[str, Any], ...]:
        """Return the entries of these acts, the oldest first."""
        return tuple(entry for entry in self._read() if entry.get("act") in acts)

    def _read(self) -> list[dict[str, Any]]:
        if self._entries is None:
            self._entries = self._parsed()
        return self._entries

    def _parsed(self) -> list[dict[str, Any]]:
        """Read the file; lines that are no entries, as a kill leaves, are counted and passed over."""
        try:
            lines = self._path.read_bytes().splitlines() if self._path.is_file() else []
        except OSError as error:
            raise CaseError(
                f"{self._path.name} cannot be read ({error.strerror or error}): check the folder"
            ) from error
        entries: list[dict[str, Any]] = []
        for line in lines:
            entry = _entry(line)
            if entry is not None:
                self._take(entry, entries)
            elif line.strip():
                self.damaged_lines += 1
        return entries

    def _take(self, entry: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        entries.append(entry)
        if isinstance(entry.get("step"), int) and isinstance(entry.get("mask"), str):
            self._steps[entry["mask"]] = max(entry["step"], self._steps.get(entry["mask"], 0))

    def _write(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                # After a kill the last line may lack its end: the new one must not be glued to it.
                data = b"\n" * (end > 0 and not _ends_line(self._path)) + line
                if file.write(data) != len(data):
                    raise OSError(28, os.strerror(28))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "act" in found else None
