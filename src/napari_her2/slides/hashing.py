"""One hash per slide, whether it is a file or a folder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from napari_her2.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["files_of", "sha256_of", "size_of"]

LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # left by file browsers


def files_of(path: Path) -> tuple[Path, ...]:
    """All files of a slide: itself, or what its folder holds; MIRAX keeps its pixels in a folder beside."""
    if path.is_dir():
        return _inside(path)
    beside = path.with_suffix("")
    if path.suffix.lower() == ".mrxs" and beside.is_dir():
        return (path, *_inside(beside))
    return (path,)


def _inside(folder: Path) -> tuple[Path, ...]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in LITTER)
    return tuple(sorted(files, key=lambda path: path.relative_to(folder).as_posix()))


def size_of(files: Sequence[Path]) -> int:
    """Bytes on disk."""
    return sum(file.stat().st_size for file in files)


def sha256_of(files: Sequence[Path], root: Path | None) -> str:
    """Hash of a slide.

    Parameters
    ----------
    files : sequence of Path
        One file, or several in a fixed order.
    root : Path or None
        Several files are hashed as lines ``sha256  name``, the name relative to ``root`` and with ``/``.

    Raises
    ------
    SlideError
        If a file cannot be read.
    """
    if root is None:
        return _sha256_of_file(files[0])
    lines = (f"{_sha256_of_file(file)}  {file.relative_to(root).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SlideError(f"{path.name} cannot be read: {error.strerror}") from error
