"""Machine code for the inner loops, compiled once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numba
import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inner", "jit"]

F = TypeVar("F", bound="Callable[..., object]")


def _cache_folder() -> str:
    """Folder for this state of the sources.

    numba notices a change of a function's own file but not of the files it calls into, so the
    folder's name carries a digest of all of them. ``NUMBA_CACHE_DIR`` moves it, as it does for numba.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    cache = os.environ.get("NAPARI_HER2_CACHE") or platformdirs.user_cache_dir("napari-her2", appauthor=False)
    base = os.environ.get("NUMBA_CACHE_DIR") or Path(cache) / "numba"
    return str(Path(base) / f"phantom-{digest.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def jit(function: F) -> F:
    """Compile a function that Python calls, without the interpreter lock; the result is kept on disk.

    numba's own cache setting is left as it was.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER
    try:
        compiled: F = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def inner(function: F) -> F:
    """Compile a function that only compiled code calls; it is kept as part of its callers."""
    compiled: F = numba.njit(nogil=True, no_cpython_wrapper=True, error_model="numpy")(function)
    return compiled
