"""Files that are either the old one or the new one, never half of it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.errors import CaseError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "read_json",
    "replacing",
    "replacing_folder",
    "sha256_of",
    "writable_folder",
    "write_bytes",
    "write_json",
]

_ATTEMPTS = 20  # Windows refuses to replace a file that a virus scanner or a viewer holds for a moment
_PAUSE_S = 0.05


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path.name} cannot be written ({error.strerror or error}): choose another place for it"
    )


def _move(source: Path, target: Path) -> None:
    """`os.replace`, tried again for a while where another program holds the target."""
    for attempt in range(_ATTEMPTS):
        try:
            source.replace(target)
        except PermissionError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _neighbour(path: Path) -> Path:
    """Return a free name beside ``path``, on the same disk, so that a rename is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary neighbour to write; at the end it takes the place of ``path``.

    Parameters
    ----------
    path : Path
        The file to write. Its folder is made if needed.

    Yields
    ------
    Path
        Where to write. If the block fails nothing is left and the old file stays.

    Raises
    ------
    OutputError
        If the place cannot be written.
    """
    temporary = _neighbour(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _move(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a new empty folder to fill; at the end it takes the place of the folder ``path``.

    Raises
    ------
    OutputError
        If the place cannot be written.
    """
    temporary, old = _neighbour(path), _neighbour(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            _move(path, old)
        _move(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> str:
    """Write a file at once, through to the disk, and return its SHA-256."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def write_json(path: Path, value: Any) -> str:
    """Write JSON (two spaces, no NaN) at once and return the file's SHA-256."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_bytes(path, text.encode("utf-8"))


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    CaseError
        If the file is missing, unreadable or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaseError(f"{path.name} cannot be read ({error.strerror or error}): check its name") from error
    except (ValueError, RecursionError) as error:
        raise CaseError(
            f"{path.name} is not valid JSON ({str(error)[:120]}): check or write it again"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files by name and content, in hexadecimal."""
    if path.is_dir():
        whole = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            whole.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
        return whole.hexdigest()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_locked_away(path: Path) -> bool:
    """Whether no write bit is set at all; honoured for root too, who could write nevertheless."""
    return os.name == "posix" and not path.stat().st_mode & 0o222


def writable_folder(path: Path, option: str = "--out") -> Path:
    """Make a folder if needed and see that files can be written into it.

    Parameters
    ----------
    path : Path
        The folder.
    option : str
        The command-line option that named it, for the error's remedy.

    Raises
    ------
    OutputError
        If it is a file, is read-only, or cannot be made.
    """
    nearest = next((p for p in (path, *path.absolute().parents) if p.exists()), Path())
    if not nearest.is_dir():
        raise OutputError(f"{nearest.name} is a file, not a folder: give a folder with {option}")
    try:
        if _is_locked_away(nearest):
            raise OutputError(f"the folder {nearest.name} is read-only: choose another with {option}")
        path.mkdir(parents=True, exist_ok=True)
        trial = _neighbour(path / "trial")
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        why = f"cannot be written ({error.strerror or error})"
        raise OutputError(f"the folder {path.name} {why}: choose another with {option}") from error
    return path
